"""Folders that this package puts beside images: caches and runs are no class, and plots no images."""

from __future__ import annotations

import os
from itertools import islice

_RECORDS = {
    "spec.json": b'"weights_label"',
    "head.json": b'"feature_shape"',
    "evaluations.jsonl": b'"answers"',
    "leaderboard.json": b'"chosen_on"',
}
"""Files that stand in an entry of a cache or of the runs, and a key of each."""

_DEPTH = 3  # <runs>/<dataset>/<entry>/<head>/head.json
_LOOKED_AT = 64  # a folder may hold a million images
_FOLDERS = 4
_HEAD = 1 << 16


def is_own_folder(folder: str, depth: int = _DEPTH) -> bool:
    """Tells by the records in it, or a few folders further down, whether this package made a folder.

    Args:
        folder: Its path; no link is followed.
        depth: How many folders further down records may stand.
    """
    try:
        with os.scandir(folder) as entries:
            found = list(islice(entries, _LOOKED_AT))
        if any(_is_record(entry) for entry in found):
            return True
        below = [entry.path for entry in found if entry.is_dir(follow_symlinks=False)]
    except OSError:
        return False  # whoever lists it says so
    return depth > 0 and any(is_own_folder(path, depth - 1) for path in sorted(below)[:_FOLDERS])


def _is_record(entry: os.DirEntry[str]) -> bool:
    key = _RECORDS.get(entry.name)
    if key is None or not entry.is_file(follow_symlinks=False):
        return False
    with open(entry.path, "rb") as file:
        return key in file.read(_HEAD)
