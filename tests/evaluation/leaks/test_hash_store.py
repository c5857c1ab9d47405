from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from pipeline.evaluation.leaks.hashes import SCHEME, HashStore
from pipeline.record_store import RecordStore

HASHES = {hashlib.sha256(bytes([i])).digest(): bytes([i]) * 32 for i in range(5)}


def test_what_was_stored_is_found(tmp_path: Path) -> None:
    file = tmp_path / "folder" / "hashes.sqlite"
    HashStore(file).store(HASHES)
    HashStore(file).store({b"plain": b""})
    wanted = [*list(HASHES)[:2], b"plain", b"unknown"]
    assert HashStore(file).look_up(wanted) == {key: (HASHES | {b"plain": b""})[key] for key in wanted[:3]}


def test_more_than_a_query_can_name_is_found(tmp_path: Path) -> None:
    many = {i.to_bytes(32, "big"): i.to_bytes(32, "big") for i in range(2000)}
    store = HashStore(tmp_path / "hashes.sqlite")
    store.store(many)
    assert store.look_up(many) == many


def test_nothing_is_made_before_there_is_something_to_store(tmp_path: Path) -> None:
    store = HashStore(tmp_path / "hashes.sqlite")
    store.store({})
    assert store.look_up(HASHES) == {}
    assert list(tmp_path.iterdir()) == []


def test_without_a_file_nothing_is_kept() -> None:
    store = HashStore(None)
    store.store(HASHES)
    assert store.look_up(HASHES) == {}


def test_a_damaged_file_is_replaced_with_a_note(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = tmp_path / "hashes.sqlite"
    file.write_bytes(b"no database" * 100)
    store = HashStore(file)
    assert store.look_up(HASHES) == {}
    store.store(HASHES)
    assert store.look_up(HASHES) == HASHES
    said = capsys.readouterr().err
    assert said.count(f"note: {file} was damaged") == said.count("\n") == 1
    assert "so pictures are hashed again once" in said


def test_a_folder_that_cannot_be_made_costs_a_note(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("in the way")
    HashStore(tmp_path / "file" / "hashes.sqlite").store(HASHES)
    assert "cannot be used" in capsys.readouterr().err


def test_a_value_that_is_no_hash_is_not_taken(tmp_path: Path) -> None:
    file = tmp_path / "hashes.sqlite"
    store = HashStore(file)
    store.store(HASHES)
    with RecordStore(file, SCHEME, otherwise="") as records:
        records.put(dict.fromkeys(HASHES, b"short"))
    assert store.look_up(HASHES) == {}
