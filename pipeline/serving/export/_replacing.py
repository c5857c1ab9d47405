"""Exports that are seen whole or not at all."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from pipeline.files import make_folder, refuse_links, replace
from pipeline.publishing import put_in_place, sync_to_disk
from pipeline.run_files import is_of_a_saved_model, is_of_an_export


@contextmanager
def replacing(target: Path, *, root: Path | None = None) -> Iterator[Path]:
    """Gives the path of a draft, and puts it in the place of ``target`` when the block has succeeded.

    After an error, or Ctrl-C, the draft is removed and whatever stood there stays as it was.

    Args:
        target: A file or folder; an older model, see ``Format.recognises``, gives way.
        root: The folder that the user named; None where that is the target itself, which may then be a link.

    Raises:
        ForeignFileError: A link stands on the way below ``root``, or something else is no model.
        OSError: It cannot be written.
    """
    if root is None:
        target = target.resolve()
        root = target.parent
    make_folder(target.parent, root=root)
    refuse_links(target, root=root, folder=target.is_dir())
    with TemporaryDirectory(prefix=".export-", dir=target.parent) as scratch:
        draft = Path(scratch, f"draft{target.suffix}")
        yield draft
        _flush(draft)
        if draft.is_dir():
            put_in_place(draft, target, root=root, known=is_of_a_saved_model)
        else:
            replace(draft, target, root=root, known=is_of_an_export)


def _flush(path: Path) -> None:
    # A rename can reach the disk before the bytes it points to: after a power cut the name would be there
    # with empty files behind it.
    for part in [*path.rglob("*"), path]:
        sync_to_disk(part)
