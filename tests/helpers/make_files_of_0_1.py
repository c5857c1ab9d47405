"""Makes what ``tests/data/files_of_0_1.zip`` holds: images, a cache, heads and reports of version 0.1.

``git worktree add --detach OLD e8312b7``, then in OLD, with its package installed,
``python .../tests/helpers/make_files_of_0_1.py .../tests/data/files_of_0_1.zip``. The archive holds what the
commands of that version wrote, and ``expected.json`` with what its library read back and its commands said.
"""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

PIXELS = ["--data", "photos", "--backbone", "pixels", "--image-size", "8"]
"""A base of no filters, in two files a split."""

FILTERS = [
    "--data",
    "photos",
    "--backbone",
    "mobilenet_v2_035",
    "--image-size",
    "32",
    "--weights",
    "random:0",
]
FILTERS += ["--layer", "block_1_expand_relu:avg", "--precision", "float32"]
"""A real base with filters drawn at random, and augmented views."""

OF_MOVED_TYPES = ("ridge", "random-forest", "svm-rbf")
"""Heads that are saved as types of this package, whose modules have moved since."""

COMMANDS: dict[str, list[str]] = {
    "extract pixels": ["extract", *PIXELS, "--rows-per-file", "8"],
    "extract filters": ["extract", *FILTERS, "--views", "1", "--augment", "rotation=20"],
    "train logreg": ["train-head", *PIXELS, "--head", "logreg"],
    "evaluate logreg": ["evaluate", *PIXELS, "--head", "logreg", "--no-page"],
    "predict logreg": ["predict", "new", *PIXELS, "--head", "logreg"],
    "train dense": ["train-head", *FILTERS, "--head", "dense", "--set", "units=4", "--set", "epochs=3"],
    "evaluate dense": ["evaluate", *FILTERS, "--head", "dense", "--no-page", "--calibrate"],
    "sweep knn": ["sweep", *PIXELS, "--head", "knn", "--grid", "k=1,3"],
    "evaluate knn": ["evaluate", *PIXELS, "--head", "knn", "--no-page"],
    **{
        f"{verb} {name}": [command, *PIXELS, "--head", name, *more]
        for name in OF_MOVED_TYPES
        for verb, command, more in (("train", "train-head", []), ("evaluate", "evaluate", ["--no-page"]))
    },
    "compare all": ["evaluate", *PIXELS, "--head", "all", "--no-page"],
}
"""What is run, in this order; each prints JSON."""


def make_photos(folder: Path) -> None:
    """Writes tiny pictures of two classes that overlap, and two new ones."""
    random = np.random.default_rng(0)
    places = [
        (f"photos/{split}/{name}/{number}.png", level)
        for split, count in (("train", 8), ("val", 5), ("test", 5))
        for name, level in (("dark", 110), ("light", 140))
        for number in range(count)
    ]
    for place, level in [*places, ("new/dark.png", 100), ("new/light.png", 150)]:
        base = random.normal(level, 25)
        pixels = np.clip(random.normal(base, 30, (12, 12, 3)), 0, 255).astype(np.uint8)
        path = folder / place
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(path)


def run(name: str, folder: Path) -> Any:
    """Runs one of ``COMMANDS`` with the package of this interpreter and returns its JSON."""
    command = [sys.executable, "-m", "pipeline", *COMMANDS[name], "--json"]
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert result.returncode == 0, f"{name}: {result.stderr}"
    return json.loads(result.stdout)


def read_back(folder: Path) -> dict[str, Any]:
    """Reads every split of every entry: the names, the labels, and the SHA-256 of the features."""
    from pipeline import find_entries, open_features

    found = {}
    for entry in find_entries(folder / "features_cache"):
        for split in entry.splits:
            features = open_features(entry, split)
            found[f"{entry.spec.backbone} {split}"] = {
                "ids": list(features.rows.ids),
                "labels": features.rows.labels.tolist(),
                "views": features.rows.views.tolist(),
                "shape": list(features.features.shape),
                "sha256": hashlib.sha256(features.to_memory().tobytes()).hexdigest(),
            }
    return found


def is_plot(path: Path) -> bool:
    """Tells whether a file is a picture of a report, which nothing reads."""
    return "runs" in path.parts and path.suffix == ".png"


def main(archive: Path) -> None:
    """Makes everything in a temporary folder and packs it."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        make_photos(folder)
        said = {name: run(name, folder) for name in COMMANDS}
        expected = {"said": said, "features": read_back(folder)}
        text = json.dumps(expected, indent=1).replace(f"{folder}{os.sep}", "")
        (folder / "expected.json").write_text(text)
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_LZMA) as packed:
            for path in sorted(one for one in folder.rglob("*") if one.is_file() and not is_plot(one)):
                packed.write(path, path.relative_to(folder))
                print(f"{path.stat().st_size:>9,}", path.relative_to(folder))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
