"""Folders that are seen whole or not at all."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def published(folder: Path) -> Iterator[Path]:
    """Gives a draft folder to fill, and puts it in the place of ``folder`` when the block has succeeded.

    After an error the draft is removed and whatever stood in ``folder`` stays as it was.

    Raises:
        OSError: The folder cannot be written.
    """
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = folder.with_name(f".{folder.name}-{uuid.uuid4().hex[:8]}")
    draft.mkdir()
    try:
        yield draft
        _flush(draft)
        _replace(draft, folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def _flush(folder: Path) -> None:
    # A rename can reach the disk before the bytes it points to: after a power cut the name would be there
    # with empty files behind it.
    for path in [*folder.iterdir(), folder]:
        handle = os.open(path, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _replace(draft: Path, folder: Path) -> None:
    # POSIX renames onto empty folders only, so the older one steps aside first and returns on failure.
    older = draft.with_name(f"{draft.name}-older")
    if folder.exists():
        folder.rename(older)
    try:
        draft.rename(folder)
    except OSError:
        if older.exists():
            older.rename(folder)
        raise
    shutil.rmtree(older, ignore_errors=True)
