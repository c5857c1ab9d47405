"""Exports that are seen whole or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from pipeline.publishing import replace_folder, sync_to_disk


@contextmanager
def replacing(target: Path) -> Iterator[Path]:
    """Gives the path of a draft, and puts it in the place of ``target`` when the block has succeeded.

    After an error, or Ctrl-C, the draft is removed and whatever stood there stays as it was.

    Args:
        target: A file or folder.

    Raises:
        OSError: It cannot be written.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix=".export-", dir=target.parent) as scratch:
        draft = Path(scratch, f"draft{target.suffix}")
        yield draft
        _flush(draft)
        if target.is_dir():
            replace_folder(draft, target)
        else:
            draft.replace(target)


def _flush(path: Path) -> None:
    # A rename can reach the disk before the bytes it points to: after a power cut the name would be there
    # with empty files behind it.
    for part in [*path.rglob("*"), path]:
        sync_to_disk(part)
