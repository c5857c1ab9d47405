"""A folder of images in a remote store (``s3://bucket/photos``), read through fsspec without a local copy."""

from __future__ import annotations

from dataclasses import dataclass, field

from pipeline.images.image_list import ImageListBuilder
from pipeline.images.source import ImageItem, ListedSource
from pipeline.images.source_options import SourceOptions
from pipeline.images.sources._left_out import Patterns
from pipeline.images.sources._remote_storage import RemoteStorage
from pipeline.images.sources._shards import is_shards
from pipeline.images.sources._stores import connect, protocol_of
from pipeline.images.sources._unlabelled_images import images_of_tree
from pipeline.images.sources._walk import Walker

ADDRESS = "a remote folder (s3://, gs://, az://, hf://, sftp://, https://; laid out like a local one)"

OPTIONS: tuple[str, ...] = ("label_column", "leave_out")


def claims(uri: str) -> bool:
    """Tells whether the address begins with the protocol of a store, and is not one of tar shards."""
    return protocol_of(uri) is not None and not is_shards(uri)


def open_uri(uri: str, options: SourceOptions) -> RemoteSource:
    """Lists the images of a remote folder, laid out as a local one; nothing is downloaded yet.

    Raises:
        UsageError: There is no such folder, it must not be read, it is laid out differently, or a package is
            missing.
        PipelineError: The store does not answer.
    """
    storage = RemoteStorage(*connect(uri))
    walker = Walker(storage, Patterns(options.leave_out))
    images = images_of_tree(walker, options)
    builder = ImageListBuilder()
    for name, split, label in images:
        builder.add(name, label, split=split, version=walker.versions.pop(name, None))
    listed = builder.finish(labels=images.labels)
    notes = images.notes()
    address = storage.address
    if unknown := int((~listed.versioned).sum()):
        notes += (
            f"{address} states no version of {unknown:,} images: their content is read again by every run",
        )
    return RemoteSource(
        uri=address,
        name=storage.root.rsplit("/", 1)[-1] or "images",
        classes=images.classes,
        notes=notes,
        listed=listed,
        storage=storage,
        left_out=walker.omissions.left_out(),
    )


@dataclass(frozen=True, eq=False, kw_only=True)
class RemoteSource(ListedSource):
    """An image source in a remote store.

    Attributes:
        storage: Its folder in the store.
    """

    storage: RemoteStorage = field(repr=False)

    def read(self, item: ImageItem) -> bytes:
        """Downloads one image into memory, with retries.

        Raises:
            OSError: It is gone, larger than 1 GiB, or the store does not answer.
        """
        return self.storage.download(item.id)
