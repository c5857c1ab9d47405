"""One bit of a feature file is flipped: the next run computes the row that was hit, at most, and says so.

Every column and attribute of every kind of file is tried by `make torture`; the suite tries the telling ones.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Collection, Iterable
from pathlib import Path

import h5py
import numpy as np
import pytest
from _pytest.mark import ParameterSet
from counting_engine import CountingEngine
from photos import Photos

from pipeline.cache import features, open_features
from pipeline.cache.entries import Entry
from pipeline.cache.format import seal
from pipeline.cache.inspection import verify_cache
from pipeline.errors import CacheMismatchError
from pipeline.extraction import Extraction

Run = Callable[..., list[Extraction]]
Check = Callable[..., None]

ROWS = 5
HIT = 2
COLUMNS = ("features", "crc32", "done", "labels", "digests", "views", "ids", "groups", "classes", "skipped")
ATTRIBUTES = (
    *("schema", "spec", "dataset", "source", "split", "weights_label", "software", "created_at"),
    *("seal", "seals"),
)
SEVERAL = ("part", "parts", "whole")
FREE = {"labels", "groups", "classes", "skipped"}
"""Columns of which no row's identity depends."""

TELLING = ("features", "done", "labels", "digests", "views", "ids", "spec", "schema", "seal", "seals")

NEW, OLD = "sealed", "of an earlier version"


def cases(names: Iterable[str], *, new: Collection[str], old: Collection[str]) -> list[ParameterSet]:
    """Pairs each name with each version of the format; the suite tries those of ``new`` and ``old``."""
    return [
        pytest.param(
            name, version == NEW, id=f"{name} {version}", marks=() if name in tried else pytest.mark.torture
        )
        for version, tried in ((NEW, new), (OLD, old))
        for name in names
        if (name, version) != ("seals", OLD)
    ]


def flip(path: Path, name: str) -> None:
    """Flips a bit in the middle of a column or attribute."""
    with h5py.File(path, "r+") as file:
        if name in file:
            column = file[name]
            each = column.dtype.itemsize * int(np.prod(column.shape[1:], dtype=int))
            row = min(HIT, max(len(column) - 1, 0))
            offset = column.id.get_offset() + row * each + min(1, each - 1)
        else:
            value = file.attrs[name]
            if isinstance(value, bytes):
                middle = len(value) // 2
                value = value[:middle] + bytes([value[middle] ^ 1]) + value[middle + 1 :]
                file.attrs.modify(name, np.array(value, f"S{len(value)}"))
            else:
                file.attrs.modify(name, value ^ 2)
            return
    flip_at(path, offset)


def flip_at(path: Path, offset: int) -> None:
    with open(path, "r+b") as file:
        file.seek(offset)
        (byte,) = file.read(1)
        file.seek(offset)
        file.write(bytes([byte ^ 1]))


def as_earlier_versions_wrote_it(path: Path) -> None:
    """Takes away the seals of the single columns and attributes."""
    with h5py.File(path, "r+") as file:
        del file.attrs["seals"]
        file.attrs.modify("seal", np.array(seal(file).encode()))


def holds(path: Path, name: str) -> bool:
    with h5py.File(path) as file:
        return file[name].size > 0 if name in file else name in file.attrs


def hurt(path: Path, name: str, *, sealed: bool) -> None:
    """Flips a bit in a column or attribute of a file, of this version or as earlier ones wrote it."""
    if not sealed:
        as_earlier_versions_wrote_it(path)
    if not holds(path, name):
        pytest.skip("there is nothing in it")
    flip(path, name)


@pytest.fixture
def entry(photos: Photos, engine: CountingEngine, run: Run) -> Entry:
    """An entry with five rows for training and one each for the others."""
    photos.add("train/cats", 3)
    photos.add("train/dogs", 2)
    photos.add("val/cats")
    photos.add("test/dogs")
    (extraction,) = run()
    engine.forget()
    return extraction.entry


def mended(
    extraction: Extraction, path: Path, name: str, *, sealed: bool, most: int, engine: CountingEngine
) -> None:
    """Asserts that a run computed so many rows at most, and told of the damage."""
    assert engine.computed <= most
    (damage,) = extraction.damaged
    assert (damage.file, damage.rows) == (path, engine.computed)
    if name in ("features", "crc32", "done") or sealed:
        assert name in damage.what
    assert extraction.entry.retired() == []
    assert extraction.failures == []


@pytest.mark.parametrize(
    ("name", "sealed"),
    cases([*COLUMNS, *ATTRIBUTES], new=TELLING, old=("labels", "digests", "views", "spec")),
)
def test_of_a_published_file(
    name: str,
    sealed: bool,
    entry: Entry,
    engine: CountingEngine,
    run: Run,
    cache: Path,
    assert_complete: Check,
    capsys: pytest.CaptureFixture[str],
) -> None:
    path = entry.file("train")
    hurt(path, name, sealed=sealed)
    with pytest.raises(CacheMismatchError) as refused:
        open_features(entry, "train").to_memory()
    assert refused.value.exit_code == 4
    (finding,) = [one for one in verify_cache(cache) if one["problem"] or one["bad_rows"]]
    assert finding["file"] == str(path)
    if name in ("features", "crc32"):
        assert "row 2" in str(refused.value)
        assert [bad["row"] for bad in finding["bad_rows"]] == [HIT]
    elif name != "done" and sealed:
        assert name in str(refused.value)
        assert name in finding["problem"]

    most = 0 if name in FREE or name in ATTRIBUTES or (sealed and name == "ids") else 1
    (extraction,) = run()
    mended(extraction, path, name, sealed=sealed, most=most, engine=engine)
    assert_complete(extraction)
    assert f"note: {path} was damaged" in capsys.readouterr().err
    assert extraction.to_json()["damaged"] == [one.to_json() for one in extraction.damaged]
    engine.forget()
    (again,) = run()
    assert (engine.loads, again.damaged) == (0, [])
    assert not any(one["problem"] or one["bad_rows"] for one in verify_cache(cache))


@pytest.mark.parametrize(
    ("name", "sealed"),
    cases([one for one in [*COLUMNS, *ATTRIBUTES] if one != "done"], new=("digests",), old=("ids",)),
)
def test_of_a_partial_file(
    name: str,
    sealed: bool,
    entry: Entry,
    photos: Photos,
    engine: CountingEngine,
    run: Run,
    assert_complete: Check,
) -> None:
    bad = photos.add("train/dogs")[0]
    whole = photos.spoil(bad)
    (extraction,) = run()
    assert extraction.unfinished == ["train"]
    for path in (entry.file("train"), *entry.retired()):
        path.unlink(missing_ok=True)  # so that the rows stand nowhere else
    path = entry.partial("train")
    hurt(path, name, sealed=sealed)
    bad.write_bytes(whole)
    engine.forget()
    (extraction,) = run()
    assert engine.computed <= 2  # the picture that was bad, and the row that was hit
    (damage,) = extraction.damaged
    assert damage.file == path
    assert extraction.entry.retired() == []
    assert_complete(extraction)


@pytest.mark.parametrize(
    ("name", "sealed"), cases([*COLUMNS, *ATTRIBUTES], new=("digests",), old=("digests",))
)
def test_of_a_retired_file(
    name: str,
    sealed: bool,
    entry: Entry,
    photos: Photos,
    engine: CountingEngine,
    run: Run,
    tmp_path: Path,
    assert_complete: Check,
) -> None:
    """Its class was away for a while; what it holds is kept, damaged or not, until it is used."""
    shutil.move(photos.root / "train" / "cats", tmp_path / "cats")
    run()
    (path,) = entry.retired()
    hurt(path, name, sealed=sealed)
    run()
    assert entry.retired() == [path]
    shutil.move(tmp_path / "cats", photos.root / "train" / "cats")
    engine.forget()
    (extraction,) = run()
    assert engine.computed <= 1
    if name == "done":  # a row of a retired file need not be done
        assert len(extraction.damaged) <= 1
    else:
        (damage,) = extraction.damaged
        assert damage.file == path
        assert damage.rows == engine.computed
    assert extraction.entry.retired() == []
    assert_complete(extraction)


@pytest.mark.parametrize(
    ("name", "sealed"), cases([*COLUMNS, *ATTRIBUTES, *SEVERAL], new=("digests", "whole"), old=("labels",))
)
def test_of_one_file_of_several(
    name: str,
    sealed: bool,
    photos: Photos,
    engine: CountingEngine,
    run: Run,
    assert_complete: Check,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(features, "PAUSE_S", 0)
    photos.add("train/cats", 11)
    photos.add("val/cats")
    photos.add("test/dogs")
    (extraction,) = run(rows_per_file=4)
    path = sorted(extraction.entry.folder.glob("train-*.h5"))[1]
    hurt(path, name, sealed=sealed)
    with pytest.raises(CacheMismatchError):
        open_features(extraction.entry, "train").to_memory()
    engine.forget()
    (extraction,) = run(rows_per_file=4)
    free = name in FREE or name in (*ATTRIBUTES, *SEVERAL) or (sealed and name == "ids")
    mended(extraction, path, name, sealed=sealed, most=0 if free else 1, engine=engine)
    assert_complete(extraction)


@pytest.mark.parametrize("views", [pytest.param(1, marks=pytest.mark.torture), 3])
@pytest.mark.parametrize(
    ("name", "sealed"), cases([*COLUMNS, *ATTRIBUTES], new=("views",), old=("digests", "views"))
)
def test_of_a_file_with_views(
    name: str, sealed: bool, views: int, photos: Photos, engine: CountingEngine, run: Run
) -> None:
    photos.add("train/cats", 4)
    photos.add("val/cats")
    photos.add("test/dogs")
    (extraction,) = run(views=views)
    entry = extraction.entry
    expected = open_features(entry, "train").to_memory()
    path = entry.file("train")
    hurt(path, name, sealed=sealed)
    engine.forget()
    (extraction,) = run(views=views)
    free = name in FREE or name in ATTRIBUTES or (sealed and name == "ids")
    mended(extraction, path, name, sealed=sealed, most=0 if free else 1, engine=engine)
    np.testing.assert_array_equal(open_features(entry, "train").to_memory(), expected)


def exchange(path: Path, column: str, one: int, other: int) -> None:
    """Puts two rows of a column in each other's place, as a misplaced page would."""
    with h5py.File(path, "r+") as file:
        values = file[column][()]
        values[[one, other]] = values[[other, one]]
        file[column][...] = values


@pytest.mark.parametrize(
    ("column", "sealed"),
    cases(
        ["features", "crc32", "digests", "ids", "views"], new=("features",), old=("digests", "ids", "views")
    ),
)
def test_rows_that_changed_places_are_never_taken_for_each_other(
    column: str, sealed: bool, photos: Photos, engine: CountingEngine, run: Run
) -> None:
    photos.add("train/cats", 4)
    photos.add("val/cats")
    photos.add("test/dogs")
    (extraction,) = run(views=2)
    expected = open_features(extraction.entry, "train").to_memory()
    path = extraction.entry.file("train")
    if not sealed:
        as_earlier_versions_wrote_it(path)
    exchange(path, column, 1, 5 if column != "views" else 3)
    engine.forget()
    (extraction,) = run(views=2)
    assert engine.computed <= 2
    assert len(extraction.damaged) == 1
    np.testing.assert_array_equal(open_features(extraction.entry, "train").to_memory(), expected)


@pytest.mark.parametrize("sealed", [True, False], ids=["sealed", "of an earlier version"])
def test_a_spec_that_nothing_proves_costs_the_file(
    sealed: bool, entry: Entry, engine: CountingEngine, run: Run, assert_complete: Check
) -> None:
    path = entry.file("train")
    if not sealed:
        as_earlier_versions_wrote_it(path)
    flip(path, "spec")
    flip(path, "labels")
    (extraction,) = run()
    assert engine.computed == ROWS
    assert [damage.rows for damage in extraction.damaged] == [ROWS]
    assert_complete(extraction)


def test_images_that_moved_since_are_still_proved(
    entry: Entry, photos: Photos, engine: CountingEngine, run: Run, assert_complete: Check
) -> None:
    """Digests are proved by the seal of their column, whatever the images are called now."""
    flip(entry.file("train"), "labels")
    (photos.root / "train" / "cats" / "0000.png").rename(photos.root / "test" / "dogs" / "moved.png")
    (extraction,) = run()
    assert engine.computed == 0
    assert_complete(extraction)


def test_the_damaged_file_stays_until_the_new_one_is_whole(
    entry: Entry, photos: Photos, engine: CountingEngine, run: Run, assert_complete: Check
) -> None:
    path = entry.file("train")
    flip(path, "digests")
    content = path.read_bytes()
    bad = photos.add("train/dogs")[0]
    whole = photos.spoil(bad)
    (extraction,) = run()
    assert extraction.unfinished == ["train"]
    assert path.read_bytes() == content
    bad.write_bytes(whole)
    engine.forget()
    (extraction,) = run()
    assert engine.computed == 1
    assert extraction.entry.retired() == []
    assert_complete(extraction)


def test_rows_of_another_data_set_are_taken_from_a_damaged_file(
    entry: Entry, engine: CountingEngine, run: Run, assert_complete: Check
) -> None:
    flip(entry.file("train"), "labels")
    (extraction,) = run(name="another")
    assert engine.computed == 0
    assert [damage.file for damage in extraction.damaged] == [entry.file("train")]
    assert_complete(extraction)
