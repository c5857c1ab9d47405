"""Disk space is taken before it is needed, also where the file system has no call for it."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from pipeline.cache import partial_file
from pipeline.cache.partial_file import preallocate

SIZE = 3 * 4096 + 17


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A file of one written byte and nothing but holes around it."""
    path = tmp_path / "sparse"
    with open(path, "wb") as new:
        new.truncate(SIZE)
        new.seek(5000)
        new.write(b"x")
    return path


def reserved(path: Path) -> int:
    with open(path, "r+b") as opened:
        preallocate(opened.fileno())
    assert path.read_bytes() == bytes(5000) + b"x" + bytes(SIZE - 5001)
    return path.stat().st_blocks * 512


def test_holes_take_their_space(file: Path) -> None:
    assert file.stat().st_blocks * 512 < SIZE
    assert reserved(file) >= SIZE


@pytest.mark.parametrize("number", [errno.EOPNOTSUPP, errno.EINVAL, errno.ENOSYS])
def test_a_file_system_that_cannot_reserve(number: int, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "posix_fallocate", refuse)
    monkeypatch.setattr(partial_file, "PIECE", 1000)
    assert reserved(file) >= SIZE


def test_a_system_without_the_call(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "posix_fallocate")
    assert reserved(file) >= SIZE


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO])
def test_a_real_failure_is_one(number: int, file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "posix_fallocate", fail)
    with pytest.raises(OSError, match=os.strerror(number)):
        reserved(file)
