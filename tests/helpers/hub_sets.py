"""Small data sets as Hugging Face's library writes them, without a network."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import datasets
import huggingface_hub
import numpy as np
import pytest
from PIL import Image

CLASSES = ("dog", "cat")
FEATURES = datasets.Features({"image": datasets.Image(), "label": datasets.ClassLabel(names=list(CLASSES))})


def encoded(seed: int) -> bytes:
    """Encodes a small picture of its own for each seed."""
    file = io.BytesIO()
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, (6, 5, 3), np.uint8)).save(file, "PNG")
    return file.getvalue()


def rows(count: int, seed: int = 0) -> Any:
    """Makes so many rows, of both classes in turn."""
    images = [{"bytes": encoded(seed + i), "path": f"{i}.png"} for i in range(count)]
    return datasets.Dataset.from_dict(
        {"image": images, "label": [i % 2 for i in range(count)]}, features=FEATURES
    )


def pets(**splits: int) -> Any:
    """Makes a data set with so many rows in each split."""
    return datasets.DatasetDict(
        {name: rows(count, 1000 * place) for place, (name, count) in enumerate(splits.items())}
    )


def saved(folder: Path, data: Any, **options: Any) -> Path:
    """Saves a data set as the library does."""
    data.save_to_disk(str(folder), **options)
    return folder


def as_parquet(folder: Path, data: Any) -> Path:
    """Writes a data set as its repository on the hub has it."""
    (folder / "data").mkdir(parents=True)
    for name, split in data.items():
        split.to_parquet(str(folder / "data" / f"{name}-00000-of-00001.parquet"))
    return folder


def stay_here(monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Has the library ask no network, and keep what it makes in a folder."""
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", folder / "hf-cache")
    monkeypatch.setattr(datasets.config, "HF_HUB_OFFLINE", True)
    monkeypatch.setattr(huggingface_hub.constants, "HF_HUB_OFFLINE", True)
