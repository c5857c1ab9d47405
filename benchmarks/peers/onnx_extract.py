"""An ONNX file as its model card has it: ONNX Runtime on pictures that Pillow prepares in a loop."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from _serving import answers, say, timed
from PIL import Image


def main() -> None:
    """Extracts the features of a folder once and says what that took, or why it cannot."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("images", type=Path)
    parser.add_argument("network", type=Path)
    parser.add_argument("--output", required=True)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--edge", type=int, default=256)
    parser.add_argument("--mean", type=float, default=127 / 255)
    parser.add_argument("--std", type=float, default=128 / 255)
    parser.add_argument("--batch", type=int, default=32)
    given = parser.parse_args()
    with answers() as stream:
        try:
            import onnxruntime
        except ImportError as error:
            say(stream, note=f"not installed: {error.name}")
            return
        session = onnxruntime.InferenceSession(given.network, providers=["CPUExecutionProvider"])
        name = session.get_inputs()[0].name
        paths = sorted(path for path in given.images.rglob("*") if path.is_file())

        def prepared(path: Path) -> np.ndarray:
            with Image.open(path) as image:
                width, height = image.size
                edge = given.edge
                sides = (edge, edge * height // width) if width <= height else (edge * width // height, edge)
                resized = image.convert("RGB").resize(sides, Image.Resampling.BICUBIC)
            left, top = (sides[0] - given.size) // 2, (sides[1] - given.size) // 2
            pixels = np.asarray(resized.crop((left, top, left + given.size, top + given.size)), np.float32)
            return ((pixels / 255 - given.mean) / given.std).transpose(2, 0, 1)

        def features(some: list[Path]) -> np.ndarray:
            batch = np.stack([prepared(path) for path in some]).astype(np.float32)
            return session.run([given.output], {name: batch})[0].astype(np.float16)

        features(paths[: given.batch])
        starts = range(0, len(paths), given.batch)
        say(
            stream,
            **timed(lambda: np.concatenate([features(paths[at : at + given.batch]) for at in starts])),
        )


if __name__ == "__main__":
    main()
