"""Rows in Arrow files as Hugging Face keeps them: mapped into memory, so that only what is read is loaded."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from pipeline.errors import UsageError, reason_of
from pipeline.images.sources._row_files import BLOCK, RowBlock, block_of, encoded_in
from pipeline.images.sources._typed_columns import ImageColumn
from pipeline.images.sources._words import on_one_line
from pipeline.images.stat_cache import Stamps
from pipeline.runtimes.arrow import import_arrow

if TYPE_CHECKING:
    import pyarrow as pa

_FILE_MAGIC = b"ARROW1"


class ArrowRows:
    """The rows of a split, in one Arrow file or several; see ``_row_files.RowFile``.

    Attributes:
        parts: Paths of the files, in order.
    """

    def __init__(self, name: str, parts: Sequence[str], split: str | None) -> None:
        """Names the files, which are opened when they are first asked for.

        Args:
            name: Begins the ids of the images.
            parts: Paths of the files, at least one.
            split: The split that these rows are said to be; None = none is stated.
        """
        self.name, self.parts, self.split = name, list(parts), split
        self.path = self.parts[0] if len(self.parts) == 1 else os.path.dirname(self.parts[0])

    def __reduce__(self) -> tuple[type[ArrowRows], tuple[str, list[str], str | None]]:
        """Leaves out what no other process can use."""
        return ArrowRows, (self.name, self.parts, self.split)

    def __len__(self) -> int:
        return int(self._table.num_rows)

    @cached_property
    def version(self) -> str | None:
        """What tells the content from a later one; None where that cannot be relied on."""
        stamps = Stamps()
        found = [stamps.of(path) for path in self.parts]
        return None if None in found else "\n".join(map(str, found))

    @property
    def schema(self) -> pa.Schema:
        """The columns.

        Raises:
            UsageError: A file is none of Arrow, or damaged.
        """
        return self._table.schema

    def blocks(self, image: ImageColumn, columns: Sequence[int]) -> Iterator[RowBlock]:
        """Yields all rows in order; of images, only whether they are there."""
        names = {at: self.schema.names[at] for at in columns}
        for batch in self._table.to_batches(max_chunksize=BLOCK):
            yield block_of(batch, image, names)

    def open(self, image: ImageColumn) -> MappedReader:
        """Returns what reads the images."""
        return MappedReader(self._table.column(image.at))

    @cached_property
    def _table(self) -> pa.Table:
        arrow = import_arrow(on_one_line(self.path))
        tables = []
        for path in self.parts:
            try:
                tables.append(_mapped(arrow, path))
            except (OSError, arrow.ArrowException) as error:
                raise UsageError(
                    f"{on_one_line(path)} is no Arrow file, or damaged ({reason_of(error)}): fetch or "
                    "write the data set again"
                ) from error
        try:
            return arrow.concat_tables(tables)
        except arrow.ArrowException as error:
            raise UsageError(
                f"the files of {on_one_line(self.path)} have other columns than {on_one_line(self.parts[0])} "
                f"({reason_of(error)}): write the data set again"
            ) from error


class MappedReader:
    """Reads images of a column that is mapped into memory."""

    def __init__(self, images: pa.ChunkedArray) -> None:
        self._images = images

    def at(self, row: int) -> bytes | None:
        """Returns the encoded image of a row, None where it has none; any thread may ask."""
        return encoded_in(self._images[row])


def _mapped(arrow: pa.lib, path: str) -> pa.Table:
    """Opens an Arrow file of either kind; what its offsets say is checked, for they lead into memory."""
    source = arrow.memory_map(path)
    whole = source.read(len(_FILE_MAGIC)) == _FILE_MAGIC
    source.seek(0)
    table = (arrow.ipc.open_file(source) if whole else arrow.ipc.open_stream(source)).read_all()
    table.validate(full=True)
    return table
