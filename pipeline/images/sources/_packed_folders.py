"""Folders that hold images packed into a few files: told from folders of images by their names alone."""

from __future__ import annotations

import os
from collections.abc import Iterator
from itertools import islice

from pipeline.images.formats.kinds import READ

PARQUET = (".parquet", ".pq")
"""Suffixes of Parquet files."""

_SAVED = ({"dataset_dict.json"}, {"dataset_info.json", "state.json"})
_LOOKED_AT = 256  # a folder may hold a million images
_FOLDERS = 16
_DEPTH = 3  # <name>/<config>/<split>/0000.parquet


def is_saved_dataset(uri: str) -> bool:
    """Tells whether an address is a folder that Hugging Face's ``save_to_disk`` has written."""
    folder = os.path.expanduser(uri)
    return os.path.isdir(folder) and any(
        all(os.path.isfile(os.path.join(folder, name)) for name in names) for names in _SAVED
    )


def is_parquet_folder(uri: str) -> bool:
    """Tells whether an address is a folder with Parquet files, and no images as far as is looked."""
    folder = os.path.expanduser(uri)
    if not os.path.isdir(folder) or is_saved_dataset(uri):
        return False
    found = set()
    for name in _files(folder, _DEPTH):
        suffix = os.path.splitext(name)[1].lower()
        if suffix in READ:
            return False
        found.add(suffix)
    return not found.isdisjoint(PARQUET)


def is_packed_folder(uri: str) -> bool:
    """Tells whether a folder is one of these."""
    return is_saved_dataset(uri) or is_parquet_folder(uri)


def _files(folder: str, depth: int) -> Iterator[str]:
    """Yields the first names of files in a folder, and in the first of those below it."""
    try:
        with os.scandir(folder) as entries:
            found = list(islice((entry for entry in entries if not entry.name.startswith(".")), _LOOKED_AT))
            folders = sorted(entry.path for entry in found if entry.is_dir(follow_symlinks=False))
    except OSError:
        return  # whoever lists it says so
    yield from (entry.name for entry in found if entry.path not in folders)
    if depth:
        for inner in folders[:_FOLDERS]:
            yield from _files(inner, depth - 1)
