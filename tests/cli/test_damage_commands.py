"""Every kind of damage: verify names it, stage two refuses it, extract mends it and nothing else."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path

import h5py
import pytest
from click.testing import Result
from counting_engine import CountingEngine
from photos import Photos

Cli = Callable[..., Result]
ROWS = {"train": 12, "val": 6, "test": 8}


def flip(path: Path, offset: int) -> None:
    with open(path, "r+b") as file:
        (byte,) = os.pread(file.fileno(), 1, offset)
        os.pwrite(file.fileno(), bytes([byte ^ 0x10]), offset)


def in_column(name: str) -> Callable[[Path], None]:
    def damage(path: Path) -> None:
        with h5py.File(path) as file:
            offset = file[name].id.get_offset()
        flip(path, offset + 2)

    return damage


def in_text(text: bytes) -> Callable[[Path], None]:
    return lambda path: flip(path, path.read_bytes().index(text) + 3)


def cut(share: float) -> Callable[[Path], None]:
    return lambda path: os.truncate(path, int(path.stat().st_size * share))


def other_schema(path: Path) -> None:
    with h5py.File(path, "r+") as file:
        file.attrs["schema"] = 2


def swap_with_val(path: Path) -> None:
    other, spare = path.with_name("val.h5"), path.with_name("spare")
    path.rename(spare)
    other.rename(path)
    spare.rename(other)


DAMAGES = {
    "nothing is left": (cut(0), None),
    "half is left": (cut(0.5), None),
    "the last byte is gone": (cut(0.9999), None),
    "a bit of a feature": (in_column("features"), 1),
    "a bit of a checksum": (in_column("crc32"), 1),
    "a bit of a done mark": (in_column("done"), 1),
    "a bit of a label": (in_column("labels"), 0),
    "a bit of a digest": (in_column("digests"), 1),
    "a bit of a name": (in_column("ids"), 0),
    "a bit of a class": (in_column("classes"), 0),
    "a bit of the spec": (in_text(b'"backbone": "'), 0),
    "a bit of the seal's name": (in_text(b"seal\0\0\0\0"), 0),
    "a bit of the file's head": (lambda path: flip(path, 1), None),
    "another schema": (other_schema, 0),
}
"""How a file is damaged, and how many of its rows that costs; None = all of them."""


@pytest.fixture
def entry(extract: Cli, engine: CountingEngine, some_photos: Photos) -> Path:
    """Folder of an entry with all splits; the engine has forgotten how it was made."""
    assert extract().exit_code == 0
    engine.forget()
    (folder,) = Path("features_cache").glob("*/*/spec.json")
    return folder.parent


@pytest.fixture
def stored(entry: Path, some_photos: Photos) -> list[str]:
    return ["--data", str(some_photos.root)]


@pytest.mark.parametrize("name", DAMAGES)
def test_damage_is_named_refused_and_mended(
    name: str, entry: Path, stored: list[str], cli: Cli, extract: Cli, engine: CountingEngine
) -> None:
    damage, cost = DAMAGES[name]
    assert cli("train-head", *stored).exit_code == 0
    for split, command in (("train", "train-head"), ("test", "evaluate")):
        path = entry / f"{split}.h5"
        damage(path)
        verified = cli("cache", "verify")
        assert verified.exit_code == 4
        assert f"BAD  {path}" in verified.stdout
        assert "1 of 4 files is damaged" in verified.stderr
        refused = cli(command, *stored)
        assert refused.exit_code == 4, refused.output
        assert str(path.name) in refused.stderr
        assert refused.stderr.count("\n") == 1
        mended = extract("--json")
        assert mended.exit_code == 0
        assert engine.computed == (ROWS[split] if cost is None else cost)
        (damaged,) = json.loads(mended.stdout)["damaged"]
        assert (damaged["file"], damaged["rows"]) == (str(path), engine.computed)
        (note,) = (line for line in mended.stderr.splitlines() if "was damaged" in line)
        assert note.startswith(f"note: {path} was damaged ({damaged['what']}): ")
        engine.forget()
        assert cli("cache", "verify").exit_code == 0


def test_two_splits_that_have_changed_places(
    entry: Path, stored: list[str], cli: Cli, extract: Cli, engine: CountingEngine
) -> None:
    swap_with_val(entry / "train.h5")
    verified = cli("cache", "verify")
    assert "it holds the part val" in verified.stdout
    assert "it holds the part train" in verified.stdout
    refused = cli("train-head", *stored)
    assert refused.exit_code == 4
    assert "part: 'val' in the file, 'train' expected" in refused.stderr
    assert extract().exit_code == 0
    assert engine.computed == 0  # both files are sound, so their rows are copied
    assert cli("cache", "verify").exit_code == 0


def test_two_entries_whose_files_have_changed_places(
    entry: Path, stored: list[str], cli: Cli, extract: Cli, engine: CountingEngine
) -> None:
    assert extract("--store", "float32").exit_code == 0
    engine.forget()
    (other,) = (path for path in entry.parent.iterdir() if path.is_dir() and path != entry)
    for split in ROWS:
        (entry / f"{split}.h5").rename(entry / "spare")
        (other / f"{split}.h5").rename(entry / f"{split}.h5")
        (entry / "spare").rename(other / f"{split}.h5")
    verified = cli("cache", "verify")
    assert verified.stdout.count("it belongs to") == 2 * len(ROWS)
    for store in ("float16", "float32"):
        refused = cli("train-head", *stored, "--store", store)
        assert refused.exit_code == 4
        assert f"'{store}' expected" in refused.stderr
        assert extract("--store", store).exit_code == 0
    assert engine.computed <= 2 * sum(ROWS.values())
    assert [
        line for line in cli("cache", "verify").stdout.splitlines() if ".h5:" in line and "BAD" in line
    ] == []


def test_a_spec_that_was_edited(
    entry: Path, stored: list[str], cli: Cli, extract: Cli, engine: CountingEngine
) -> None:
    file = entry / "spec.json"
    file.write_text(file.read_text().replace('"image_size": 32', '"image_size": 33'))
    verified = cli("cache", "verify")
    assert f"BAD  {file}" in verified.stdout
    assert cli("train-head", *stored).exit_code == 2
    assert extract().exit_code == 0
    assert engine.computed == 0
    assert cli("cache", "verify").exit_code == 0
