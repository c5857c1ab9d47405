"""What has changed in a source since stage one is counted, and the command that is named takes it in."""

from __future__ import annotations

import csv
import os
import shlex
import shutil
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from photos import Photos, noise

from pipeline.cache.features import Selection
from pipeline.cli import main
from pipeline.extraction import FeatureRequest, extract, staleness
from pipeline.extraction.augment import Augmentation
from pipeline.extraction.staleness import Staleness, compare_with_source

PIXELS = FeatureRequest(backbone="pixels", image_size=8)
LONG_AGO = (1_700_000_000, 1_700_000_000)


@pytest.fixture
def photos(photos: Photos) -> Photos:
    for split, count in (("train", 6), ("val", 3), ("test", 4)):
        photos.add(f"{split}/cats", count)
        photos.add(f"{split}/dogs", count)
    return photos


@pytest.fixture
def taken_in(cache: Path) -> Callable[..., Selection]:
    """Runs stage one on a source, by default on raw pixels."""

    def run(data: object, request: FeatureRequest = PIXELS, **options: Any) -> Selection:
        extractions = extract(str(data), request, cache=cache, **options)
        return Selection(tuple(one.entry for one in extractions))

    return run


def compared(chosen: Selection) -> Staleness:
    """Compares with a selection that has nothing open."""
    return compare_with_source(Selection(chosen.entries))


def counts(found: Staleness) -> dict[str, int]:
    """The counts that are not 0."""
    told = found.to_json() or {}
    return {name: value for name, value in told.items() if isinstance(value, int) and value}


def take_in(found: Staleness) -> None:
    """Runs the command that is named."""
    program, *words = shlex.split(found.command)
    assert program == "pipeline"
    result = CliRunner().invoke(main, words)
    assert result.exit_code == 0, result.stderr


def rename_class(photos: Photos) -> None:
    for split in ("train", "val", "test"):
        (photos.root / split / "cats").rename(photos.root / split / "kittens")


CHANGES: dict[str, tuple[Callable[[Photos], Any], dict[str, int]]] = {
    "added": (lambda photos: photos.add("train/cats", 2), {"added": 2}),
    "removed": (lambda photos: photos.files("test")[0].unlink(), {"removed": 1}),
    "content": (lambda photos: photos.write("val/cats/0012.png"), {"content": 1}),
    "moved": (
        lambda photos: photos.files("train")[0].rename(photos.root / "test/cats/new.png"),
        {"added": 1, "removed": 1},
    ),
    "class": (rename_class, {"added": 13, "removed": 13}),
    "split gone": (lambda photos: shutil.rmtree(photos.root / "val"), {"removed": 6, "splits": 2}),
}


@pytest.mark.parametrize("change", CHANGES)
def test_changes_of_a_folder_are_counted_and_taken_in(
    change: str, photos: Photos, taken_in: Callable[..., Selection]
) -> None:
    chosen = taken_in(photos.root)
    assert compared(chosen).to_json() is None
    assert str(compared(chosen)) == ""

    make, expected = CHANGES[change]
    make(photos)
    found = compared(chosen)
    assert counts(found) == expected
    assert str(found).startswith(f"WARNING: {photos.root} has changed since these features were made: ")
    assert str(found).endswith(f". Run `{found.command}` to take that in")
    assert "\n" not in str(found)

    take_in(found)
    assert compared(chosen).to_json() is None


def test_classes_are_named(photos: Photos, taken_in: Callable[..., Selection]) -> None:
    chosen = taken_in(photos.root)
    rename_class(photos)
    found = compared(chosen)
    assert (found.to_json() or {})["classes"] == {"added": ["kittens"], "removed": ["cats"]}
    assert "13 images added, 13 images removed, class 'kittens' new, class 'cats' gone. Run" in str(found)


@pytest.fixture
def table(tmp_path: Path, photos: Photos) -> Callable[..., Path]:
    """Writes a table of the photographs in which some rows say something else."""

    def write(**others: dict[str, str]) -> Path:
        path = tmp_path / "table.csv"
        with open(path, "w", newline="") as file:
            writer = csv.DictWriter(file, ("path", "label", "split"))
            writer.writeheader()
            for image in sorted(photos.root.rglob("*.png")):
                split, label, name = image.relative_to(photos.root).parts
                row = {"path": str(image), "label": label, "split": split}
                writer.writerow(row | others.get(f"n{name[:4]}", {}))
        return path

    return write


def test_labels_and_splits_of_a_table(
    table: Callable[..., Path], taken_in: Callable[..., Selection], photos: Photos
) -> None:
    chosen = taken_in(table())
    assert compared(chosen).to_json() is None
    table(n0000={"label": "dogs"}, n0001={"label": ""}, n0002={"split": "test"}, n0003={"label": "wolves"})
    found = compared(chosen)
    assert counts(found) == {"labels": 3, "splits": 1}
    assert found.classes_added == ("wolves",)
    take_in(found)
    assert compared(chosen).to_json() is None

    photos.files("train")[0].unlink()
    assert counts(compared(chosen)) == {"unreadable": 1}


def test_splits_that_the_source_does_not_state(photos: Photos, taken_in: Callable[..., Selection]) -> None:
    """An added image moves no other; the split of each follows from contents that are not read again."""
    for split in ("val", "test"):
        shutil.rmtree(photos.root / split)
    (photos.root / "train").rename(photos.root.parent / "flat")
    photos.root = photos.root.parent / "flat"
    photos.add("cats", 20)
    chosen = taken_in(photos.root)
    assert compared(chosen).to_json() is None
    photos.add("dogs", 3)
    assert counts(compared(chosen)) == {"added": 3}


def test_files_that_are_known_are_not_read(
    photos: Photos,
    taken_in: Callable[..., Selection],
    trusted_disk: None,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for path in photos.root.rglob("*.png"):
        os.utime(path, LONG_AGO)
    time.sleep(0.03)  # a tick of the kernel's clock
    chosen = taken_in(photos.root)
    asked: list[int] = []
    read = staleness.digest_items
    monkeypatch.setattr(
        staleness, "digest_items", lambda source, items: asked.append(len(items)) or read(source, items)
    )
    assert compared(chosen).to_json() is None
    assert asked == [0]
    for path in photos.files("val"):
        path.touch()
    assert compared(chosen).to_json() is None  # touched, and the same
    assert asked == [0, 6]


def test_of_many_unknown_files_some_are_read(
    photos: Photos, taken_in: Callable[..., Selection], monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = taken_in(photos.root)  # too fresh to be known
    monkeypatch.setattr(staleness, "READ_AT_MOST", 10)
    found = compared(chosen)
    assert found.to_json() == {"not_compared": "the content of 16 images was not looked at"}
    assert str(found).startswith("note: ")
    for path in photos.root.rglob("*.png"):
        photos.write(str(path.relative_to(photos.root)))
    assert counts(compared(chosen)) == {"content": 10, "not_looked_at": 16}


def test_arrays(tmp_path: Path, taken_in: Callable[..., Selection]) -> None:
    images = np.stack([noise(seed, 8) for seed in range(12)])
    labels = np.arange(12) % 2
    np.savez(tmp_path / "a.npz", x_train=images, y_train=labels, x_test=images[::-1], y_test=labels)
    chosen = taken_in(tmp_path / "a.npz")
    assert compared(chosen).to_json() is None
    images[3] = 0
    labels[5] = 0
    np.savez(tmp_path / "a.npz", x_train=images, y_train=labels, x_test=images[:2], y_test=labels[:2])
    found = compared(chosen)
    assert (found.removed, found.labels) == (10, 1)
    assert found.content == 3


def test_images_that_were_skipped_are_not_new(photos: Photos, taken_in: Callable[..., Selection]) -> None:
    photos.spoil(photos.files("train")[0])
    chosen = taken_in(photos.root, skip_bad=True)
    assert compared(chosen).to_json() is None
    photos.add("val/cats")
    found = compared(chosen)
    assert counts(found) == {"added": 1}
    assert "--skip-bad" in found.command
    take_in(found)
    assert compared(chosen).to_json() is None


def test_the_command_makes_the_very_entries(
    photos: Photos, engine: object, taken_in: Callable[..., Selection], tmp_path: Path
) -> None:
    filters = tmp_path / "my filters.h5"
    filters.write_bytes(b"filters")
    request = FeatureRequest(
        backbone="vgg16",
        image_size=32,
        weights=str(filters),
        precision="float32",
        store="float32",
        layers=("block1_pool:none", "block3_pool:avg"),
        views=2,
        augmentation=Augmentation(rotation=10.0, flip=False),
    )
    chosen = taken_in(photos.root, request, name="my zoo")
    photos.add("test/dogs")
    found = compared(chosen)
    assert counts(found) == {"added": 1}
    take_in(found)
    assert compared(chosen).to_json() is None
    assert len(list(chosen.entries[0].cache.glob("*/*/spec.json"))) == 2


@pytest.mark.parametrize(
    ("harm", "why"),
    [
        (lambda root: root.rename(root.parent / "away"), "does not exist"),
        (lambda root: (shutil.rmtree(root), root.mkdir()), "photos"),
    ],
)
def test_a_source_that_is_gone_is_noted(
    harm: Callable[[Path], None], why: str, photos: Photos, taken_in: Callable[..., Selection]
) -> None:
    chosen = taken_in(photos.root)
    harm(photos.root)
    found = compared(chosen)
    assert str(found).startswith(f"note: {photos.root} may have changed since these features were made: ")
    assert why in found.not_compared
    assert found.to_json() == {"not_compared": found.not_compared}
    assert "\n" not in str(found)


def test_of_very_many_images_none_are_compared(
    photos: Photos, taken_in: Callable[..., Selection], monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = taken_in(photos.root)
    monkeypatch.setattr(staleness, "MOST", 20)
    monkeypatch.setattr(staleness, "open_images", lambda *_: pytest.fail("the source is listed"))
    assert compared(chosen).not_compared == "26 images are many: only `pipeline extract` compares them"


@pytest.mark.parametrize(
    ("source", "note"),
    [
        ("s3://bucket/photos", "it is in a remote store"),
        ("https://example.org/a-{0..9}.tar", "it is in a remote store"),
        ("builtin:digits", ""),
        ("keras:cifar10", ""),
    ],
)
def test_no_request_is_made_by_surprise(
    source: str,
    note: str,
    photos: Photos,
    taken_in: Callable[..., Selection],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(staleness, "open_images", lambda *_: pytest.fail("the source is opened"))
    (entry,) = taken_in(photos.root).entries
    found = compare_with_source(Selection((replace(entry, source=source),)))
    assert note in str(found)
    assert bool(found.to_json()) == bool(note)


def test_whatever_goes_wrong_is_only_noted(
    photos: Photos, taken_in: Callable[..., Selection], monkeypatch: pytest.MonkeyPatch
) -> None:
    chosen = taken_in(photos.root)

    def fail(*_: object) -> None:
        raise MemoryError("too much")

    monkeypatch.setattr(staleness, "open_images", fail)
    assert compared(chosen).to_json() == {"not_compared": "MemoryError: too much"}
