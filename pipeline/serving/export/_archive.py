"""Texts inside files that are, or may end with, a zip archive."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path


def add_texts(path: Path, texts: Mapping[str, str]) -> None:
    """Adds each text as ``<name>.json`` to the archive in a file, or appends an archive to the file."""
    with zipfile.ZipFile(path, "a") as archive:
        for name, text in texts.items():
            archive.writestr(f"{name}.json", text)


def read_texts(path: Path, names: tuple[str, ...] = ("classes", "about")) -> dict[str, str]:
    """Reads what :func:`add_texts` added."""
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(f"{name}.json").decode() for name in names}
