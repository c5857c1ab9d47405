"""Two digits side by side, drawn by chance: pictures that have several labels, and a number."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.datasets import load_digits

NAMES = ("zero", "one", "two", "three")
"""What the digits are called that are drawn from."""


def draw_pairs(folder: Path, rows: int) -> Iterator[tuple[int, list[int], float]]:
    """Writes ``0.png`` on, and yields the number of each picture, its digits, ascending, and their sum."""
    digits, random = load_digits(n_class=len(NAMES)), np.random.default_rng(0)
    for number in range(rows):
        chosen = random.integers(0, len(digits.images), 2)
        picture = np.concatenate(list(digits.images[chosen]), axis=1) * 15
        Image.fromarray(picture.astype(np.uint8)).save(folder / f"{number}.png")
        yield number, sorted({*digits.target[chosen].tolist()}), float(digits.target[chosen].sum())
