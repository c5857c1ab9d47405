"""One filler a file: others wait, or are told who it is; a dead process holds nothing."""

from __future__ import annotations

import errno
import fcntl
import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from pipeline.cache import locks
from pipeline.cache import locks as lock
from pipeline.cache.locks import LOCK_FILE, exclusive_lock, fill_lock, lock_of, shared_lock
from pipeline.errors import ForeignFileError, PipelineError

HOLDER = """
import sys
from pathlib import Path
from pipeline.cache import locks
from pipeline.cache.locks import fill_lock
with fill_lock([Path(sys.argv[1])]):
    print("held", flush=True)
    sys.stdin.read()
"""


pytestmark = pytest.mark.usefixtures("no_file_left_open")  # a lock is held while its file is open


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "features" / "toy" / "vgg16-150"


@pytest.fixture
def file(folder: Path) -> Path:
    return folder / "train.h5"


@pytest.fixture
def holder(file: Path) -> Iterator[subprocess.Popen[str]]:
    """Another process that holds the lock until it is killed or its stdin is closed."""
    command = [sys.executable, "-c", HOLDER, file]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_who_does_not_wait_is_told_the_holder(file: Path, holder: subprocess.Popen[str]) -> None:
    with (
        pytest.raises(PipelineError, match=f"is being filled by process {holder.pid} on") as caught,
        fill_lock([file], wait_s=0),
    ):
        pass
    assert f"on {socket.gethostname()}: run again when it has ended" in str(caught.value)
    assert str(file) in str(caught.value)


@pytest.mark.parametrize("ending", ["it is killed", "it has finished"])
def test_who_waits_gets_the_lock_when_the_holder_ends(
    ending: str, file: Path, holder: subprocess.Popen[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []

    def end_the_holder(message: str) -> None:
        said.append(message)
        if ending == "it is killed":
            holder.kill()
        else:
            holder.stdin.close()

    monkeypatch.setattr(locks, "say", end_the_holder)
    monkeypatch.setattr(locks, "POLL_S", 0.01)
    with fill_lock([file]):
        assert str(os.getpid()) in lock_of(file).read_text()
    assert said == [f"waiting: {file} is being filled by process {holder.pid} on {socket.gethostname()}"]


def test_a_wait_of_a_moment_is_not_told(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(lock, "say", said.append)
    with ExitStack() as held:
        held.enter_context(fill_lock([file]))
        monkeypatch.setattr(lock.time, "sleep", lambda _: held.close())
        with fill_lock([file]):
            pass
    assert said == []


def test_a_lock_file_of_a_dead_process_is_no_obstacle(file: Path) -> None:
    file.parent.mkdir(parents=True)
    lock_of(file).write_text('{"pid": 1, "host": "elsewhere"}' + "x" * 100)
    with (
        fill_lock([file], wait_s=0),
        pytest.raises(PipelineError, match=f"is being filled by process {os.getpid()} on"),
        fill_lock([file], wait_s=0),
    ):
        pass


@pytest.mark.parametrize("text", ["", "not json", "[]", '{"pid": 1}'])
def test_a_holder_that_left_no_name(text: str, file: Path) -> None:
    with fill_lock([file]):
        lock_of(file).write_text(text)
        with (
            pytest.raises(PipelineError, match="is being filled by another process"),
            fill_lock([file], wait_s=0),
        ):
            pass


def test_the_lock_is_free_again_after_an_error(file: Path) -> None:
    with pytest.raises(ZeroDivisionError), fill_lock([file]):
        raise ZeroDivisionError
    with fill_lock([file], wait_s=0):
        pass


def test_several_files_are_locked_in_one_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    taken: list[Path] = []
    acquire = locks.acquire

    def record(path: Path, *arguments: object, **options: object) -> int:
        taken.append(path)
        return acquire(path, *arguments, **options)

    monkeypatch.setattr(locks, "acquire", record)
    files = [tmp_path / name / "train.h5" for name in "abcdefgh"]
    for order in (files, files[::-1], files * 2):
        with fill_lock(order, wait_s=0):
            pass
    assert taken == [lock_of(file) for file in files] * 3


def test_all_or_none(tmp_path: Path) -> None:
    first, second = tmp_path / "a", tmp_path / "b"
    with fill_lock([second]):
        with pytest.raises(PipelineError, match=r"b\.h5 is being"), fill_lock([first, second], wait_s=0):
            pass
        with fill_lock([first], wait_s=0):
            pass


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(PipelineError, match=r"cannot write the cache at .*Not a directory.*--cache"),
        fill_lock([tmp_path / "file" / "entry" / "train.h5"]),
    ):
        pass


@pytest.mark.parametrize("folder_goes", [False, True])
def test_a_lock_file_removed_before_it_is_locked(
    folder_goes: bool, file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flock, calls = fcntl.flock, []

    def remove_first(fd: int, operation: int) -> None:
        calls.append(fd)
        if len(calls) == 1:
            lock_of(file).unlink()
            if folder_goes:
                file.parent.rmdir()
        flock(fd, operation)

    monkeypatch.setattr(fcntl, "flock", remove_first)
    with (
        fill_lock([file]),
        pytest.raises(PipelineError, match=f"is being filled by process {os.getpid()} on"),
        fill_lock([file], wait_s=0),
    ):
        pass
    assert len(calls) == 3


def test_a_lock_that_meanwhile_is_another_s_stays(file: Path) -> None:
    lock_path = lock_of(file)
    with fill_lock([file]):
        lock_path.unlink()
        lock_path.write_text('{"pid": 1, "host": "elsewhere"}')
    assert "elsewhere" in lock_path.read_text()
    with fill_lock([file]):
        pass
    assert not lock_path.exists()


def test_a_file_system_without_locks(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(fd: int, operation: int) -> None:
        raise OSError(errno.ENOLCK, os.strerror(errno.ENOLCK))

    monkeypatch.setattr(fcntl, "flock", refuse)
    with (
        pytest.raises(PipelineError, match=r"has no locks \(No locks available\).*--cache"),
        fill_lock([file]),
    ):
        pass


def test_nothing_made_leaves_nothing(folder: Path, file: Path) -> None:
    with shared_lock([folder]):
        with fill_lock([file]):
            assert lock_of(file).exists()
        (folder / "spec.json").write_text("{}")
        (folder / ".val.lock").touch()  # of a run that was killed
    assert not folder.parent.exists()
    with shared_lock([folder]), fill_lock([file]):
        (folder / "train.h5.partial").write_text("")
    assert {path.name for path in folder.iterdir()} == {LOCK_FILE, "train.h5.partial"}


def test_files_of_a_folder_are_filled_side_by_side(
    folder: Path, file: Path, holder: subprocess.Popen[str]
) -> None:
    with (
        shared_lock([folder]),
        fill_lock([folder / "test.h5"], wait_s=0),
        pytest.raises(PipelineError, match=r"train\.h5 is being filled"),
        fill_lock([file], wait_s=0),
    ):
        pass


def test_who_would_be_alone_is_told_who_is_at_work(folder: Path, file: Path) -> None:
    with shared_lock([folder]) as first:
        with first.try_exclusive() as exclusive:
            assert exclusive
        with fill_lock([file]):
            with (
                pytest.raises(PipelineError, match=f"{folder.name} is being filled by process {os.getpid()}"),
                exclusive_lock(folder, wait_s=0),
            ):
                pass
            with shared_lock([folder]) as second, second.try_exclusive() as exclusive:
                assert not exclusive
    with exclusive_lock(folder, wait_s=0):
        pass


def test_no_link_above_a_folder_that_is_held_alone_is_passed(tmp_path: Path) -> None:
    (tmp_path / "theirs").mkdir()
    cache = tmp_path / "features"
    cache.mkdir()
    (cache / "toy").symlink_to(tmp_path / "theirs")
    for depth, folder in ((2, cache / "toy" / "entry"), (3, cache / "toy" / "int8" / "network")):
        with pytest.raises(ForeignFileError, match="toy is a link to"), exclusive_lock(folder, depth=depth):
            pass
    assert list((tmp_path / "theirs").iterdir()) == []


def test_who_comes_waits_for_who_is_alone(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    monkeypatch.setattr(locks, "POLL_S", 0.01)
    with ExitStack() as held:
        held.enter_context(exclusive_lock(folder))
        (folder / "train.h5").write_text("")

        def end_it(message: str) -> None:
            said.append(message)
            held.close()

        monkeypatch.setattr(locks, "say", end_it)
        with shared_lock([folder]):
            pass
    assert said == [f"waiting: {folder} is being filled by process {os.getpid()} on {socket.gethostname()}"]
