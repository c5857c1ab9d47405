"""PyTorch as its guides have it: an image folder, a ``DataLoader`` with workers, channels last."""

from __future__ import annotations

import argparse
import os

from _serving import answers, say, timed

NAMES = {
    "vgg16": "vgg16",
    "mobilenet_v2": "mobilenet_v2",
    "resnet50": "resnet50",
    "convnext_tiny": "convnext_tiny",
    "efficientnet_v2_b0": "tf_efficientnetv2_b0",
}
"""What torchvision, or timm where torchvision has none, calls a base of ours."""


def main() -> None:
    """Extracts the features of a folder once and says what that took, or why it cannot."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("images")
    parser.add_argument("--backbone", required=True, choices=NAMES)
    parser.add_argument("--size", type=int, required=True)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--workers", type=int, default=os.cpu_count())
    parser.add_argument("--precision", default="float32", choices=("float32", "bfloat16"))
    parser.add_argument("--pooling", default="avg", choices=("none", "avg"))
    given = parser.parse_args()
    with answers() as stream:
        try:
            import torch
            from torchvision import datasets, models, transforms
        except ImportError as error:
            say(stream, note=f"not installed: {error.name}")
            return
        dtype = getattr(torch, given.precision)
        try:
            base = features_of(models, NAMES[given.backbone])
        except ImportError as error:
            say(stream, note=f"not installed: {error.name}")
            return
        base = base.eval().to(dtype).to(memory_format=torch.channels_last)
        steps = [
            transforms.Resize((given.size, given.size)),
            transforms.ToTensor(),
            transforms.Normalize((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)),
        ]
        folder = datasets.ImageFolder(given.images, transforms.Compose(steps))

        @torch.inference_mode()
        def forward(images: torch.Tensor) -> torch.Tensor:
            features = base(images.to(dtype).contiguous(memory_format=torch.channels_last))
            return (features.mean((2, 3)) if given.pooling == "avg" else features).to(torch.float16)

        forward(torch.zeros(given.batch, 3, given.size, given.size))

        def extract_features() -> None:
            loader = torch.utils.data.DataLoader(folder, given.batch, num_workers=given.workers)
            torch.cat([forward(images) for images, _ in loader]).numpy()

        say(stream, **timed(extract_features))


def features_of(models: object, name: str) -> object:
    """Builds the convolutional part of a network with random filters."""
    if hasattr(models, name):
        return getattr(models, name)(weights=None).features if name != "resnet50" else _without_top(models)
    import timm

    return timm.create_model(name, pretrained=False, num_classes=0, global_pool="")


def _without_top(models: object) -> object:
    from torch import nn

    return nn.Sequential(*list(models.resnet50(weights=None).children())[:-2])


if __name__ == "__main__":
    main()
