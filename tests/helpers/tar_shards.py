"""Tar shards, made by the tests."""

from __future__ import annotations

import io
import os
import tarfile
import time
from pathlib import Path
from typing import Any

from photos import noise
from PIL import Image


def png(seed: int, side: int = 8) -> bytes:
    """Returns a small picture that no other seed has."""
    file = io.BytesIO()
    Image.fromarray(noise(seed, side)).save(file, "PNG")
    return file.getvalue()


def member(name: str, content: bytes | str | int, **header: object) -> tuple[tarfile.TarInfo, bytes]:
    """Returns a member for ``write_tar``: bytes, text, or the seed of a picture; ``header`` sets fields."""
    if isinstance(content, int):
        content = png(content)
    data = content.encode() if isinstance(content, str) else content
    info = tarfile.TarInfo(name)
    info.size = len(data)
    for key, value in header.items():
        setattr(info, key, value)
    return info, data


def write_tar(path: Path, members: dict[str, bytes | str | int], **options: Any) -> Path:
    """Writes a shard with the given members in their order."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w", **options) as tar:
        for name, content in members.items():
            info, data = member(name, content)
            tar.addfile(info, io.BytesIO(data))
    return path


def raw_tar(*parts: tuple[tarfile.TarInfo, bytes] | bytes, closed: bool = True) -> bytes:
    """Joins members, and bytes as they are, to a tar file in memory."""
    blocks = []
    for part in parts:
        if isinstance(part, bytes):
            blocks.append(part)
        else:
            info, data = part
            blocks += [info.tobuf(tarfile.GNU_FORMAT), data, bytes(-len(data) % tarfile.BLOCKSIZE)]
    return b"".join([*blocks, bytes(1024) if closed else b""])


def settle(path: Path) -> Path:
    """Sets a file's time back and lets the clock tick, so that a later change is bound to show."""
    os.utime(path, ns=(10**18, 10**18))
    time.sleep(0.03)
    return path
