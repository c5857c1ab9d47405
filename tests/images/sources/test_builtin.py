from __future__ import annotations

import hashlib

import numpy as np
import pytest
from sklearn.datasets import load_digits

from pipeline.errors import UsageError
from pipeline.images import open_images
from pipeline.images.manifest import scan
from pipeline.images.source import targets_of
from pipeline.images.sources._digit_pictures import UPRIGHT
from pipeline.images.sources.builtin import SETS
from pipeline.images.targets import LABELS, NUMBER

SIZES = {"digits": 1797, "digit-pairs": 898, "turned-digits": 1445}
PIXELS = {"digits": (8, 8), "digit-pairs": (8, 16), "turned-digits": (12, 12)}
PRINTS = {
    "digits": "7c2c13ed9d945d0d1c8412b1e1874f73898d74c9ff0904ff864de306a87de30f",
    "digit-pairs": "3dc2bb5607e1b3a12c7a09bdd1a24610a71abc30bb82bd9f11306a14c6cccbc5",
    "turned-digits": "e7bf3ead4e07750e1a954554bdb57d77c984486a3600bc8cfa5ccbbb4e490f8c",
}
"""SHA-256 of all splits with their pixels and labels: figures in pages are those of these very pictures."""


def test_the_digits_are_the_default_data_set():
    source = open_images("builtin:digits")
    assert (source.uri, source.name) == ("builtin:digits", "digits")
    assert source.classes == tuple("0123456789")
    assert len(source.items()) == 1797
    assert source.items()[17].id == "array[17]"
    pixels = np.stack([source.read(item) for item in source.items()])
    assert pixels.dtype == np.uint8
    assert pixels.shape == (1797, 8, 8)
    assert (pixels.min(), pixels.max()) == (0, 255)
    manifest = scan(source)
    shares = {split: len(rows) / 1797 for split, rows in manifest.splits.items()}
    assert shares == pytest.approx({"train": 0.70, "val": 0.15, "test": 0.15}, abs=0.03)


def test_other_built_in_names_list_what_there_is():
    with pytest.raises(UsageError, match=r"unknown built-in data set 'digit' \(did you mean 'digits'\?\)"):
        open_images("builtin:digit")


def pixels_of(name: str) -> np.ndarray:
    source = open_images(f"builtin:{name}")
    return np.stack([source.read(item) for item in source.items()])


def truth_of(name: str) -> np.ndarray:
    source = open_images(f"builtin:{name}")
    table = targets_of(source)
    assert table is not None
    return table.of(np.array([item.label for item in source.items()]))


@pytest.mark.parametrize("name", SETS)
def test_each_set_is_the_same_wherever_and_whenever_it_is_made(name):
    source, found = open_images(f"builtin:{name}"), hashlib.sha256()
    pixels = pixels_of(name)
    assert (len(pixels), pixels.shape[1:], pixels.dtype) == (SIZES[name], PIXELS[name], np.uint8)
    for item in source.items():
        found.update(f"{item.id} {item.split} {item.label}".encode())
    found.update(pixels.tobytes())
    assert found.hexdigest() == PRINTS[name]


def test_pairs_are_marked_with_both_their_digits_and_share_no_scan():
    digits, pixels, marks = load_digits(), pixels_of("digit-pairs"), truth_of("digit-pairs")
    source = open_images("builtin:digit-pairs")
    table = targets_of(source)
    assert table is not None
    assert (table.kind, source.classes) == (LABELS, tuple("0123456789"))
    known = {
        np.rint(scan * (255 / 16)).astype(np.uint8).tobytes(): (place, digit)
        for place, (scan, digit) in enumerate(zip(digits.images, digits.target.tolist(), strict=True))
    }
    halves = [known[half.tobytes()] for pair in pixels for half in (pair[:, :8], pair[:, 8:])]
    assert len({place for place, _ in halves}) == 2 * len(pixels), "each scan is in one picture alone"
    for row, left, right in zip(marks, halves[::2], halves[1::2], strict=True):
        assert set(np.flatnonzero(row).tolist()) == {left[1], right[1]}


def test_turned_digits_tell_their_angle():
    angles, pixels = truth_of("turned-digits")[:, 0], pixels_of("turned-digits")
    table = targets_of(open_images("builtin:turned-digits"))
    assert table is not None
    assert (table.kind, table.names) == (NUMBER, ("angle",))
    assert len(angles) == np.isin(load_digits().target, UPRIGHT).sum()
    assert np.abs(angles).max() <= 45
    assert np.histogram(angles, bins=9)[0].min() > 100, "all angles are about as frequent"
    upper, lower = (pixels[:, half].astype(float) for half in (slice(0, 6), slice(6, 12)))
    columns = np.arange(12)
    lean = [(part.sum(axis=1) @ columns) / part.sum(axis=(1, 2)) for part in (upper, lower)]
    # Turned counter-clockwise, a digit has its upper half further to the left.
    assert np.corrcoef(lean[0] - lean[1], angles)[0, 1] < -0.6


@pytest.mark.parametrize("name", ["digit-pairs", "turned-digits"])
def test_the_splits_that_are_stated_are_kept(name):
    manifest = scan(open_images(f"builtin:{name}"))
    shares = {split: len(rows) / SIZES[name] for split, rows in manifest.splits.items()}
    assert shares == pytest.approx({"train": 0.6, "val": 0.2, "test": 0.2}, abs=0.01)
    assert not manifest.notes
