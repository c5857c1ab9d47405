"""Small disks that tests fill up, where this machine allows to mount any."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass
class Disk:
    """A file system in memory.

    Attributes:
        root: Where it is mounted.
    """

    root: Path

    @property
    def ballast(self) -> Path:
        """What takes the room away."""
        return self.root / "ballast"

    @property
    def free(self) -> int:
        """Bytes."""
        return shutil.disk_usage(self.root).free

    def fill(self, *, leave: int = 0) -> None:
        """Leaves so many bytes free."""
        self.ballast.write_bytes(b"")
        self.ballast.write_bytes(b"x" * max(0, self.free - leave))
        assert self.free <= leave

    def fill_inodes(self) -> None:
        """Leaves no room for another name."""
        self.ballast.mkdir()
        number = 0
        with suppress(OSError):
            while True:
                (self.ballast / str(number := number + 1)).touch()

    def make_room(self) -> None:
        """Takes the ballast away."""
        if self.ballast.is_dir():
            shutil.rmtree(self.ballast)
        else:
            self.ballast.unlink()

    def remount(self, option: str) -> None:
        """``ro`` or ``rw``: even root cannot write to what is mounted read-only."""
        subprocess.run(["mount", "-o", f"remount,{option}", self.root], check=True)


@contextmanager
def mounted(root: Path, *, megabytes: int, inodes: int) -> Iterator[Disk]:
    """Mounts a disk; the test is skipped where that is not allowed."""
    root.mkdir()
    options = f"size={megabytes}m,nr_inodes={inodes}"
    command = ["mount", "-t", "tmpfs", "-o", options, "tmpfs", str(root)]
    if not shutil.which("mount") or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("no file system can be mounted here")
    try:
        yield Disk(root)
    finally:
        subprocess.run(["umount", "--lazy", root], check=True)
