"""A Parquet file, whatever the size of its row groups: a page and a few rows are in memory at a time."""

from __future__ import annotations

import bisect
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from pipeline.errors import UsageError, reason_of
from pipeline.images.sources._files import first_bytes
from pipeline.images.sources._row_files import BLOCK, RowBlock, block_of, encoded_in
from pipeline.images.sources._typed_columns import ImageColumn
from pipeline.images.sources._words import on_one_line
from pipeline.runtimes.arrow import import_arrow

if TYPE_CHECKING:
    import pyarrow as pa

_POINTER = b"version https://git-lfs"
_BUFFER_BYTES = 1 << 20  # of a row group, read at a time
_ROWS = 16  # with their images, decoded at a time
_KEPT_BYTES = 128 << 20  # of images that were passed on the way, for threads that lag behind


class ParquetFile:
    """A file of rows; see :class:`pipeline.images.sources._row_files.RowFile`."""

    def __init__(self, name: str, path: str, split: str | None, version: str | None) -> None:
        self.name, self.path, self.split, self.version = name, path, split, version

    def __reduce__(self) -> tuple[type[ParquetFile], tuple[str, str, str | None, str | None]]:
        """Leaves out what no other process can use."""
        return ParquetFile, (self.name, self.path, self.split, self.version)

    def __len__(self) -> int:
        return self.starts[-1]

    @property
    def schema(self) -> pa.Schema:
        """Its columns.

        Raises:
            UsageError: It is no Parquet file, or damaged.
        """
        return self._head[0]

    @property
    def starts(self) -> list[int]:
        """The first row of each row group, and behind them the number of all rows."""
        return self._head[1]

    @cached_property
    def _head(self) -> tuple[pa.Schema, list[int]]:
        try:
            with self.opened() as file:
                groups = file.metadata
                sizes = [groups.row_group(i).num_rows for i in range(groups.num_row_groups)]
                return file.schema_arrow, list(accumulate(sizes, initial=0))
        except OSError as error:
            shown = on_one_line(self.path)
            if first_bytes(self.path).startswith(_POINTER):
                raise UsageError(
                    f"{shown} is a Git LFS pointer, not the table itself: run `git lfs pull`"
                ) from error
            raise UsageError(
                f"{shown} is no Parquet file, or damaged ({reason_of(error)}): fetch or write it again"
            ) from error

    @contextmanager
    def opened(self) -> Iterator[Any]:
        """Opens the file; nothing of a row group is read ahead.

        Raises:
            OSError: It cannot be read.
        """
        arrow = import_arrow(on_one_line(self.path))
        try:
            with arrow.parquet.ParquetFile(self.path, buffer_size=_BUFFER_BYTES, pre_buffer=False) as file:
                yield file
        except arrow.ArrowException as error:
            raise OSError(reason_of(error)) from error

    def blocks(self, image: ImageColumn, columns: Sequence[int]) -> Iterator[RowBlock]:
        """Yields all rows in order; images are read only where statistics do not tell that each row has one.

        Raises:
            OSError: The file is damaged.
        """
        names = {at: self.schema.names[at] for at in columns}
        with self.opened() as file:
            for group in range(len(self.starts) - 1):
                all_held = bool(image.parts) and _none_is_null(file.metadata.row_group(group), image.leaf)
                wanted = [*names.values(), *([] if all_held else [image.name])]
                rows = _ROWS if image.parts and not all_held else BLOCK
                for batch in file.iter_batches(rows, row_groups=[group], columns=wanted, use_threads=False):
                    yield block_of(batch, image, names, all_held=all_held)

    def open(self, image: ImageColumn) -> ForwardReader:
        """Opens it to read images."""
        return ForwardReader(self, image)


class ForwardReader:
    """Reads the images of a Parquet file, which can be read forward only.

    A step back within a row group begins it again; rows that were passed lately are kept.
    """

    def __init__(self, file: ParquetFile, image: ImageColumn) -> None:
        self._file, self._image = file, image
        self._lock = threading.Lock()
        self._batches: Iterator[tuple[int, Any]] = iter(())
        self._group, self._next = -1, 0
        self._kept: deque[tuple[int, Any]] = deque()
        self._bytes = 0

    def at(self, row: int) -> bytes | None:
        """Returns the encoded image of a row, None where it has none.

        Raises:
            OSError: The file is gone or damaged.
        """
        with self._lock:
            while (found := self._find(row)) is None:
                group = bisect.bisect_right(self._file.starts, row) - 1
                if group != self._group or row < self._next:
                    self._group, self._next = group, self._file.starts[group]
                    self._batches = self._read(group)
                self._advance(row)
            return encoded_in(found)

    def _find(self, row: int) -> Any:
        return next(
            (images[row - start] for start, images in self._kept if start <= row < start + len(images)), None
        )

    def _advance(self, row: int) -> None:
        try:
            start, images = next(self._batches)
        except StopIteration:
            self._group = -1
            raise OSError(f"{self._file.name} ends before row {row}: it has changed since") from None
        self._next = start + len(images)
        self._kept.append((start, images))
        self._bytes += images.nbytes
        while self._bytes > _KEPT_BYTES and len(self._kept) > 1:
            self._bytes -= self._kept.popleft()[1].nbytes

    def _read(self, group: int) -> Iterator[tuple[int, Any]]:
        start = self._file.starts[group]
        with self._file.opened() as file:
            for batch in file.iter_batches(
                _ROWS, row_groups=[group], columns=[self._image.leaf], use_threads=False
            ):
                yield start, batch.column(0)
                start += batch.num_rows


def _none_is_null(group: Any, leaf: str) -> bool:
    """Tells whether the statistics of a row group say that every row has an image."""
    for i in range(group.num_columns):
        column = group.column(i)
        if column.path_in_schema == leaf:
            found = column.statistics
            return found is not None and found.has_null_count and found.null_count == 0
    return False
