"""Folders of tiny photographs, made by the tests."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image


def noise(seed: int, side: int = 32) -> np.ndarray:
    """Returns pixels that no other seed has, uint8 (side, side, 3)."""
    return np.random.default_rng(seed).integers(0, 256, (side, side, 3), dtype=np.uint8)


@dataclass
class Photos:
    """A folder ``root/<split>/<class>/<number>.png`` in which no two pictures are alike.

    Attributes:
        root: The folder.
        made: Pictures made so far.
    """

    root: Path
    made: int = 0

    def add(self, folder: str, count: int = 1) -> list[Path]:
        """Makes pictures in a folder, given relative to the root, and returns their files."""
        return [self.write(f"{folder}/{self.made:04d}.png") for _ in range(count)]

    def write(self, name: str) -> Path:
        """Makes, or replaces, one picture."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(noise(self.made)).save(path)
        self.made += 1
        return path

    def spoil(self, path: Path) -> bytes:
        """Cuts a picture in half and returns what it was."""
        whole = path.read_bytes()
        path.write_bytes(whole[: len(whole) // 2])
        return whole

    def files(self, split: str) -> list[Path]:
        """Lists the pictures of a split in the order of its rows."""
        return sorted(self.root.glob(f"{split}/*/*"), key=lambda path: os.fsencode(path))


def scene(seed: int, width: int = 240, height: int = 180) -> Image.Image:
    """Makes a picture of soft light and grain: as with a photograph, encoders hardly change what it shows."""
    random = np.random.default_rng(seed)
    light = Image.fromarray(random.integers(0, 256, (12, 16, 3), np.uint8))
    pixels = np.asarray(light.resize((width, height), Image.Resampling.BICUBIC))
    grain = random.normal(0, 4, (height, width, 1))
    return Image.fromarray(np.clip(pixels + grain, 0, 255).astype(np.uint8))
