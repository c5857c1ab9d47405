"""File systems whose time of the last change can be relied on, and what tells one mount from another.

``st_ctime`` moves with every change of a file, and no tool can set it back, where the file system keeps it
for itself (POSIX, ``<sys/stat.h>`` and ``utimensat``; Linux, ``inode_set_ctime_current`` in every write,
truncation and rename). Not all do; ``docs/cache-format.md`` has the reasons.
"""

from __future__ import annotations

import ctypes
import os
import re
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

TRUSTED = frozenset(
    (
        *("ext2", "ext3", "ext4", "xfs", "btrfs", "zfs", "f2fs", "bcachefs"),
        *("nfs", "nfs4"),  # the times of the server
        *("overlay", "apfs"),
    )
)
"""Kinds that keep a change time of their own, in parts of a second.

Not among them: images that are mounted (squashfs, erofs, iso9660, udf, cramfs, romfs: written into the image
by whoever made it), vfat and exfat (it is the time of modification, which can be set), ntfs and its kin (can
be set), tmpfs and ramfs (a mapped page that is written to moves it once only), and fuse, 9p, virtiofs, cifs
and clusters (whatever stands behind them says).
"""

_MOUNTS = Path("/proc/self/mountinfo")
_LAYERS = re.compile(r"(?:^|,)(?:lowerdir|upperdir|datadir)\+?=([^,]*)")


@dataclass(frozen=True)
class FileSystem:
    """Where a file stands.

    Attributes:
        kind: Its type, as the kernel names it; empty where nobody says.
        identity: What tells it from another that may be mounted at the same place.
        trusted: Whether a change of a file is bound to show in ``st_ctime``.
    """

    kind: str = ""
    identity: str = ""
    trusted: bool = False


@dataclass(frozen=True)
class Mount:
    """A line of ``/proc/self/mountinfo``; see proc_pid_mountinfo(5).

    Attributes:
        device: ``st_dev`` of its files, on most file systems.
        point: Where it is mounted.
        kind: Type of the file system.
        source: What is mounted: a device, or an address.
        options: Options of the file system, as they stand there.
    """

    device: int
    point: str
    kind: str
    source: str
    options: str


class FileSystems:
    """Looks up the file system of files, once for each device; one for each run, since mounts change."""

    def __init__(self, mounts: Callable[[], list[Mount] | None] | None = None) -> None:
        """Looks up nothing yet.

        Args:
            mounts: Lists what is mounted, the last one on top; None = ``read_mounts``.
        """
        self._read = mounts or read_mounts
        self._known: dict[int, FileSystem] = {}

    def of(self, path: str | Path, device: int) -> FileSystem:
        """Returns the file system of a file.

        Args:
            path: The file.
            device: Its ``st_dev``.
        """
        if device not in self._known:
            self._known[device] = self._look_up(path, device)
        return self._known[device]

    @cached_property
    def _mounts(self) -> list[Mount] | None:
        return self._read()

    def _look_up(self, path: str | Path, device: int) -> FileSystem:
        try:
            number = os.statvfs(path).f_fsid
            if self._mounts is None:
                kind = _kind_on_macos(path)
                return FileSystem(kind, f"{kind} {number:x}", kind in TRUSTED)
            mount = self._mount(path, device)
        except (OSError, ValueError):
            return FileSystem()
        if mount is None:
            return FileSystem()
        trusted = mount.kind in TRUSTED and all(map(self._is_trusted, _layers(mount)))
        return FileSystem(mount.kind, f"{mount.kind} {mount.source} {number:x}", trusted)

    def _mount(self, path: str | Path, device: int) -> Mount | None:
        """Finds a mount by its device; subvolumes of btrfs and layers of overlays are found by their path."""
        mounts = self._mounts or []
        for mount in reversed(mounts):
            if mount.device == device:
                return mount
        place = os.path.join(os.path.realpath(path), "")
        above = [mount for mount in mounts if place.startswith(os.path.join(mount.point, ""))]
        return max(reversed(above), key=lambda mount: len(mount.point), default=None)

    def _is_trusted(self, folder: str) -> bool:
        """Tells whether a layer of an overlay can be relied on.

        Of one that a container hides nothing is known; there, parts of a second in a change time (see
        ``Stamps``) tell real file systems from images.
        """
        try:
            return self.of(folder, os.stat(folder).st_dev).trusted
        except OSError:
            return True


def read_mounts() -> list[Mount] | None:
    """Lists what is mounted; None on systems that do not say."""
    try:
        text = _MOUNTS.read_text("utf-8", "surrogateescape")
    except OSError:
        return None
    return list(_parsed(text))


def _parsed(text: str) -> Iterator[Mount]:
    for line in text.splitlines():
        before, _, after = line.partition(" - ")
        fields, described = before.split(" "), after.split(" ")
        if len(fields) < 6 or len(described) < 3:
            continue
        major, _, minor = fields[2].partition(":")
        kind, source, options = described[:3]
        device = os.makedev(int(major), int(minor))
        yield Mount(device, _plain(fields[4]), kind, _plain(source), options)


def _plain(field: str) -> str:
    r"""Undoes ``\040`` for a blank, and the like."""
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), field)


def _layers(mount: Mount) -> list[str]:
    """Lists the folders that an overlay lays one over the other."""
    if mount.kind != "overlay":
        return []
    lists = map(_plain, _LAYERS.findall(mount.options))
    folders = (folder for text in lists for folder in re.split(r"(?<!\\):+", text))
    return [re.sub(r"\\(.)", r"\1", folder) for folder in folders if folder]


def _kind_on_macos(path: str | Path) -> str:
    """Asks statfs(2) for the name of the file system's type; empty on other systems."""
    if sys.platform != "darwin":
        return ""
    library = ctypes.CDLL(None, use_errno=True)
    ask = getattr(library, "statfs$INODE64", None) or library.statfs
    answer = ctypes.create_string_buffer(4096)
    if ask(os.fsencode(path), answer):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return answer.raw[72:88].partition(b"\0")[0].decode("ascii", "replace")  # char f_fstypename[16]
