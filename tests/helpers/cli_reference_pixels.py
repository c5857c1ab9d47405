"""Makes ``tests/data/reference_pixels.npz``: what transformers and timm make of two pictures.

It needs both packages, with PyTorch, which the tests do not::

    python tests/helpers/cli_reference_pixels.py tests/data/reference_pixels.npz

For each processor the file has its configuration, the pixels of both pictures before they are normalised,
uint8 (2, side, side, 3), and after it, float32.
"""

from __future__ import annotations

import json
import sys
from typing import Any

import numpy as np
import timm
import torch
import transformers
from PIL import Image
from reference_pictures import SHAPES, reference_picture

MOMENTS = {"image_mean": [0.4, 0.5, 0.25], "image_std": [0.2, 0.5, 0.25]}
PROCESSORS = {
    "Bit": {"size": {"shortest_edge": 40}, "crop_size": {"height": 33, "width": 33}, "resample": 3},
    "CLIP": {"size": {"shortest_edge": 33}, "crop_size": 33, "resample": 3},
    "ConvNext": {"size": {"shortest_edge": 33}, "crop_pct": 0.875, "resample": 3},
    "DeiT": {"size": {"height": 40, "width": 40}, "crop_size": {"height": 33, "width": 33}, "resample": 3},
    "DINOv3ViT": {"size": {"height": 33, "width": 33}, "resample": 2},
    "MobileNetV2": {"size": {"shortest_edge": 40}, "crop_size": {"height": 33, "width": 33}, "resample": 2},
    "Siglip": {"size": {"height": 33, "width": 33}, "resample": 3},
    "ViT": {"size": {"height": 33, "width": 33}, "resample": 1},
}
TIMM = {
    "center": {"crop_pct": 0.875, "crop_mode": "center", "interpolation": "bicubic"},
    "squash": {"crop_pct": 0.9, "crop_mode": "squash", "interpolation": "bilinear"},
    "whole": {"crop_pct": 1.0, "interpolation": "bicubic"},
}


def main(path: str) -> None:
    """Writes the file."""
    pictures = [Image.fromarray(reference_picture(*shape)) for shape in SHAPES]
    found: dict[str, np.ndarray] = {}
    for name, said in PROCESSORS.items():
        for kind in ("ImageProcessor", "ImageProcessorPil"):
            made = getattr(transformers, name + kind, None)
            if made is None:
                continue
            processor = made(**said, **MOMENTS)
            plain = made(**said, **MOMENTS, do_normalize=False, do_rescale=False)
            config = processor.to_dict()
            config["image_processor_type"] = name + kind
            key = f"{name}{kind}"
            found[f"{key}/config"] = np.array(json.dumps(config, default=str))
            found[f"{key}/pixels"] = _rounded(_shown(plain, pictures))
            found[f"{key}/normalised"] = _shown(processor, pictures).astype(np.float32)[:, :4, :4]
    for name, said in TIMM.items():
        config = {
            "architecture": "none",
            "pretrained_cfg": {"input_size": [3, 33, 33], "mean": [0.4, 0.5, 0.25], "std": [0.2, 0.5, 0.25]}
            | said,
        }
        cfg = timm.data.resolve_data_config(pretrained_cfg=config["pretrained_cfg"])
        transform = timm.data.create_transform(**cfg, is_training=False)
        normalised = torch.stack([transform(picture) for picture in pictures]).permute(0, 2, 3, 1).numpy()
        found[f"timm-{name}/config"] = np.array(json.dumps(config))
        found[f"timm-{name}/pixels"] = _rounded((normalised * [0.2, 0.5, 0.25] + [0.4, 0.5, 0.25]) * 255)
        found[f"timm-{name}/normalised"] = normalised.astype(np.float32)[:, :4, :4]
    found["versions"] = np.array(
        f"transformers {transformers.__version__}, timm {timm.__version__}, torch {torch.__version__}, "
        f"pillow {Image.__version__}"
    )
    np.savez_compressed(path, **found)  # type: ignore[arg-type]


def _shown(processor: Any, pictures: list[Image.Image]) -> np.ndarray:
    made = [processor(picture, return_tensors="np")["pixel_values"][0] for picture in pictures]
    return np.stack(made).transpose(0, 2, 3, 1)


def _rounded(pixels: np.ndarray) -> np.ndarray:
    return np.clip(np.rint(pixels), 0, 255).astype(np.uint8)


if __name__ == "__main__":
    main(sys.argv[1])
