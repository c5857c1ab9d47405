"""The rows of typed tables, listed: what each says of its image, in all files alike."""

from __future__ import annotations

import bisect
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import nullcontext
from itertools import accumulate
from pathlib import Path
from typing import Any

from pipeline.errors import UsageError, reason_of
from pipeline.images.source_options import SourceOptions
from pipeline.images.sources._row_files import RowBlock, RowFile
from pipeline.images.sources._table_records import HeldImage, ImageTable, Place
from pipeline.images.sources._table_text import NONE, PATH, TableColumns
from pipeline.images.sources._typed_columns import (
    ImageColumn,
    Text,
    image_column,
    read_features,
    text_of,
    understand_types,
)
from pipeline.images.sources._words import on_one_line
from pipeline.images.targets import CLASS, NUMBER
from pipeline.progress import progress

_LONG = 100_000  # rows from which on progress is shown


class RowListing:
    """Takes up the rows of files, one file after the other.

    Attributes:
        table: What they are put into.
        images: The column of the images of each file, by its name.
        remarks: What is to be said of all files.
    """

    def __init__(self, uri: str, files: Sequence[RowFile], options: SourceOptions, folder: Path) -> None:
        """Begins an empty listing.

        Raises:
            UsageError: Some files state a split and others do not, or one is damaged.
        """
        self.images: dict[str, ImageColumn] = {}
        self.remarks: list[str] = []
        self._files, self._options = files, options
        self._starts = list(accumulate(map(len, files), initial=0))
        self._states_splits = options.split_column != NONE and self._several_splits()
        self.table = ImageTable(folder, options, where=self._where, subject=on_one_line(uri))

    def add(self, file: RowFile) -> None:
        """Adds the rows of the next file.

        Raises:
            UsageError: It is damaged, holds no column of images or labels, or can be understood in two ways.
        """
        schema, shown = file.schema, on_one_line(file.path)
        start = self._starts[len(self.images)]
        features = read_features(schema, shown)
        try:
            types = understand_types(schema, features, self._options)
            columns = self.table.columns(start, tuple(schema.names), types)
            image = image_column(schema, columns.position[PATH])
        except ValueError as error:
            raise UsageError(f"{shown}: {error}") from error
        self.images[file.name] = image
        self.table.stated |= {*features.classes.get(columns.named.get("label", ""), ())}
        texts: dict[int, Text] = {}
        of_label = NUMBER if self._options.target == NUMBER else CLASS
        meant = [
            (meaning, at, of_label if meaning == "label" else CLASS)
            for meaning, at in columns.position.items()
        ]
        meant += [("target", at, NUMBER) for at in columns.targets]
        for meaning, at, target in meant:
            if meaning != PATH:
                text = text_of(schema, at, features, target=target)
                if text is None:
                    field = schema.field(at)
                    raise UsageError(
                        f"{shown}: the {meaning} {on_one_line(field.name)!r} is {field.type}: "
                        f"expected {'text or whole' if target == CLASS else 'text or'} numbers, one an image"
                    )
                texts[at] = text
        for at in self._unread(columns, schema.names):
            if text := text_of(schema, at, features):
                texts[at] = _or_nothing(text)
        try:
            self._add_rows(file, start, columns, image, texts)
        except OSError as error:
            raise UsageError(f"{shown} is damaged ({reason_of(error)}): fetch or write it again") from error

    def _several_splits(self) -> bool:
        """Tells whether the places of the files tell splits apart."""
        first = {file.split: file for file in reversed(self._files)}
        if len(first) > 1 and None in first:
            without, other = first.pop(None), next(iter(first.values()))
            raise UsageError(
                f"the name of {on_one_line(other.path)} states a split, that of {on_one_line(without.path)} "
                "none: name all of them like train-00000-of-00001, or give --split-column none to have "
                "splits chosen by content"
            )
        if len(first) == 1 and None not in first:
            self.remarks.append(f"all rows are called {next(iter(first))}, which tells no splits apart")
        return len(first) > 1

    def _unread(self, columns: TableColumns, names: Sequence[str]) -> list[int]:
        """Returns the columns without a meaning that may tell splits apart after all."""
        if "split" in columns.position or self._options.split_column == NONE or self._states_splits:
            return []
        settled = self.table.unread.settled
        return [at for at, name in columns.others.items() if name not in settled and names.count(name) == 1]

    def _add_rows(
        self,
        file: RowFile,
        start: int,
        columns: TableColumns,
        image: ImageColumn,
        texts: Mapping[int, Text],
    ) -> None:
        version = file.version and hashlib.sha256(file.version.encode()).hexdigest()[:16]
        split = file.split if self._states_splits else None
        values = [""] * len(file.schema.names)
        shown = progress("listing", len(file)) if len(file) >= _LONG else nullcontext(lambda count: None)
        row = 0
        with shown as advance:
            for block in file.blocks(image, list(texts)):
                for path, held, said in self._rows(file, block, start + row, texts):
                    values[image.at] = path
                    for at, text in said:
                        values[at] = text
                    own = HeldImage(f"{file.name}[{row}]", version) if held else None
                    self.table.add(start + row, columns, values, held=own, split=split)
                    row += 1
                advance(len(block.held))

    def _rows(
        self, file: RowFile, block: RowBlock, first: int, texts: Mapping[int, Text]
    ) -> Iterator[tuple[str, bool, list[tuple[int, str]]]]:
        """Yields of each row the path, whether the image is in the row, and the texts of other columns.

        A row without path and image counts as one that holds it: it is told when it is read.
        """
        said = {
            at: self._said(file.schema.names[at], text, block.columns[at], first)
            for at, text in texts.items()
        }
        of_rows = zip(*said.values(), strict=True) if said else iter([()] * len(block.held))
        in_table = bool(self.images[file.name].parts)
        for path, held, row in zip(block.paths, block.held, of_rows, strict=True):
            yield path or "", held or (in_table and not path), list(zip(said, row, strict=True))

    def _said(self, name: str, text: Text, values: list[Any], first: int) -> list[str]:
        found: list[str] = []
        try:
            found.extend(map(text, values))
        except ValueError as error:
            raise self.table.error(first + len(found), f"{name}: {error}") from error
        return found

    def _where(self, row: int) -> Place:
        """Returns where a row stands, by its number among all."""
        at = min(bisect.bisect_right(self._starts, row), len(self._files)) - 1
        return Place(on_one_line(self._files[at].path), f"row {row - self._starts[at]:,}")


def _or_nothing(text: Text) -> Text:
    """Makes texts of values of which not all need to have one."""

    def read(value: object) -> str:
        try:
            return text(value)
        except ValueError:
            return ""

    return read
