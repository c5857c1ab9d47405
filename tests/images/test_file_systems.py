from __future__ import annotations

import os
from pathlib import Path

import pytest

from pipeline.images import file_systems
from pipeline.images.file_systems import TRUSTED, FileSystems, Mount, read_mounts

TABLE = """\
27 1 254:0 / / rw,relatime - ext4 /dev/vda rw,discard
28 27 0:21 / /proc rw - proc proc rw
30 27 7:0 / /mnt/photos ro shared:5 - squashfs /dev/loop0 ro
31 27 7:1 / /mnt/my\\040photos ro master:2 propagate_from:1 - erofs /dev/loop1 ro
32 27 0:40 /sub /mnt/big rw - btrfs /dev/sdb rw,subvol=/sub
33 27 0:50 / /merged rw - overlay overlay rw,lowerdir=/mnt/photos:/lower,upperdir=/upper
a line of another kind
"""


def mount(kind: str, device: int, point: str = "/", options: str = "rw") -> Mount:
    return Mount(device, point, kind, f"/dev/{kind}", options)


def at(path: Path, *mounts: Mount) -> file_systems.FileSystem:
    return FileSystems(lambda: list(mounts)).of(path, os.stat(path).st_dev)


def test_the_table_of_mounts_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    table = tmp_path / "mountinfo"
    table.write_text(TABLE)
    monkeypatch.setattr(file_systems, "_MOUNTS", table)
    mounts = read_mounts()
    assert [one.kind for one in mounts] == ["ext4", "proc", "squashfs", "erofs", "btrfs", "overlay"]
    assert mounts[3] == Mount(os.makedev(7, 1), "/mnt/my photos", "erofs", "/dev/loop1", "ro")
    monkeypatch.setattr(file_systems, "_MOUNTS", tmp_path / "none")
    assert read_mounts() is None


@pytest.mark.parametrize("kind", sorted(TRUSTED))
def test_file_systems_with_a_change_time_of_their_own_are_trusted(kind: str, tmp_path: Path) -> None:
    assert at(tmp_path, mount(kind, tmp_path.stat().st_dev)).trusted


@pytest.mark.parametrize(
    "kind",
    [
        *("squashfs", "erofs", "iso9660", "udf", "cramfs", "romfs", "vfat", "msdos", "exfat", "ntfs3"),
        *("fuse", "fuseblk", "fuse.sshfs", "fuse.squashfuse", "9p", "virtiofs", "cifs", "smb3"),
        *("tmpfs", "ramfs", "one of next year"),
    ],
)
def test_all_others_are_not(kind: str, tmp_path: Path) -> None:
    found = at(tmp_path, mount(kind, tmp_path.stat().st_dev))
    assert (found.kind, found.trusted) == (kind, False)


def test_the_mount_on_top_counts(tmp_path: Path) -> None:
    device = tmp_path.stat().st_dev
    assert at(tmp_path, mount("ext4", device), mount("squashfs", device)).kind == "squashfs"


def test_a_device_that_is_in_no_table_is_found_by_its_path(tmp_path: Path) -> None:
    inside = tmp_path / "inside"
    inside.mkdir()
    link = tmp_path / "link"
    link.symlink_to(inside)
    mounts = [mount("ext4", 1, "/"), mount("btrfs", 2, f"{inside}"), mount("xfs", 3, f"{tmp_path}/ins")]
    assert at(inside, *mounts).kind == "btrfs"
    assert at(link, *mounts).kind == "btrfs"
    assert at(tmp_path, *mounts).kind == "ext4"
    assert at(tmp_path) == file_systems.FileSystem()


def test_two_mounts_differ(tmp_path: Path) -> None:
    device = tmp_path.stat().st_dev
    one = at(tmp_path, Mount(device, "/", "ext4", "/dev/loop0", ""))
    other = at(tmp_path, Mount(device, "/", "ext4", "/dev/loop1", ""))
    assert one.identity != other.identity
    assert f"{os.statvfs(tmp_path).f_fsid:x}" in one.identity


@pytest.mark.parametrize(
    ("lower", "trusted"), [("ext4", True), ("squashfs", False), ("tmpfs", False), (None, True)]
)
@pytest.mark.parametrize(
    "options",
    [
        "rw,lowerdir={0},upperdir=/nowhere/upper,workdir=/nowhere/work",
        "rw,lowerdir=/nowhere/a:{0}:/nowhere/b",
        "rw,lowerdir+=/nowhere/a,lowerdir+={0}",
        "rw,lowerdir=/nowhere/a::{0},redirect_dir=on",
        "rw,lowerdir=/nowhere/a,upperdir={0}",
    ],
)
def test_an_overlay_is_what_its_layers_are(
    options: str, lower: str | None, trusted: bool, tmp_path: Path
) -> None:
    layer = tmp_path / "a layer: the first, of two"
    if lower:
        layer.mkdir()
    escaped = "".join({" ": "\\040", ",": "\\054", ":": "\\134:"}.get(c, c) for c in str(layer))
    mounts = [
        mount("overlay", 1, "/merged", options.format(escaped)),
        mount(lower or "ext4", tmp_path.stat().st_dev),
    ]
    assert FileSystems(lambda: mounts).of("/", 1).trusted is trusted


def test_where_nobody_says_what_is_mounted_nothing_is_trusted(tmp_path: Path) -> None:
    found = FileSystems(lambda: None).of(tmp_path, tmp_path.stat().st_dev)
    assert found.trusted is (found.kind in TRUSTED)
    if os.uname().sysname != "Darwin":
        assert not found.trusted


def test_mounts_are_looked_up_once_and_each_device_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []
    statvfs = os.statvfs
    monkeypatch.setattr(os, "statvfs", lambda path: asked.append(path) or statvfs(path))
    device = tmp_path.stat().st_dev
    known = FileSystems(lambda: asked.append("mounts") or [mount("ext4", device)])
    for name in "abc":
        assert known.of(tmp_path, device).trusted, name
    assert asked == [tmp_path, "mounts"]
