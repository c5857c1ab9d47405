"""Settling an entry: once its wanted files are published, all others are put away, and in the end deleted."""

from __future__ import annotations

from collections.abc import Collection

from pipeline.cache.entries import Entry, is_features, is_leftover
from pipeline.cache.locks import is_lock
from pipeline.cache.partial_file import refused
from pipeline.cache.reuse import DigestIndex, holds_unique_rows
from pipeline.cache.shards import ShardName
from pipeline.errors import ForeignFileError, UnreadableFileError
from pipeline.files import LeftAlone, remove
from pipeline.publishing import sync_to_disk


def retire_others(
    entry: Entry, wanted: Collection[ShardName], *, held: Collection[str] = ()
) -> list[LeftAlone]:
    """Retires the files, published and partial, that belong to no wanted shard.

    Args:
        entry: Whose files; the caller holds its lock exclusively, so that nobody fills them.
        wanted: The shards that it shall have.
        held: Splits whose other files stay for now: what shall replace them is not whole.

    Returns:
        What stays although it belongs to no wanted shard: links, and what is no file.

    Raises:
        PipelineError: The disk refuses it.
    """
    names = {shard.name for shard in wanted}
    left = []
    with refused(f"the cache at {entry.folder}"):
        for path in [*entry.folder.glob("*.h5"), *entry.folder.glob("*.h5.partial")]:
            shard = ShardName.of(path.name.split(".")[0])
            if shard and shard.name not in names and shard.split not in held:
                try:
                    entry.retire(path)
                except ForeignFileError as error:
                    left.append(LeftAlone(error.path, error.reason))
    return left


def delete_redundant(entry: Entry, wanted: Collection[ShardName]) -> list[LeftAlone]:
    """Deletes retired files that hold no row of their own any more, and what killed runs have left.

    Args:
        entry: Whose files; the caller holds its lock exclusively.
        wanted: The shards that it shall have.

    Returns:
        The retired files that stay because they were not made by this package, or cannot be read now.

    Raises:
        PipelineError: The disk refuses it.
    """
    newer = [path for shard in wanted for path in (entry.file(shard.name), entry.partial(shard.name))]
    with refused(f"the cache at {entry.folder}"):
        digest_index = DigestIndex()  # there may be as many retired files as newer ones
        left = []
        for path in entry.retired():
            try:
                if not holds_unique_rows(path, newer, digest_index=digest_index):
                    left.append(remove(path, root=entry.cache, known=is_features))
            except UnreadableFileError as error:
                left.append(LeftAlone(path, error.reason))
        for path in entry.folder.iterdir():
            if path.suffix == ".tmp" or is_lock(path):
                remove(path, root=entry.cache, known=is_leftover)
        sync_to_disk(entry.folder)
    return [one for one in left if one]
