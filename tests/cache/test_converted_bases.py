"""Converted bases are read where they are whole, and made anew, said, where they are not."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path

import pytest

from pipeline.cache.converted_bases import DEPTH, FIELDS, RECORD, ConvertedBase
from pipeline.cache.entries import Entry
from pipeline.cache.inspection import remove_retired
from pipeline.cache.locks import exclusive_lock
from pipeline.spec import FeatureSpec

GRAPH, FILTERS = b'<?xml version="1.0"?><net name="made">', b"filters"


class Maker:
    """Makes bases of two short texts, and counts them."""

    def __init__(self) -> None:
        self.made = 0
        self.unreadable = False

    def make(self) -> str:
        self.made += 1
        return "made"

    def save(self, made: str, path: Path) -> None:
        path.write_bytes(GRAPH)
        path.with_suffix(".bin").write_bytes(FILTERS)

    def read(self, base: ConvertedBase) -> object:
        return base.read_or_make(self.make, save=self.save, load=self.load)

    def load(self, graph: bytes, filters: bytes) -> object:
        if self.unreadable:
            raise ValueError("of a version to come")
        return graph, filters


@pytest.fixture
def maker() -> Maker:
    return Maker()


@pytest.fixture
def base(entry: Entry, maker: Maker) -> ConvertedBase:
    """A base that is kept."""
    base = ConvertedBase(entry.cache, [entry.spec])
    assert maker.read(base) == "made"
    return base


def test_it_is_made_once(base: ConvertedBase, maker: Maker) -> None:
    assert maker.read(base) == maker.read(base) == (GRAPH, FILTERS)
    assert maker.made == 1
    assert sorted(os.listdir(base.folder)) == [".lock", "model.bin", "model.xml", RECORD]


@pytest.mark.parametrize("name", [field.name for field in fields(FeatureSpec)])
def test_a_base_is_what_determines_its_numbers(name: str, base: ConvertedBase) -> None:
    (spec,) = base.specs
    value = getattr(spec, name)
    other = replace(spec, **{name: value + 1 if isinstance(value, int) else value + "x"})
    assert (ConvertedBase(base.cache, [other]).folder != base.folder) == (name in FIELDS)
    assert ConvertedBase(base.cache, [spec, other]).folder != base.folder


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


DAMAGE: dict[str, Callable[[Path], object]] = {
    "a flipped bit of the filters": lambda folder: flip(folder / "model.bin"),
    "a flipped bit of the graph": lambda folder: flip(folder / "model.xml"),
    "no filters": lambda folder: (folder / "model.bin").unlink(),
    "no record": lambda folder: (folder / RECORD).unlink(),
    "a record cut off": lambda folder: os.truncate(folder / RECORD, 40),
    "a record of zeros": lambda folder: (folder / RECORD).write_bytes(bytes(40)),
    "the record of another": lambda folder: (folder / RECORD).write_text(
        (folder / RECORD).read_text().replace("vgg16", "vgg19")
    ),
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=list(DAMAGE))
def test_what_is_not_whole_is_made_anew(
    damage: Callable[[Path], object],
    base: ConvertedBase,
    maker: Maker,
    capsys: pytest.CaptureFixture[str],
) -> None:
    damage(base.folder)
    assert maker.read(base) == "made"
    assert maker.read(base) == (GRAPH, FILTERS)
    gone = "is not used" not in capsys.readouterr().err
    assert gone == (damage in (DAMAGE["no filters"], DAMAGE["no record"]))


@pytest.mark.parametrize("name", ["model.bin", "model.xml", RECORD])
def test_links_and_foreign_files_are_passed_over_and_stay(
    name: str, base: ConvertedBase, maker: Maker, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    mine = tmp_path / "mine"
    (base.folder / name).rename(mine)
    (base.folder / name).symlink_to(mine)
    before = mine.read_bytes()
    assert maker.read(base) == "made"
    assert mine.read_bytes() == before
    assert (base.folder / name).is_symlink()
    assert "is not kept" in capsys.readouterr().err


def test_a_cache_that_cannot_be_written_keeps_nothing(
    entry: Entry, maker: Maker, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refuse(made: str, path: Path) -> None:
        raise PermissionError(13, "Permission denied")

    base = ConvertedBase(entry.cache, [entry.spec])
    assert base.read_or_make(maker.make, save=refuse, load=maker.load) == "made"
    assert "is not kept" in capsys.readouterr().err


def test_a_cache_in_which_no_folder_can_be_made_keeps_nothing(
    entry: Entry, maker: Maker, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "taken").touch()
    assert maker.read(ConvertedBase(tmp_path / "taken", [entry.spec])) == "made"
    assert "is not kept: cannot write the cache" in capsys.readouterr().err


def test_what_another_version_wrote_is_made_anew(
    base: ConvertedBase, maker: Maker, capsys: pytest.CaptureFixture[str]
) -> None:
    maker.unreadable = True
    assert maker.read(base) == "made"
    assert "is not used (of a version to come): it is made anew" in capsys.readouterr().err


def test_drafts_of_a_process_that_was_killed_go(base: ConvertedBase, maker: Maker) -> None:
    (base.folder / "draft-01234567.bin").touch()
    (base.folder / "draft of mine").touch()
    (base.folder / RECORD).unlink()
    assert maker.read(base) == "made"
    assert sorted(os.listdir(base.folder)) == [".lock", "draft of mine", "model.bin", "model.xml", RECORD]


def test_what_cannot_be_made_is_told(base: ConvertedBase, maker: Maker) -> None:
    def fail() -> None:
        raise ZeroDivisionError

    (base.folder / RECORD).unlink()
    with pytest.raises(ZeroDivisionError):
        base.read_or_make(fail, save=maker.save, load=maker.load)


def test_the_record_names_the_software(base: ConvertedBase) -> None:
    assert set(json.loads((base.folder / RECORD).read_text())["software"]) == {
        "keras",
        "tensorflow",
        "openvino",
    }


def test_bases_that_no_entry_was_made_with_can_be_removed(
    base: ConvertedBase, maker: Maker, entry: Entry
) -> None:
    (spec,) = base.specs
    entry.save()
    other = ConvertedBase(base.cache, [replace(spec, layer="another")])
    foreign = other.folder.with_name("mine")
    maker.read(other)
    foreign.mkdir()
    (foreign / "notes").write_text("my own")
    with exclusive_lock(other.folder, depth=DEPTH):
        assert remove_retired(base.cache).bytes == 0  # somebody is making it
    assert remove_retired(base.cache).bytes > 0
    assert not other.folder.exists()
    assert (foreign / "notes").read_text() == "my own"
    assert maker.read(base) == (GRAPH, FILTERS)
    maker.made = 0
    maker.read(other)
    assert maker.made == 1
