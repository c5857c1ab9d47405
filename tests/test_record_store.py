"""Records that can be found again: what is damaged is forgotten, what cannot be used now stays as it is."""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest

from pipeline import record_store
from pipeline.record_store import RecordStore

EVERY = 11
RECORDS = {bytes([i]) * 32: bytes([255 - i]) * 40 for i in range(6)}


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "records.sqlite"


def keep(file: Path, records: dict[bytes, bytes] = RECORDS, table: str = "things") -> None:
    with RecordStore(file, table, otherwise="all is made again") as store:
        store.put(records)


def recall(file: Path, keys: object = RECORDS, table: str = "things") -> dict[bytes, bytes]:
    with RecordStore(file, table, otherwise="all is made again") as store:
        return store.get(keys)


def test_what_was_kept_is_found_in_its_table(file: Path) -> None:
    keep(file)
    keep(file, {b"key": b""}, "others")
    assert recall(file, [*RECORDS, b"key"]) == RECORDS
    assert recall(file, [*RECORDS, b"key"], "others") == {b"key": b""}
    assert recall(file, RECORDS, "none") == {}


def test_a_record_takes_the_place_of_the_older_one(file: Path) -> None:
    keep(file, {b"a": b"1", b"b": b"2"})
    keep(file, {b"a": b"3"})
    assert recall(file, [b"a", b"b"]) == {b"a": b"3", b"b": b"2"}


def test_records_are_forgotten(file: Path) -> None:
    keep(file)
    gone = next(iter(RECORDS))
    with RecordStore(file, "things", otherwise="all is made again") as store:
        store.forget([gone, b"unknown"])
        assert set(store.get(RECORDS)) == set(RECORDS) - {gone}


def test_more_than_a_query_can_name_is_found(file: Path) -> None:
    many = {i.to_bytes(32, "big"): i.to_bytes(32, "big") for i in range(2000)}
    keep(file, many)
    assert recall(file, many) == many


def test_nothing_is_made_before_there_is_something_to_keep(file: Path) -> None:
    keep(file, {})
    assert recall(file) == {}
    with RecordStore(file, "things", otherwise="") as store:
        store.forget(RECORDS)
    assert not file.parent.exists()


def test_without_a_file_nothing_is_kept() -> None:
    with RecordStore(None, "things", otherwise="") as store:
        store.put(RECORDS)
        store.forget(RECORDS)
        assert store.get(RECORDS) == {}


def a_text(path: Path) -> None:
    path.write_text("this is no database, but a text that is long enough to look like one" * 9)


def nothing(path: Path) -> None:
    path.write_bytes(b"")


def half_of_it(path: Path) -> None:
    os.truncate(path, path.stat().st_size // 2)


def zeros(path: Path) -> None:
    path.write_bytes(bytes(path.stat().st_size))


def the_end_overwritten(path: Path) -> None:
    content = path.read_bytes()
    path.write_bytes(content[:-3000] + b"\xff" * 3000)


def of_an_earlier_version(path: Path) -> None:
    path.unlink()
    with sqlite3.connect(path) as connection:
        connection.execute("CREATE TABLE files (path BLOB PRIMARY KEY, size INTEGER, digest BLOB)")
    connection.close()


def other_columns(path: Path) -> None:
    with sqlite3.connect(path) as connection:
        connection.execute("DROP TABLE things")
        connection.execute("CREATE TABLE things (something TEXT)")
    connection.close()


def a_later_format(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[18] ^= 2  # which makes it read-only to this SQLite
    path.write_bytes(content)


DAMAGE = [
    *(a_text, half_of_it, zeros, the_end_overwritten),
    *(of_an_earlier_version, other_columns, a_later_format),
]


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_file_is_replaced_with_one_note(
    damage: Callable[[Path], None], file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    keep(file)
    damage(file)
    with RecordStore(file, "things", otherwise="all is made again") as store:
        assert store.get(RECORDS).items() <= RECORDS.items()
        store.put(RECORDS)
        store.put({b"more": b"x"})
        assert store.get([*RECORDS, b"more"]) == RECORDS | {b"more": b"x"}
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert f"note: {file} was damaged or of another version" in said
    assert "so all is made again once" in said
    assert recall(file) == RECORDS
    aside = sorted(file.parent.glob("*.aside"))  # what this package did not make is not removed
    assert sorted(path.name for path in file.parent.iterdir()) == [file.name, *(one.name for one in aside)]
    if damage is a_text:
        assert [one.read_bytes()[:4] for one in aside] == [b"this"]


def test_an_empty_file_is_filled(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    keep(file)
    nothing(file)
    assert recall(file) == {}
    keep(file)
    assert recall(file) == RECORDS
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    "change",
    [
        "value = zeroblob(40)",
        "value = substr(value, 1, 20)",
        "value = 'text'",
        "value = 17",
        "seal = x'00'",
        "seal = 0.5",
    ],
)
def test_a_damaged_record_is_not_taken_and_can_be_kept_anew(
    change: str, file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    keep(file)
    hit, *others = RECORDS
    with sqlite3.connect(file) as connection:
        connection.execute(f"UPDATE things SET {change} WHERE key = ?", [hit])  # noqa: S608
    connection.close()
    assert recall(file) == {key: RECORDS[key] for key in others}
    assert capsys.readouterr().err.count("it holds damaged records") == 1
    keep(file, {hit: RECORDS[hit]})
    assert recall(file) == RECORDS


def test_a_record_under_another_key_is_not_taken(file: Path) -> None:
    keep(file)
    first, second, *_ = RECORDS
    with sqlite3.connect(file) as connection:
        connection.execute("DELETE FROM things WHERE key = ?", [second])
        connection.execute("UPDATE things SET key = ? WHERE key = ?", [second, first])
    connection.close()
    assert not {first, second} & set(recall(file))


def test_no_flipped_bit_gives_another_value_and_all_are_mended(file: Path) -> None:
    keep(file)
    content = file.read_bytes()
    places = [i for i, byte in enumerate(content) if byte]
    assert len(places) > 400
    for number, place in enumerate(places[::EVERY]):
        flipped = bytearray(content)
        flipped[place] ^= 1 << number % 8
        file.write_bytes(flipped)
        assert recall(file).items() <= RECORDS.items(), place
        keep(file)
        if recall(file) != RECORDS:  # the damage shows only now
            keep(file)
            assert recall(file) == RECORDS, place


def test_a_locked_file_stays_as_it_is(
    file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    keep(file)
    connect = sqlite3.connect
    monkeypatch.setattr(record_store.sqlite3, "connect", lambda path: connect(path, timeout=0.01))
    other = connect(file)
    other.execute("BEGIN EXCLUSIVE")
    with RecordStore(file, "things", otherwise="all is made again") as store:
        assert store.get(RECORDS) == {}
        store.put({b"more": b"x"})
    other.rollback()
    other.close()
    said = capsys.readouterr().err
    assert f"note: {file} cannot be used now, so all is made again: database is locked" in said
    assert said.count("\n") == 1
    assert recall(file) == RECORDS


def test_a_file_that_cannot_be_written_is_still_read_and_stays(
    file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    keep(file)
    content = file.read_bytes()
    connect = sqlite3.connect
    monkeypatch.setattr(
        record_store.sqlite3, "connect", lambda path: connect(f"file:{path}?mode=ro", uri=True)
    )
    with RecordStore(file, "things", otherwise="all is made again") as store:
        assert store.get(RECORDS) == RECORDS
        store.put({b"more": b"x"})
    assert "readonly" in capsys.readouterr().err
    assert file.read_bytes() == content


@pytest.mark.parametrize("number", [errno.EACCES, errno.EMFILE, errno.EIO])
def test_a_file_that_cannot_be_opened_stays(
    number: int, file: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    keep(file)

    def refuse(path: Path) -> None:
        raise OSError(number, os.strerror(number))

    with monkeypatch.context() as patched:
        patched.setattr(record_store.sqlite3, "connect", refuse)
        assert recall(file) == {}
        keep(file, {b"more": b"x"})
    assert os.strerror(number) in capsys.readouterr().err
    assert recall(file, [*RECORDS, b"more"]) == RECORDS


def a_folder(path: Path) -> None:
    path.mkdir(parents=True)


def a_file_in_the_way(path: Path) -> None:
    path.parent.write_text("no folder")


def a_link(path: Path) -> None:
    path.parent.mkdir()
    keep(path.with_name("elsewhere.sqlite"), {b"somebody": b"else"}, "foreign")
    path.symlink_to("elsewhere.sqlite")


def notes_beside(ending: str, path: Path) -> None:
    keep(path, {b"some": b"records"})
    path.with_name(path.name + ending).write_text("notes of mine")


BESIDE = [partial(notes_beside, ending) for ending in ("-journal", "-wal", "-shm")]


@pytest.mark.parametrize("obstacle", [a_folder, a_file_in_the_way, a_link, *BESIDE])
def test_what_stands_in_the_way_is_left_alone(
    obstacle: Callable[[Path], None], file: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    obstacle(file)
    before = [(path, path.is_file() and path.read_bytes()) for path in sorted(file.parent.parent.rglob("*"))]
    with RecordStore(file, "things", otherwise="all is made again") as store:
        assert store.get(RECORDS) == {}
        store.put(RECORDS)
        store.put(RECORDS)
        assert store.get(RECORDS) == {}
    said = capsys.readouterr().err
    assert said.count("\n") == 1
    assert f"note: {file} cannot be used now" in said
    after = [(path, path.is_file() and path.read_bytes()) for path in sorted(file.parent.parent.rglob("*"))]
    assert after == before
