"""What has reached the disk: the syncs and renames of this process, and what they promise.

A rename can reach the disk before the bytes it points to, and a name after all else. So a file is
to be synced before it gets its name, and then the folder in which it has it.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline import publishing

NOT_PROMISED = (".lock", ".sqlite")
"""Ends of the names of files that say nothing after a power cut, or that SQLite syncs itself."""


class SyncedFiles:
    """Follows files and folders below a root by their inodes.

    Attributes:
        renamed: Names that files and folders were given, relative to the root, in order.
        faults: Names that were given before all bytes behind them were synced.
    """

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.root = root
        self.renamed: list[str] = []
        self.faults: list[str] = []
        self._contents: dict[int, bytes] = {}
        self._names: dict[int, dict[str, int]] = {}
        for name in ("fsync", "fdatasync"):
            monkeypatch.setattr(os, name, self._syncing(getattr(os, name)))
        for name in ("rename", "replace"):
            monkeypatch.setattr(os, name, self._renaming(getattr(os, name)))
        exchange = publishing._exchange
        monkeypatch.setattr(publishing, "_exchange", self._renaming(exchange))

    def lost_in_a_power_cut(self) -> list[str]:
        """Lists the files below the root that are not on the disk as they are, under the names they have."""
        files = self._files(self.root)
        return [str(path.relative_to(self.root)) for path in files if not self._is_safe(path)]

    def _is_safe(self, path: Path) -> bool:
        if path.name.endswith(NOT_PROMISED):
            return True
        above = [path, *(folder for folder in path.parents if self._was_renamed(folder))]
        return self._is_synced(path) and all(
            self._names.get(one.parent.stat().st_ino, {}).get(one.name) == one.stat().st_ino for one in above
        )

    def _was_renamed(self, folder: Path) -> bool:
        return folder.is_relative_to(self.root) and str(folder.relative_to(self.root)) in self.renamed

    def _is_synced(self, path: Path) -> bool:
        return self._contents.get(path.stat().st_ino) == path.read_bytes()

    def _syncing(self, original: Callable[[int], None]) -> Callable[[int], None]:
        def sync(file: int) -> None:
            original(file)
            path = Path(os.readlink(f"/proc/self/fd/{file}"))
            if path.is_dir():
                self._names[path.stat().st_ino] = {one.name: one.inode() for one in os.scandir(path)}
            else:
                self._contents[path.stat().st_ino] = path.read_bytes()

        return sync

    def _renaming(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def rename(source: Any, target: Any, **folders: int) -> Any:
            old = _place(source, folders.get("src_dir_fd"))
            new = _place(target, folders.get("dst_dir_fd"))
            unsynced = [path for path in self._files(old) if not self._is_synced(path)]
            result = original(source, target, **folders)
            if result is not False and new.is_relative_to(self.root):
                self.renamed.append(str(new.relative_to(self.root)))
                self.faults += [f"{path.name} at {self.renamed[-1]}" for path in unsynced]
            return result

        return rename

    @staticmethod
    def _files(path: Path) -> Iterator[Path]:
        below = sorted(path.rglob("*")) if path.is_dir() else [path]
        return (one for one in below if one.is_file() and not one.is_symlink())


def _place(path: Any, folder: int | None) -> Path:
    return Path(path) if folder is None else Path(os.readlink(f"/proc/self/fd/{folder}"), path)
