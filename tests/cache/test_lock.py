"""One filler an entry: others wait, or are told who it is; a dead process holds nothing."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.cache import lock
from pipeline.cache.lock import filling_lock
from pipeline.errors import PipelineError

HOLDER = """
import sys
from pathlib import Path
from pipeline.cache.lock import filling_lock
with filling_lock([Path(sys.argv[1])]):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "features" / "toy" / "vgg16-150"


@pytest.fixture
def holder(folder: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the lock until it is killed or its stdin is closed."""
    command = [sys.executable, "-c", HOLDER, folder]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_who_does_not_wait_is_told_the_holder(folder: Path, holder: subprocess.Popen[str]) -> None:
    with (
        pytest.raises(PipelineError, match=f"is being filled by process {holder.pid} on") as caught,
        filling_lock([folder], wait_s=0),
    ):
        pass
    assert f"on {socket.gethostname()}: run again when it has ended" in str(caught.value)
    assert str(folder) in str(caught.value)


@pytest.mark.parametrize("ending", ["it is killed", "it has finished"])
def test_who_waits_gets_the_lock_when_the_holder_ends(
    ending: str, folder: Path, holder: subprocess.Popen[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []

    def end_the_holder(message: str) -> None:
        said.append(message)
        if ending == "it is killed":
            holder.kill()
        else:
            holder.stdin.close()

    monkeypatch.setattr(lock, "say", end_the_holder)
    monkeypatch.setattr(lock, "POLL_S", 0.01)
    with filling_lock([folder]):
        assert str(os.getpid()) in (folder / ".lock").read_text()
    assert said == [f"waiting: {folder} is being filled by process {holder.pid} on {socket.gethostname()}"]


def test_a_lock_file_of_a_dead_process_is_no_obstacle(folder: Path) -> None:
    folder.mkdir(parents=True)
    (folder / ".lock").write_text('{"pid": 1, "host": "elsewhere"}' + "x" * 100)
    with (
        filling_lock([folder], wait_s=0),
        pytest.raises(PipelineError, match=f"is being filled by process {os.getpid()} on"),
        filling_lock([folder], wait_s=0),
    ):
        pass


@pytest.mark.parametrize("text", ["", "not json", "[]", '{"pid": 1}'])
def test_a_holder_that_left_no_name(text: str, folder: Path) -> None:
    with filling_lock([folder]):
        (folder / ".lock").write_text(text)
        with (
            pytest.raises(PipelineError, match="is being filled by another process"),
            filling_lock([folder], wait_s=0),
        ):
            pass


def test_the_lock_is_free_again_after_an_error(folder: Path) -> None:
    with pytest.raises(ZeroDivisionError), filling_lock([folder]):
        raise ZeroDivisionError
    with filling_lock([folder], wait_s=0):
        pass


def test_several_entries_are_locked_in_one_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[Path] = []
    acquire = lock._acquire

    def record(folder: Path, wait_s: float) -> int:
        taken.append(folder)
        return acquire(folder, wait_s)

    monkeypatch.setattr(lock, "_acquire", record)
    folders = [tmp_path / name for name in "abcdefgh"]
    for order in (folders, folders[::-1], folders * 2):
        with filling_lock(order, wait_s=0):
            pass
    assert taken == folders * 3


def test_all_or_none(tmp_path: Path) -> None:
    first, second = tmp_path / "a", tmp_path / "b"
    with filling_lock([second]):
        with pytest.raises(PipelineError, match="b is being filled"), filling_lock([first, second], wait_s=0):
            pass
        with filling_lock([first], wait_s=0):
            pass


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(PipelineError, match=r"cannot write the cache at .*Not a directory.*--cache"),
        filling_lock([tmp_path / "file" / "entry"]),
    ):
        pass


@pytest.mark.parametrize("folder_goes", [False, True])
def test_a_lock_file_removed_before_it_is_locked(
    folder_goes: bool, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flock, calls = fcntl.flock, []

    def remove_first(fd: int, operation: int) -> None:
        calls.append(fd)
        if len(calls) == 1:
            (folder / ".lock").unlink()
            if folder_goes:
                folder.rmdir()
        flock(fd, operation)

    monkeypatch.setattr(fcntl, "flock", remove_first)
    with (
        filling_lock([folder]),
        pytest.raises(PipelineError, match=f"is being filled by process {os.getpid()} on"),
        filling_lock([folder], wait_s=0),
    ):
        pass
    assert len(calls) == 3


def test_a_file_system_without_locks(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(fd: int, operation: int) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", refuse)
    with (
        pytest.raises(PipelineError, match=r"has no locks \(No locks available\).*--cache"),
        filling_lock([folder]),
    ):
        pass


def test_nothing_made_leaves_nothing(folder: Path) -> None:
    with filling_lock([folder]):
        (folder / "spec.json").write_text("{}")
    assert not folder.parent.exists()
    with filling_lock([folder]):
        (folder / "train.h5.partial").write_text("")
    assert {path.name for path in folder.iterdir()} == {".lock", "train.h5.partial"}
