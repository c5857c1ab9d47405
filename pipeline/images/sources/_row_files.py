"""Files of rows that hold images: what each has to offer, and a few of them open at a time."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

from pipeline.images.sources._typed_columns import ImageColumn
from pipeline.runtimes.arrow import import_arrow

if TYPE_CHECKING:
    import pyarrow as pa

BLOCK = 4096
"""Rows that are listed at a time."""

_OPEN = 16  # files: to open one anew for every image is slow


class RowBlock(NamedTuple):
    """Some rows of a file that follow one another.

    Attributes:
        columns: The values of each column, by its position in the schema.
        held: Whether there are bytes of an image, for each row.
        paths: The path that stands in the column of the images, for each row; None where there is none.
    """

    columns: dict[int, list[Any]]
    held: list[bool]
    paths: list[str | None]


class ImageReader(Protocol):
    """An open file."""

    def at(self, row: int) -> bytes | None:
        """Returns the encoded image of a row, None where it has none; any thread may ask.

        Raises:
            OSError: The file is damaged.
        """
        ...


class RowFile(Protocol):
    """Rows of a table in one file or several; it is opened anew by every call.

    Attributes:
        name: Begins the ids of its images; unique in the source.
        path: Where it is, for messages.
        split: The split that its place states; None where it states none.
    """

    name: str
    path: str
    split: str | None

    @property
    def version(self) -> str | None:
        """What tells its content from a later one; None where that cannot be relied on."""
        ...

    @property
    def schema(self) -> pa.Schema:
        """Its columns."""
        ...

    def __len__(self) -> int: ...

    def blocks(self, image: ImageColumn, columns: Sequence[int]) -> Iterator[RowBlock]:
        """Yields all rows in order, without the images.

        Args:
            image: The column of the images.
            columns: Positions of the other columns that are wanted.

        Raises:
            OSError: The file is damaged.
        """
        ...

    def open(self, image: ImageColumn) -> ImageReader:
        """Opens it to read images.

        Raises:
            OSError: It is gone or damaged.
        """
        ...


class OpenFiles:
    """A few files that are open at a time, for all threads."""

    def __init__(self) -> None:
        self._readers: OrderedDict[str, ImageReader] = OrderedDict()
        self._lock = threading.Lock()

    def __reduce__(self) -> tuple[type[OpenFiles], tuple[()]]:
        """Leaves out what no other process can use."""
        return OpenFiles, ()

    def of(self, file: RowFile, image: ImageColumn) -> ImageReader:
        """Returns the open file, which closes itself when nobody holds it any more."""
        with self._lock:
            reader = self._readers.pop(file.name, None) or file.open(image)
            self._readers[file.name] = reader
            if len(self._readers) > _OPEN:
                self._readers.popitem(last=False)
            return reader


def block_of(
    batch: pa.RecordBatch, image: ImageColumn, columns: dict[int, str], *, all_held: bool = False
) -> RowBlock:
    """Takes from a batch what is wanted of its rows.

    Args:
        batch: The rows.
        image: The column of the images.
        columns: Position in the schema and name of the other columns.
        all_held: Every row holds an image, and the batch is without that column.
    """
    compute = import_arrow("this table").compute
    values = {at: batch.column(name).to_pylist() for at, name in columns.items()}
    if all_held:
        return RowBlock(values, [True] * batch.num_rows, [None] * batch.num_rows)
    found = batch.column(image.name)
    if not image.parts:
        return RowBlock(values, [False] * batch.num_rows, found.to_pylist())
    if len(image.parts) == 1:
        return RowBlock(values, found.is_valid().to_pylist(), [None] * batch.num_rows)
    held = compute.struct_field(found, "bytes").is_valid().to_pylist()
    paths = [None] * batch.num_rows if all(held) else compute.struct_field(found, "path").to_pylist()
    return RowBlock(values, held, paths)


def encoded_in(value: Any) -> bytes | None:
    """Returns the encoded image of a value of the column of the images."""
    found = value.as_py()
    return found["bytes"] if isinstance(found, dict) else found
