"""Small real images and folders of them, made on the spot."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.images import ImageItem, image_list, packed_strings


@pytest.fixture
def encode() -> Callable[..., bytes]:
    """Encodes pixels or a Pillow image in a format."""

    def encode(image: np.ndarray | Image.Image, kind: str = "PNG", **options: object) -> bytes:
        if isinstance(image, np.ndarray):
            image = Image.fromarray(image)
        file = io.BytesIO()
        image.save(file, kind, **options)
        return file.getvalue()

    return encode


@pytest.fixture
def photo() -> np.ndarray:
    """Colourful uint8 (60, 80, 3) pixels with soft and hard edges, different in every corner."""
    y, x = np.mgrid[:60, :80]
    red = x * 3
    green = np.where((x // 16 + y // 15) % 2, 220, 30)
    blue = y * 4
    return np.stack([red, green, blue], axis=-1).astype(np.uint8)


@pytest.fixture
def make_images(encode: Callable[..., bytes]) -> Callable[..., Path]:
    """Writes a small distinct image at each path below a root."""

    def make(root: Path, *paths: str) -> Path:
        for path in paths:
            file = root / path
            file.parent.mkdir(parents=True, exist_ok=True)
            seed = np.frombuffer(path.encode(errors="surrogateescape").ljust(8, b"."), np.uint8).tolist()
            pixels = np.random.default_rng(seed).integers(0, 256, (6, 5, 3), np.uint8)
            file.write_bytes(encode(pixels))
        return root

    return make


class Memory:
    """An image source over a dictionary of arrays, or of exceptions to raise."""

    uri = "memory:"
    name = "memory"
    classes = ("a", "b")
    notes = ()

    def __init__(self, items: list[ImageItem], contents: dict[str, object]) -> None:
        self._items = items
        self._contents = contents

    def items(self) -> list[ImageItem]:
        return self._items

    def read(self, item: ImageItem) -> bytes | np.ndarray:
        content = self._contents[item.id]
        if isinstance(content, Exception):
            raise content
        return content


@pytest.fixture
def memory() -> type[Memory]:
    return Memory


@pytest.fixture
def small_shards(monkeypatch: pytest.MonkeyPatch) -> None:
    """Cuts lists of images and texts into many shards."""
    for module in (packed_strings, image_list):
        monkeypatch.setattr(module, "SHARD", 7)
