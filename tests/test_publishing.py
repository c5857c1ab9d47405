"""Folders are seen whole or not at all, whoever is stopped, and whatever the system can."""

from __future__ import annotations

import fcntl
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline import publishing
from pipeline.publishing import pinned, published

OURS, MINE = "ours", "my own notes"

pytestmark = pytest.mark.usefixtures("no_file_left_open")


def ours(name: object, head: bytes) -> bool:
    return head.startswith(OURS.encode())


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder that is to be published."""
    return tmp_path / "runs" / "head"


@pytest.fixture(params=[True, False], ids=["swaps", "has no swap"])
def system(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """One that swaps two folders in one step, and one that cannot, as macOS."""
    if not request.param:
        monkeypatch.setattr(publishing.ctypes, "CDLL", lambda _: object())


def publish(folder: Path, version: str, *, fail: bool = False) -> None:
    with published(folder, root=folder.parent, known=ours) as draft:
        (draft / "file").write_text(f"{OURS} {version}")
        (draft / "below").mkdir()
        (draft / "below" / f"of {version}").write_text(OURS)
        if fail:
            raise ZeroDivisionError


def files(folder: Path) -> dict[str, str]:
    """What a reader finds beside and in a folder, hidden files as well."""
    found = (path for path in folder.parent.rglob("*") if path.is_file())
    return {str(path.relative_to(folder.parent)): path.read_text() for path in found}


def whole(version: str) -> dict[str, str]:
    return {"head/file": f"{OURS} {version}", f"head/below/of {version}": OURS}


@pytest.mark.usefixtures("system")
def test_a_newer_folder_takes_the_place_of_an_older_one_and_keeps_what_is_not_ours(folder: Path) -> None:
    publish(folder, "older")
    assert files(folder) == whole("older")
    (folder / "notes").write_text(MINE)
    publish(folder, "newer")
    assert files(folder) == whole("newer") | {"head/notes": MINE}
    assert {path.name for path in folder.iterdir()} == {"file", "below", "notes"}


@pytest.mark.usefixtures("system")
def test_an_older_folder_stays_where_the_newer_one_cannot_be_finished(folder: Path) -> None:
    publish(folder, "older")
    with pytest.raises(ZeroDivisionError):
        publish(folder, "newer", fail=True)
    assert files(folder) == whole("older")
    assert os.listdir(folder.parent) == ["head"]


def test_an_older_folder_returns_where_its_place_cannot_be_taken(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    publish(folder, "older")
    rename = Path.rename

    def refuse(path: Path, target: Path) -> Path:
        if target == folder and not path.name.endswith("-older"):
            raise PermissionError
        return rename(path, target)

    monkeypatch.setattr(publishing.ctypes, "CDLL", lambda _: object())
    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(PermissionError):
        publish(folder, "newer")
    assert files(folder) == whole("older")
    assert os.listdir(folder.parent) == ["head"]


@pytest.mark.parametrize("there", [False, True])
def test_what_a_killed_process_has_left_is_put_back_or_removed(
    there: bool, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    publish(folder, "older")
    shutil.copytree(folder, folder.with_name(".head-0123abcd"))
    shutil.copytree(folder, folder.with_name(".head-89abcdef-older"))
    (folder.with_name(".head-0123abcd") / "notes").write_text(MINE)
    (folder.parent / ".head-of-mine").mkdir()
    (folder / "file").write_text(f"{OURS} newest")
    if not there:  # as in the instant between two steps, where there is no swap
        shutil.rmtree(folder)
    with pytest.raises(ZeroDivisionError):
        publish(folder, "newer", fail=True)
    expected = whole("older") | ({"head/file": f"{OURS} newest"} if there else {})
    assert files(folder) == expected | {".head-0123abcd/notes": MINE}
    assert sorted(os.listdir(folder.parent)) == [".head-0123abcd", ".head-of-mine", "head"]
    assert ".head-0123abcd/notes was not made by this package" in capsys.readouterr().err


def test_of_two_writers_the_last_one_stays(folder: Path) -> None:
    with published(folder, root=folder.parent, known=ours) as slow:
        (slow / "file").write_text(f"{OURS} slow")
        publish(folder, "quick")
        assert files(folder).items() >= whole("quick").items()
    assert files(folder) == {"head/file": f"{OURS} slow"}
    assert os.listdir(folder.parent) == ["head"]


def test_a_draft_that_is_taken_for_an_abandoned_one_is_made_again(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flock, taken = fcntl.flock, []

    def remove_first(handle: int, kind: int) -> None:
        if not taken:
            (draft,) = folder.parent.iterdir()
            taken.append(draft)
            draft.rmdir()
        flock(handle, kind)

    monkeypatch.setattr(fcntl, "flock", remove_first)
    publish(folder, "newer")
    assert len(taken) == 1
    assert files(folder) == whole("newer")


def locked(folder: Path) -> bool:
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(handle)
    return False


def test_one_at_a_time_has_a_folder_pinned(folder: Path) -> None:
    publish(folder, "older")
    with pinned(folder) as handle:
        assert locked(folder)
        publish(folder, "newer")
        assert not os.path.samestat(os.fstat(handle), os.stat(folder))
    assert not locked(folder)


@pytest.mark.parametrize(
    "make", [lambda path: path.symlink_to("elsewhere"), Path.touch], ids=["link", "file"]
)
def test_only_a_folder_is_pinned(make: Callable[[Path], None], tmp_path: Path) -> None:
    make(tmp_path / "head")
    with pytest.raises(OSError, match="head"), pinned(tmp_path / "head"):
        pass
