"""What docs/serving.md shows runs as it stands."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

from photos import Photos
from running_server import run_pipeline

DOCUMENT = Path(__file__).resolve().parents[2] / "docs/serving.md"


def test_the_python_example_runs(photos: Photos) -> None:
    folder = photos.root.parent
    for name in ("train/cats", "train/dogs", "val/cats", "val/dogs"):
        photos.add(name, 3)
    run_pipeline("extract", "--data", "photos", "--backbone", "pixels", "--image-size", 8, folder=folder)
    run_pipeline("train-head", "--data", "photos", folder=folder)
    photos.root.rename(folder / "inbox")
    (example,) = re.findall(r"```python\n(.*?)```", DOCUMENT.read_text(), re.DOTALL)
    ended = subprocess.run(
        [sys.executable, "-c", example], cwd=folder, capture_output=True, text=True, check=True
    )
    assert ended.stdout.startswith("['inbox/train/cats/0000.png'")
    assert "('cats', 'dogs') [[" in ended.stdout
