"""The forward pass of VGG16 in PyTorch, with the filters that ``export.py`` wrote."""

from __future__ import annotations

import argparse
import functools
from pathlib import Path

import numpy as np
from _serving import add_pass_options, answers, say, serve
from engine_forward import load_pixels

from pipeline.backbones.loading import CAFFE_MEAN_BGR

BLOCKS = (2, 2, 3, 3, 3)


def main() -> None:
    """Serves one pass per arithmetic."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="holds filters.npz of VGG16")
    add_pass_options(parser)
    given = parser.parse_args()
    with answers() as stream:
        try:
            import torch
        except ImportError:
            say(stream, note="not installed")
            return
        pixels = torch.from_numpy(load_pixels(given.images, given.count, given.size))
        mean = torch.tensor(CAFFE_MEAN_BGR)

        @torch.inference_mode()
        def run(count: int, base: torch.nn.Module, dtype: torch.dtype) -> None:
            for batch in torch.split(pixels[:count], given.batch):
                scaled = (batch.flip(-1) - mean).to(dtype).permute(0, 3, 1, 2)  # channels last in memory
                base(scaled).permute(0, 2, 3, 1).to(torch.float16).numpy()

        passes = {}
        for dtype in (torch.float32, torch.bfloat16):
            base = vgg16(given.folder / "filters.npz").to(dtype).to(memory_format=torch.channels_last)
            passes[str(dtype).removeprefix("torch.")] = functools.partial(run, base=base, dtype=dtype)
        serve(stream, passes, count=given.count, batch=given.batch)


def vgg16(filters: Path) -> object:
    """Builds VGG16 without its top from Keras's kernels (height, width, in, out) and biases, in order."""
    from torch import from_numpy, nn

    with np.load(filters) as file:
        arrays = iter([from_numpy(file[name]) for name in sorted(file.files)])
    layers: list[nn.Module] = []
    for convolutions in BLOCKS:
        for _ in range(convolutions):
            kernel, bias = next(arrays).permute(3, 2, 0, 1), next(arrays)
            layer = nn.Conv2d(kernel.shape[1], kernel.shape[0], 3, padding=1)
            layer.weight.data, layer.bias.data = kernel.contiguous(), bias
            layers += [layer, nn.ReLU(inplace=True)]
        layers.append(nn.MaxPool2d(2))
    return nn.Sequential(*layers).eval()


if __name__ == "__main__":
    main()
