"""Images in rows with typed columns: the source that Parquet files and data sets of Hugging Face become."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

from pipeline.errors import UsageError
from pipeline.images.source import ImageItem, LeftOut
from pipeline.images.source_options import SourceOptions
from pipeline.images.sources._files import MAX_BYTES
from pipeline.images.sources._row_files import OpenFiles, RowFile
from pipeline.images.sources._row_listing import RowListing
from pipeline.images.sources._table_paths import NamedFiles
from pipeline.images.sources._typed_columns import ImageColumn
from pipeline.images.sources._words import on_one_line, printable


@dataclass(frozen=True, eq=False, kw_only=True)
class RowSource(NamedFiles):
    """An image source in rows of a table that hold the images, or paths to them.

    Attributes:
        files: The files of the table.
        images: The column of the images of each file, by its name.
    """

    files: Sequence[RowFile] = field(repr=False)
    images: dict[str, ImageColumn] = field(repr=False)
    _open: OpenFiles = field(default_factory=OpenFiles, init=False, repr=False)

    @property
    def root(self) -> str:
        """What the stat cache knows images below: the same for all addresses of the same files."""
        return str(self.folder)

    @cached_property
    def _by_name(self) -> dict[str, RowFile]:
        return {file.name: file for file in self.files}

    def read(self, item: ImageItem) -> bytes:
        """Returns the encoded image of a row, or of the file that it names.

        Raises:
            OSError: It is not there, is larger than 1 GiB, or cannot be read.
        """
        if item.path is not None:
            return super().read(item)
        name, row = item.id.removesuffix("]").rsplit("[", 1)
        data = self._open.of(self._by_name[name], self.images[name]).at(int(row))
        if data is None:
            raise OSError("the row holds no image (null)")
        if len(data) > MAX_BYTES:
            raise OSError(f"{len(data):,} bytes are more than the limit of {MAX_BYTES:,}")
        return data


def row_source(
    uri: str,
    name: str,
    files: Sequence[RowFile],
    options: SourceOptions,
    *,
    folder: Path,
    left_out: Sequence[LeftOut] = (),
) -> RowSource:
    """Lists the rows of some files as one source; their images are not read.

    Args:
        uri: Canonical address.
        name: Default name of the data set.
        files: The files, at least one.
        options: How they are to be read.
        folder: What paths in them are relative to.
        left_out: What stands beside them and is not read.

    Raises:
        UsageError: A file is damaged, holds no column of images or labels, or can be understood in two ways.
    """
    listing = RowListing(uri, files, options, folder)
    for file in files:
        listing.add(file)
    listed, classes = listing.table.finish()
    if not len(listed):
        raise UsageError(f"{on_one_line(uri)} has no rows: expected an image a row")
    if listing.table.told_last:
        raise listing.table.told_last
    return RowSource(
        uri=printable(uri),
        name=printable(name),
        classes=classes,
        notes=(*listing.remarks, *listing.table.remarks(classes, cut_off=lambda: False)),
        listed=listed,
        targets=listing.table.targets,
        left_out=tuple(left_out),
        folder=folder,
        files=files,
        images=listing.images,
    )
