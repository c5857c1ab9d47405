from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from pipeline.images.file_systems import FileSystem
from pipeline.images.stat_cache import Stamps

LONG_AGO = 10**18
SETTLED_S = 0.03


class Disk:
    """Says of every file that it stands on one file system."""

    def __init__(self, identity: str = "ext4 /dev/sda1 5", *, trusted: bool = True) -> None:
        self.place = FileSystem("ext4", identity, trusted)

    def of(self, path: object, device: int) -> FileSystem:
        return self.place


@pytest.fixture
def file(tmp_path: Path) -> Path:
    path = tmp_path / "image.png"
    write(path, b"first")
    return path


def write(path: Path, content: bytes) -> None:
    """Writes a file that looks as if it had been written long ago, but for the time of its last change."""
    path.write_bytes(content)
    os.utime(path, ns=(LONG_AGO, LONG_AGO))
    time.sleep(SETTLED_S)


def status(**changes: int) -> os.stat_result:
    """What ``os.stat`` says of a file."""
    seconds = {"st_atime": 1, "st_mtime": 1, "st_ctime": 1}
    fields = {"st_size": 5, "st_ino": 7, "st_dev": 9, "st_mtime_ns": LONG_AGO, "st_ctime_ns": LONG_AGO + 1}
    names = ("st_mode", "st_ino", "st_dev", "st_nlink", "st_uid", "st_gid", "st_size", *seconds)
    fields |= changes
    return os.stat_result([fields.get(name, 0) for name in names], fields)


def test_an_unchanged_file_keeps_its_stamp(file: Path) -> None:
    stamps = Stamps(Disk())
    stamp = stamps.of(file)
    assert stamp is not None
    file.read_bytes()
    assert Stamps(Disk()).of(file) == stamp


def test_a_file_of_equal_size_and_time_that_took_its_place_has_another(file: Path) -> None:
    stamp = Stamps(Disk()).of(file)
    other = file.with_name("other.png")
    write(other, b"thief")
    other.replace(file)
    assert file.stat().st_mtime_ns == LONG_AGO
    time.sleep(SETTLED_S)
    assert Stamps(Disk()).of(file) not in (None, stamp)


def test_a_file_that_was_written_to_and_set_back_has_another(file: Path) -> None:
    stamp = Stamps(Disk()).of(file)
    write(file, b"other")
    assert Stamps(Disk()).of(file) not in (None, stamp)


@pytest.mark.parametrize("field", ["st_size", "st_ino", "st_mtime_ns", "st_ctime_ns"])
def test_everything_that_is_asked_counts(field: str) -> None:
    one, other = status(), status(**{field: getattr(status(), field) + 1})
    assert None is not Stamps(Disk()).of("x", one) != Stamps(Disk()).of("x", other) is not None


def test_the_same_on_another_file_system_has_another() -> None:
    first, second = (Stamps(Disk(f"ext4 /dev/{name} 5")).of("x", status()) for name in ("sda1", "sdb1"))
    assert first != second


def test_where_the_change_time_cannot_be_relied_on_there_is_none() -> None:
    assert Stamps(Disk(trusted=False)).of("x", status()) is None


def test_a_change_time_in_whole_seconds_is_that_of_an_image() -> None:
    assert Stamps(Disk()).of("x", status(st_ctime_ns=LONG_AGO)) is None


def test_a_file_changed_a_moment_ago_has_none(file: Path) -> None:
    now = time.time_ns()
    assert Stamps(Disk()).of("x", status(st_mtime_ns=now - 10**9)) is None
    assert Stamps(Disk()).of("x", status(st_mtime_ns=now + 10**12)) is None
    assert Stamps(Disk()).of("x", status(st_ctime_ns=now + 1)) is None
    assert Stamps(Disk()).of("x", status(st_mtime_ns=now - 3 * 10**9)) is not None


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Stamps(Disk()).of(tmp_path / "none.png")
