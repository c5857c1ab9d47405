"""What docs/serving.md shows runs as it stands."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from photos import Photos

from pipeline.cache import open_features
from pipeline.extraction import FeatureRequest, extract
from pipeline.heads import train_head

DOCUMENT = Path(__file__).resolve().parents[2] / "docs/serving.md"


def test_the_python_example_runs(
    photos: Photos, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("train/cats", "train/dogs"):
        photos.add(name, 3)
    monkeypatch.chdir(photos.root.parent)
    pixels = FeatureRequest(backbone="pixels", image_size=8)
    (extraction,) = extract("photos", pixels, cache=Path("features_cache"))
    train_head("logreg", open_features(extraction.entry, "train"), None, runs=Path("runs"))
    photos.root.rename("inbox")
    found = re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    (example,) = [one for one in found if "from pipeline" in one]
    exec(example, {})  # noqa: S102 - our own document
    printed = capsys.readouterr().out
    assert printed.startswith("['inbox/train/cats/0000.png'")
    assert "('cats', 'dogs') [[" in printed
