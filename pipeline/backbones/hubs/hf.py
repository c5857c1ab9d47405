"""The Hugging Face hub through transformers: ``hf:facebook/dinov2-small``, or a folder with a saved one."""

from __future__ import annotations

from pathlib import Path

from pipeline.backbones.hubs import export_torch
from pipeline.errors import UsageError

PACKAGES = ("transformers", "torch", "onnx")
EXTRA = "hf"
EXAMPLE = "facebook/dinov2-small"


def fetch(name: str, folder: Path) -> Path:
    """Downloads a model and its image processor; of CLIP and SigLIP the half that sees.

    Its outputs are ``last_hidden_state`` and, where there is one, ``pooler_output``.

    Raises:
        UsageError: It is no model of pictures.
    """
    import torch
    from transformers import AutoImageProcessor, AutoModel

    from pipeline.backbones.configs import find_preprocessing

    AutoImageProcessor.from_pretrained(name).save_pretrained(folder)
    path = folder / "model.onnx"
    size = find_preprocessing(path).size
    whole = AutoModel.from_pretrained(name, attn_implementation="eager").eval()
    model = getattr(whole, "vision_model", whole)
    if model.main_input_name != "pixel_values":
        raise UsageError(f"hf:{name} is no model of pictures: its input is {model.main_input_name}")
    with torch.no_grad():
        found = model(pixel_values=torch.zeros(1, 3, size, size))
    names = [one for one in ("last_hidden_state", "pooler_output") if getattr(found, one, None) is not None]

    class Features(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, pixels: torch.Tensor) -> tuple[torch.Tensor, ...]:
            made = self.model(pixel_values=pixels, return_dict=True)
            parts = [getattr(made, name) for name in names]
            # Convnets pool to (n, c, 1, 1).
            return tuple(one.flatten(1) if one.ndim == 4 and one.shape[2] == 1 else one for one in parts)

    export_torch(Features().eval(), path, size=size, outputs=names)
    return path
