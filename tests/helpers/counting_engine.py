"""A frozen base made of nothing but pixels: what it returns can be worked out by hand, and it counts."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.backbones.weights import Weights
from pipeline.extraction.engines import keras as engine_module
from pipeline.extraction.request import FeatureRequest

SIDE = 32
FEATURE_SHAPE = (3, 4, 3)
BACKBONE = {"backbone": "vgg16", "weights": "random", "image_size": SIDE, "engine": "keras"}
"""A request for the engine that this one stands in for; nothing of Keras is imported for it."""


def features_of(images: np.ndarray, layer: str) -> np.ndarray:
    """Returns the "features" of uint8 (n, SIDE, SIDE, 3) at ``block1_...`` to ``block5_...``."""
    top = int(layer.removeprefix("block")[0])
    return images[:, top : top + FEATURE_SHAPE[0], : FEATURE_SHAPE[1]]


def expected_row(path: Path, layer: str = "block5_pool") -> np.ndarray:
    """Works out an image's feature row from its file alone, uint8 (3, 4, 3)."""
    with Image.open(path) as image:
        return features_of(np.asarray(image.convert("RGB"))[None], layer)[0]


class CountingEngine:
    """Takes the place of the Keras engine and keeps account of what passes through.

    Attributes:
        loads: How often a base was loaded.
        seen: How often each image was computed, by its pixels; padding and failed images are not counted.
        batches: Images in each forward pass, padding not counted.
        replace: Feature rows that are given a value of their own, by the pixels of the image.
    """

    def __init__(self) -> None:
        self.loads = 0
        self.seen: Counter[bytes] = Counter()
        self.batches: list[int] = []
        self.bytes_per_image = SIDE * SIDE * 3
        self.ahead = 1
        self.replace: dict[bytes, float] = {}
        self._two_at_a_time = threading.BoundedSemaphore(2)

    def install(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Makes the stage load this engine."""
        monkeypatch.setattr(engine_module, "load", self.load)
        monkeypatch.setattr(engine_module, "precisions", lambda: ["float32"])

    def load(self, request: FeatureRequest, weights: Weights) -> CountingEngine:
        """Stands in for ``pipeline.extraction.engines.keras.load``."""
        self.loads += 1
        self._two_at_a_time = threading.BoundedSemaphore(2)  # a run that failed may have left a batch ahead
        self.layers = [cut.layer for cut in request.cuts]
        self.side = request.image_size
        self.store = request.store
        self.feature_shapes = [FEATURE_SHAPE for _ in request.cuts]
        return self

    def submit(self, images: np.ndarray) -> np.ndarray:
        """Counts a batch."""
        assert images.shape[1:] == (self.side, self.side, 3)
        assert images.dtype == np.uint8
        assert self._two_at_a_time.acquire(blocking=False), "more than one batch ahead"
        real = [image.tobytes() for image in images if image.any()]
        self.seen.update(real)
        self.batches.append(len(real))
        return images

    def fetch(self, pending: np.ndarray) -> Sequence[np.ndarray]:
        """Returns the rows of each cut in the stored dtype."""
        self._two_at_a_time.release()
        outputs = []
        for layer in self.layers:
            rows = features_of(pending, layer).astype(self.store)
            for row, image in zip(rows, pending, strict=True):
                if image.tobytes() in self.replace:
                    row[0, 0, 0] = self.replace[image.tobytes()]
            outputs.append(rows)
        return outputs

    @property
    def computed(self) -> int:
        """Images that went through since the last ``forget``."""
        return self.seen.total()

    def forget(self) -> None:
        """Starts counting anew."""
        self.loads = 0
        self.seen.clear()
        self.batches.clear()
