"""The one file of an ensemble: an archive with the file of each member, and the shapes of the cuts."""

from __future__ import annotations

import json
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

from pipeline.plain_json import parse_json

T = TypeVar("T")
Shapes = tuple[tuple[int, ...], ...]
"""Shape of one row's features at each cut."""

SHAPES = "shapes.json"
_MOST_TEXT = 1 << 16


def write_archive(path: Path, shapes: Shapes, saves: Mapping[str, Callable[[Path], None]]) -> None:
    """Writes an archive, nothing in it compressed.

    Args:
        path: The file.
        shapes: Of the features.
        saves: By the name of each file in it, what writes it.
    """
    with zipfile.ZipFile(path, "w") as archive, tempfile.TemporaryDirectory() as folder:
        archive.writestr(SHAPES, json.dumps(shapes))
        for name, save in saves.items():
            save(Path(folder, name))
            archive.write(Path(folder, name), name)


def read_archive(path: Path, loads: Mapping[str, Callable[[Path, Shapes], T]]) -> tuple[Shapes, list[T]]:
    """Reads an archive, which can come from anywhere.

    Args:
        path: The file.
        loads: By the name of each file in it, what reads it, given the shapes as well.

    Returns:
        The shapes, and what was read, in the order of ``loads``.

    Raises:
        ValueError: It is another archive, or a part of it is compressed, which could be of any size.
    """
    with zipfile.ZipFile(path) as archive, tempfile.TemporaryDirectory() as folder:
        parts = archive.infolist()
        if sorted(part.filename for part in parts) != sorted([SHAPES, *loads]):
            raise ValueError("it holds other files than those of the members")
        room = path.stat().st_size
        if any(part.compress_type != zipfile.ZIP_STORED or part.file_size > room for part in parts):
            raise ValueError("a part of it is compressed, or larger than the whole")
        shapes = _shapes(archive)
        return shapes, [load(Path(archive.extract(name, folder)), shapes) for name, load in loads.items()]


def _shapes(archive: zipfile.ZipFile) -> Shapes:
    if archive.getinfo(SHAPES).file_size > _MOST_TEXT:
        raise ValueError("its shapes are too long")
    shapes = parse_json(archive.read(SHAPES))
    if not isinstance(shapes, list) or not all(map(_is_shape, shapes)):
        raise ValueError("its shapes are none")
    return tuple(map(tuple, shapes))


def _is_shape(value: object) -> bool:
    return isinstance(value, list) and bool(value) and all(type(side) is int and side > 0 for side in value)
