"""Mapping a feature file while another process may put a newer one in its place."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Protocol, TypeVar

import numpy as np

from pipeline.cache.layout import Layout
from pipeline.cache.reading import open_layout


class _Mappable(Protocol):
    @property
    def features(self) -> np.ndarray: ...


_T = TypeVar("_T", bound=_Mappable)


def open_mapped(path: Path) -> Layout:
    """Opens a feature file and maps its features, both from the same version of it.

    Raises:
        UsageError: There is no such file.
        CacheMismatchError: The file was read, and is foreign, damaged, or of another schema version.
        UnreadableFileError: The system does not let it be read now.
    """
    return mapped(path, open_layout)


def mapped(path: Path, open_it: Callable[[Path], _T]) -> _T:
    """Opens a file in some way and maps its features, both from the same version of it.

    The path is followed twice, by the HDF5 library and for the map, and it may lead to another file the
    second time: rows of one would then stand beside the features of the other.
    """
    while True:
        before = _version(path)
        try:
            layout = open_it(path)
            layout.features  # noqa: B018 - mapped now, kept by the layout
        except Exception:
            if _version(path) == before:
                raise
            continue
        if _version(path) == before:
            return layout


def _version(path: Path) -> tuple[int, int, int] | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino, status.st_size
