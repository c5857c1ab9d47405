"""timm: convnets and transformers, ``timm:vit_small_patch14_dinov2``; ``timm:local-dir:FOLDER``."""

from __future__ import annotations

import json
from pathlib import Path

from pipeline.backbones.hubs import export_torch

PACKAGES = ("timm", "torch", "onnx")
EXTRA = "timm"
EXAMPLE = "vit_small_patch14_dinov2"


def fetch(name: str, folder: Path) -> Path:
    """Downloads a model with ``timm.create_model``; its outputs are ``features`` and ``pooled``."""
    import timm
    import torch

    model = timm.create_model(name, pretrained=True, num_classes=0).eval()
    config = timm.data.resolve_model_data_config(model)
    size = config["input_size"][-1]

    class Features(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, pixels: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            features = self.model.forward_features(pixels)
            pooled = self.model.forward_head(features, pre_logits=True)
            if features.ndim == 4 and features.shape[1] != model.num_features == features.shape[3]:
                features = features.permute(0, 3, 1, 2)  # as of Swin, whose channels are last
            return features, pooled

    path = folder / "model.onnx"
    export_torch(Features().eval(), path, size=size, outputs=("features", "pooled"))
    (folder / "config.json").write_text(json.dumps({"architecture": name, "pretrained_cfg": config}))
    return path
