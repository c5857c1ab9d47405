"""Two images of disks that differ in nothing but the pictures in them, mounted one after the other."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from photos import noise
from PIL import Image

from pipeline.images import open_images
from pipeline.images.manifest import scan

PICTURES = 24
LONG_AGO = 1_500_000_000
IDENTITY = "00000000-0000-4000-8000-000000000001"


def run(*command: object) -> None:
    if not shutil.which(str(command[0])):
        pytest.skip(f"{command[0]} is not installed")
    subprocess.run(list(map(str, command)), check=True, capture_output=True)


def squashfs(folder: Path, image: Path) -> None:
    run("mksquashfs", folder, image, "-noappend")


def erofs(folder: Path, image: Path) -> None:
    run("mkfs.erofs", "-T", LONG_AGO, "-U", IDENTITY, image, folder)


def ext4(folder: Path, image: Path) -> None:
    """As newer versions of mke2fs make it where SOURCE_DATE_EPOCH is set."""
    run("mke2fs", "-q", "-t", "ext4", "-d", folder, "-U", IDENTITY, image, "4M")
    names = [f"/{path.relative_to(folder)}" for path in folder.rglob("*.bmp")]
    fields = (("ctime", f"@{LONG_AGO}"), ("ctime_extra", "0"))
    script = image.with_suffix(".debugfs")
    script.write_text("".join(f"sif {name} {field} {value}\n" for name in names for field, value in fields))
    run("debugfs", "-w", "-f", script, image)


@contextmanager
def mounted(image: Path, place: Path) -> Iterator[None]:
    command = ["mount", "-o", "loop,ro", str(image), str(place)]
    if not shutil.which("mount") or subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip(f"{image.suffix[1:]} cannot be mounted here")
    try:
        yield
    finally:
        subprocess.run(["umount", str(place)], check=True)


def pictures(folder: Path, seed: int) -> None:
    """Writes pictures of equal size for each seed, all changed at the same time."""
    for number in range(PICTURES):
        path = folder / "train" / f"class{number % 2}" / f"{number}.bmp"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(noise(seed + number)).save(path)
    for path in [folder, *folder.rglob("*")]:
        os.utime(path, (LONG_AGO, LONG_AGO))


@pytest.mark.parametrize("make", [squashfs, erofs, ext4])
def test_the_pictures_of_the_second_are_not_taken_for_those_of_the_first(
    make: Callable[[Path, Path], None], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", str(LONG_AGO))
    place, cache = tmp_path / "place", tmp_path / "digests.sqlite"
    place.mkdir()
    for seed in (0, 1000, 0):
        folder, image = tmp_path / f"pictures{seed}", tmp_path / f"image{seed}.{make.__name__}"
        pictures(folder, seed)
        make(folder, image)
        with mounted(image, place):
            for _ in range(2):
                found = scan(open_images(str(place)), cache)
                expected = scan(open_images(str(folder)))
                assert found.splits.keys() == expected.splits.keys()
                for split, rows in expected.splits.items():
                    assert found.splits[split].digests.tolist() == rows.digests.tolist()
        shutil.rmtree(folder)
        image.unlink()
