"""The same images and seed give the same rows, scores and figures, whatever the place, order and threads.

Within one table the order of the rows is the user's: there the scores agree to a tolerance, because sums are
rounded in another order.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from counting_engine import BACKBONE
from photos import Photos, noise
from PIL import Image

import pipeline.heads
from pipeline import registry
from pipeline.cache import open_features
from pipeline.evaluation import evaluate
from pipeline.extraction import Extraction, FeatureRequest, extract
from pipeline.heads import train_head

PIXELS = ["ann", "cnn", "cnn-cifar"]
QUICK = ["logreg", "random-forest", "dense"]
REORDERED = 1e-4
"""Largest difference of a probability after the rows of a table were shuffled, for heads without chance."""


@dataclass
class Outcome:
    """What came out of both stages.

    Attributes:
        rows: Per split and id: label, digest, checksum and features.
        scores: Probabilities of the test rows by id.
        figures: All that ``evaluate --json`` prints but the folder.
    """

    rows: dict[tuple[str, str], tuple[int, bytes, int, bytes]]
    scores: dict[str, np.ndarray]
    figures: dict[str, Any]

    def difference(self, other: Outcome) -> float:
        """Largest difference of any probability."""
        assert self.scores.keys() == other.scores.keys()
        return max(float(np.abs(row - other.scores[name]).max()) for name, row in self.scores.items())


@contextmanager
def machine(
    monkeypatch: pytest.MonkeyPatch, folder: Path, *, threads: int, backwards: bool
) -> Iterator[None]:
    """Works in a folder, on so many cores, with a file system that lists names in another order."""
    scandir = os.scandir

    class Backwards:
        def __init__(self, *where: Any) -> None:
            self._entries = scandir(*where)

        def __enter__(self) -> Iterator[os.DirEntry]:
            return iter(sorted(self._entries, key=lambda entry: entry.name, reverse=True))

        def __exit__(self, *_: object) -> None:
            self._entries.close()

        def __iter__(self) -> Iterator[os.DirEntry]:
            return self.__enter__()

    folder.mkdir(parents=True, exist_ok=True)
    with monkeypatch.context() as patch:
        patch.chdir(folder)
        patch.setattr(os, "sched_getaffinity", lambda _: set(range(threads)), raising=False)
        if backwards:
            patch.setattr(os, "scandir", Backwards)
        yield


def both_stages(data: str, head: str, **request: Any) -> Outcome:
    """Extracts, trains and evaluates in the current folder."""
    wanted = FeatureRequest(**({"batch_size": 4} | BACKBONE | request))
    (extraction,) = extract(data, wanted, cache=Path("features"))
    train, val, test = (open_features(extraction.entry, split) for split in ("train", "val", "test"))
    trained = train_head(head, train, val, seed=3, runs=Path("runs"))
    report = evaluate(trained, test)
    figures = report.to_json()
    del figures["run"]
    return Outcome(_rows(extraction), dict(zip(report.rows.ids, report.probabilities, strict=True)), figures)


def _rows(extraction: Extraction) -> dict[tuple[str, str], tuple[int, bytes, int, bytes]]:
    found = {}
    for split in extraction.entry.splits:
        features = open_features(extraction.entry, split)
        values = zip(
            features.labels.tolist(), features.rows.digests, features.crc32.tolist(), features.to_memory(),
            strict=True,
        )  # fmt: skip
        for name, (label, digest, crc, row) in zip(features.rows.ids, values, strict=True):
            found[split, name] = label, digest.tobytes(), crc, row.tobytes()
    return found


@pytest.fixture
def bright_photos(photos: Photos) -> Photos:
    """Two classes that can be told apart, though not always."""
    for split, count in (("train", 24), ("val", 8), ("test", 10)):
        for label, name in enumerate(("cats", "dogs")):
            for path in photos.add(f"{split}/{name}", count):
                pixels = noise(photos.made + int(path.stem), 32) // 2 + 12 * label
                Image.fromarray(pixels.astype(np.uint8)).save(path)
    return photos


@pytest.fixture
def elsewhere(bright_photos: Photos, tmp_path: Path) -> Path:
    """The same files in another folder, written in the opposite order."""
    root = tmp_path / "elsewhere" / "photos"
    for path in sorted(bright_photos.root.glob("*/*/*"), reverse=True):
        target = root / path.relative_to(bright_photos.root)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, target)
    return root


@pytest.mark.parametrize(
    "head",
    [
        pytest.param(name, marks=[] if name in QUICK else pytest.mark.torture)
        for name in registry.names(pipeline.heads)
        if name != "finetune"  # it needs the rest of a real base
    ],
)
def test_place_order_and_threads_change_nothing(
    head: str,
    bright_photos: Photos,
    elsewhere: Path,
    tmp_path: Path,
    engine: object,
    monkeypatch: pytest.MonkeyPatch,
    tell: Callable[[str], None],
) -> None:
    request = {"backbone": "pixels", "image_size": 48} if head in PIXELS else {}
    with machine(monkeypatch, tmp_path / "one", threads=1, backwards=False):
        first = both_stages(str(bright_photos.root), head, **request)
    with machine(monkeypatch, tmp_path / "two", threads=4, backwards=True):
        second = both_stages(f"../{elsewhere.relative_to(tmp_path)}", head, **request)
    assert second.rows == first.rows
    assert second.difference(first) == 0
    assert second.figures == first.figures
    tell(f"{len(first.rows)} rows and {len(first.scores)} scores equal bit for bit")


@pytest.mark.parametrize("head", ["logreg", "ridge", "lda", "prototype", "knn"])
def test_the_order_of_a_table(
    head: str,
    bright_photos: Photos,
    tmp_path: Path,
    engine: object,
    monkeypatch: pytest.MonkeyPatch,
    tell: Callable[[str], None],
) -> None:
    files = [path.relative_to(bright_photos.root) for path in sorted(bright_photos.root.glob("*/*/*"))]
    lines = [f"{path},{path.parts[1]},{path.parts[0]}" for path in files]
    outcomes = []
    for order in (lines, [lines[i] for i in np.random.default_rng(1).permutation(len(lines))]):
        table = bright_photos.root / "table.csv"
        table.write_text("\n".join(["path,label,split", *order]))
        with machine(monkeypatch, tmp_path / str(len(outcomes)), threads=2, backwards=False):
            outcomes.append(both_stages(str(table), head))
    first, second = outcomes
    assert second.rows == first.rows
    assert second.difference(first) <= REORDERED
    assert second.figures["accuracy"] == first.figures["accuracy"]
    tell(f"scores differ by {second.difference(first):.1e} at most")


@pytest.mark.torture
@pytest.mark.parametrize("precision", ["float32", "bfloat16"])
def test_a_real_base(
    precision: str, shared: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, tell: Callable[[str], None]
) -> None:
    """Real photographs and filters: equal for equal batches, close for others."""
    data, photos = shared / "data" / "cats_and_dogs_small", tmp_path / "photos"
    for split, count in (("train", 20), ("validation", 10), ("test", 10)):
        for folder in sorted((data / split).iterdir()):
            for path in sorted(folder.iterdir())[:count]:
                target = photos / split / folder.name / path.name
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(path, target)
    weights = shared / "weights" / "mobilenet_v2_1.0_224_no_top.weights.h5"
    request = {"backbone": "mobilenet_v2", "image_size": 96, "weights": str(weights), "pooling": "avg"}
    outcomes = []
    for number, (threads, batch_size) in enumerate([(1, 8), (4, 8), (4, 32)]):
        with machine(monkeypatch, tmp_path / str(number), threads=threads, backwards=number == 1):
            outcomes.append(
                both_stages(str(photos), "logreg", batch_size=batch_size, precision=precision, **request)
            )
    first, second, third = outcomes
    assert second.rows == first.rows
    assert second.difference(first) == 0
    assert second.figures == first.figures
    apart = max(
        float(np.abs(np.frombuffer(a[3], "<f2").astype(float) - np.frombuffer(b[3], "<f2")).max())
        for a, b in zip(first.rows.values(), third.rows.values(), strict=True)
    )
    assert third.figures["accuracy"] == first.figures["accuracy"]
    tell(
        f"threads and order: 0; batches of 8 and 32: features differ by {apart:.1e} at most, "
        f"probabilities by {third.difference(first):.1e}"
    )
