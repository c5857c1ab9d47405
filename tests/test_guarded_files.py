"""No write and no removal passes a link or touches what the package did not make."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from pipeline import files
from pipeline.errors import ForeignFileError, UnreadableFileError

THESIS = b"three years of work"

pytestmark = pytest.mark.usefixtures("no_file_left_open")


def ours(name: object, head: bytes) -> bool:
    return head.startswith(b"ours")


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A root with a folder, beside a folder of somebody else."""
    (tmp_path / "root" / "folder").mkdir(parents=True)
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "thesis").write_bytes(THESIS)
    return tmp_path / "root"


def write(path: Path, root: Path) -> None:
    with files.written(path, root=root, known=ours) as file:
        file.write(b"ours")


def open_to_write(path: Path, root: Path) -> None:
    os.close(files.open_file(path, os.O_RDWR | os.O_CREAT | os.O_TRUNC, root=root))


def create(path: Path, root: Path) -> None:
    os.close(files.create(path, root=root))


ATTEMPTS: dict[str, Callable[[Path, Path], object]] = {
    "written": write,
    "open_file": open_to_write,
    "create": create,
    "discard": lambda path, root: files.discard(path, root=root),
    "name_also": lambda path, root: files.name_also(path, path.with_name("other"), root=root),
    "replace": lambda path, root: files.replace(root / "draft", path, root=root, known=ours),
    "refuse_links": lambda path, root: files.refuse_links(path, root=root),
    "check_database": lambda path, root: files.check_database(path, root=root),
}


@pytest.mark.parametrize("attempt", ATTEMPTS.values(), ids=ATTEMPTS)
@pytest.mark.parametrize("place", ["the file", "its folder"])
def test_a_link_is_refused_by_name(
    attempt: Callable[[Path, Path], object], place: str, root: Path, tmp_path: Path
) -> None:
    (root / "draft").write_bytes(b"ours")
    path = root / "folder" / "thesis"
    if place == "the file":
        path.symlink_to(tmp_path / "theirs" / "thesis")
    else:
        path.parent.rmdir()
        path.parent.symlink_to(tmp_path / "theirs")
    with pytest.raises(
        ForeignFileError, match=r"root/folder(/thesis)? is a link to /.*; nothing was written"
    ) as at:
        attempt(path, root)
    assert at.value.path == (path if place == "the file" else path.parent)
    assert [one.read_bytes() for one in (tmp_path / "theirs").iterdir()] == [THESIS]


@pytest.mark.parametrize("place", ["the file", "its folder"])
def test_a_link_is_not_removed_but_named(place: str, root: Path, tmp_path: Path) -> None:
    (tmp_path / "theirs" / "thesis").write_bytes(b"ours, as it seems")
    path = root / "folder" / "thesis"
    path.parent.rmdir()
    linked = path.parent if place == "its folder" else path
    linked.parent.mkdir(exist_ok=True)
    linked.symlink_to(tmp_path / "theirs" / ("thesis" if linked == path else ""))
    left = files.remove(path, root=root, known=ours)
    assert (left.path, left.reason.split(" to ")[0]) == (linked, "is a link")
    assert (tmp_path / "theirs" / "thesis").exists()
    assert linked.is_symlink()
    assert not files.remove_folder(linked, root=root)


def test_the_root_may_be_a_link(root: Path, tmp_path: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(root)
    write(link / "folder" / "file", link)
    assert (root / "folder" / "file").read_bytes() == b"ours"
    assert files.remove(link / "folder" / "file", root=link, known=ours) is None
    assert list((root / "folder").iterdir()) == []


@pytest.mark.parametrize("what", ["a pipe", "a folder", "a file"])
def test_what_is_not_ours_is_neither_replaced_nor_removed(what: str, root: Path) -> None:
    path = root / "folder" / "file"
    {"a pipe": os.mkfifo, "a folder": os.mkdir, "a file": lambda path: path.write_bytes(THESIS)}[what](path)
    with pytest.raises(ForeignFileError):
        write(path, root)
    assert files.remove(path, root=root, known=ours) == files.would_stay(path, root=root, known=ours)
    assert [one.name for one in path.parent.iterdir()] == ["file"]
    if what != "a file":
        with pytest.raises((ForeignFileError, IsADirectoryError)):
            open_to_write(path, root)


def test_a_file_is_never_emptied_by_opening(root: Path) -> None:
    path = root / "folder" / "file"
    path.write_bytes(THESIS)
    open_to_write(path, root)
    assert path.read_bytes() == THESIS


def test_a_failure_leaves_the_older_file_and_no_draft(root: Path) -> None:
    path = root / "folder" / "file"
    write(path, root)
    with pytest.raises(ZeroDivisionError), files.written(path, root=root, known=ours):
        raise ZeroDivisionError
    assert path.read_bytes() == b"ours"
    assert list(path.parent.iterdir()) == [path]


def test_the_draft_of_a_killed_process_is_no_obstacle(root: Path) -> None:
    path = root / "folder" / "file"
    path.with_name(f"file.{os.getpid()}.tmp").write_bytes(b"half")
    write(path, root)
    assert list(path.parent.iterdir()) == [path]


def test_what_cannot_be_read_is_neither_replaced_nor_removed(
    root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = root / "folder" / "file"
    write(path, root)
    opened = os.open

    def refuse(name: object, *arguments: object, **options: object) -> int:
        if name == "file":
            raise OSError(24, "Too many open files")
        return opened(name, *arguments, **options)

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(UnreadableFileError, match="Too many open files"):
        write(path, root)
    assert files.remove(path, root=root, known=ours).reason == "cannot be read now (Too many open files)"
    assert path.exists()


def test_what_is_gone_is_removed(root: Path) -> None:
    for name in ("folder/file", "no folder/file"):
        assert files.remove(root / name, root=root, known=ours) is None
        files.discard(root / name, root=root)
        files.refuse_foreign(root / name, root=root, known=ours)
    assert files.remove_folder(root / "no folder", root=root)


@pytest.mark.parametrize("beside", ["", "-journal", "-wal", "-shm"])
def test_a_database_with_another_name_is_refused(beside: str, root: Path, tmp_path: Path) -> None:
    path = root / "folder" / f"store.sqlite{beside}"
    path.hardlink_to(tmp_path / "theirs" / "thesis")
    with pytest.raises(ForeignFileError, match="has other names"):
        files.check_database(root / "folder" / "store.sqlite", root=root)


def test_a_file_moves_to_a_free_name_only(root: Path) -> None:
    path, taken, free = root / "folder" / "file", root / "folder" / "taken", root / "new" / "folder" / "file"
    path.write_bytes(b"file")
    taken.write_bytes(THESIS)
    with pytest.raises(FileExistsError):
        files.rename(path, taken, root=root)
    assert (path.read_bytes(), taken.read_bytes()) == (b"file", THESIS)
    files.rename(path, free, root=root)
    assert free.read_bytes() == b"file"
    assert not path.exists()
    path.symlink_to(taken)
    files.rename(path, free.with_name("link"), root=root)
    assert free.with_name("link").readlink() == taken


def test_the_root_is_made_with_what_is_above_and_below_it(tmp_path: Path) -> None:
    root = tmp_path / "new" / "root"
    for _ in range(2):
        files.make_folder(root / "more" / "folders", root=root)
    assert (root / "more" / "folders").is_dir()


@pytest.mark.parametrize(("head", "blank"), [(b"", True), (b"\0\0", True), (b"\0x\0", False), (b"x", False)])
def test_what_a_power_cut_leaves_is_blank(head: bytes, blank: bool) -> None:
    assert files.is_blank(head) is blank


def test_the_root_of_a_path() -> None:
    assert files.root_of(Path("a/b/c/d"), 2) == Path("a")
    assert files.root_of(Path("b/c/d"), 2) == Path()
    assert files.root_of(Path("d"), 2) == Path()
    assert files.root_of(Path("/d"), 2) == Path("/")
