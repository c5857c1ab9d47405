"""Stage one with a part taken out: without its base, or without its disk."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

import numpy as np
from _serving import answers, say

from pipeline.extraction import FeatureRequest, extract
from pipeline.extraction.engines import keras as keras_engine


class NullEngine:
    """An engine that computes nothing.

    Attributes:
        feature_shapes: Shape of one row of the only cut.
        bytes_per_image: Memory that one more image in a batch takes.
        ahead: Batches under way while another is fetched.
    """

    ahead = 1

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.feature_shapes = [shape]
        self.bytes_per_image = 1

    def submit(self, images: np.ndarray) -> int:
        """Returns the size of a batch."""
        return len(images)

    def fetch(self, pending: int) -> list[np.ndarray]:
        """Returns float16 zeros, (n, *feature shape)."""
        return [np.zeros((pending, *self.feature_shapes[0]), np.float16)]


def main() -> None:
    """Runs ``extract`` once and says what it reports."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("part", choices=("base", "disk"))
    parser.add_argument("images")
    parser.add_argument("cache", type=Path)
    parser.add_argument("--backbone", required=True)
    parser.add_argument("--weights", required=True)
    parser.add_argument("--size", type=int, required=True)
    parser.add_argument("--batch", type=int, required=True)
    parser.add_argument("--precision", required=True)
    parser.add_argument("--shape", type=int, nargs="+", help="of one row of features")
    given = parser.parse_args()
    with answers() as stream:
        if given.part == "base":
            keras_engine.load = lambda *_: NullEngine(tuple(given.shape))
        else:
            discard_writes()
        request = FeatureRequest(
            backbone=given.backbone,
            weights=given.weights,
            image_size=given.size,
            batch_size=given.batch,
            precision=given.precision,
            engine="keras",
        )
        (report,) = extract(given.images, request, cache=given.cache)
        say(stream, **report.to_json())


def discard_writes() -> None:
    """Makes ``pwrite`` and ``fdatasync`` do nothing: checksums are still computed, no byte leaves."""

    def pwrite(fd: int, data: Any, offset: int) -> int:
        return memoryview(data).nbytes

    os.pwrite = pwrite
    os.fdatasync = os.fsync = lambda fd: None


if __name__ == "__main__":
    main()
