"""Rows that somebody else has made of images: named, labelled and split as in a table, and not to be read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from pipeline.errors import UsageError
from pipeline.images.source import ImageItem, ListedSource
from pipeline.images.source_options import TABLE_OPTIONS, SourceOptions
from pipeline.images.sources._table_records import HeldImage, ImageTable, Place
from pipeline.images.sources._table_text import PATH, could_mean
from pipeline.images.sources._words import printable
from pipeline.images.targets import COLUMN, TargetTable

SCHEME = "features:"
"""How the address of such a source begins."""
ID = "id"


@dataclass(frozen=True, eq=False)
class ListedRows(ListedSource):
    """A source without pictures."""

    def read(self, item: ImageItem) -> bytes:
        """Refuses: there is nothing to look at.

        Raises:
            FileNotFoundError: Always.
        """
        raise FileNotFoundError(f"{item.id} of {self.uri} is a row of features, and no picture")


def list_rows(
    file: Path,
    rows: int,
    columns: Mapping[str, Sequence[str]],
    options: SourceOptions,
    *,
    told_target: str = "",
) -> ListedRows:
    """Lists rows by their columns, which mean what those of a table of images mean.

    The names are those of a column ``id``, or of one that a table of images has its paths in; without one,
    rows are named by their numbers, ``row[17]``. Columns ``target:<name>``, as an export has them, are
    targets where the options do not name others.

    Args:
        file: Where they are.
        rows: How many.
        columns: A text for each row, by the name of the column.
        options: Columns that the user names.
        told_target: What those targets are, see ``images/targets.py``; empty = what their values say.

    Raises:
        UsageError: No column is the label, several could be one, or a value cannot be understood.
    """
    options.refuse_others(TABLE_OPTIONS, str(file))
    names, values, notes = tuple(columns), list(columns.values()), []
    if not options.path_column:
        if ID in names:
            options = replace(options, path_column=ID)
        elif not any(could_mean(PATH, name) for name in names):
            names, values = (PATH, *names), [[f"row[{number}]" for number in range(rows)], *values]
            notes.append("no column names the rows: they are called row[0], row[1] and so on")
    if exported := _exported_targets(names, options):
        options = replace(options, target_column=exported, target=told_target)
    table = ImageTable(
        file.parent, options, where=lambda row: Place(str(file), f"row {row:,}"), subject=str(file)
    )
    known = table.columns(0, names)
    for number, record in enumerate(zip(*values, strict=True)):
        table.add(number, known, record, held=HeldImage(record[known.position[PATH]]))
    listed, classes = table.finish()
    if table.told_last:
        raise table.told_last
    if not len(listed):
        raise UsageError(f"{file} has no rows")
    targets = _without_beginning(table.targets)
    return ListedRows(
        uri=f"{SCHEME}{file}",
        name=printable(file.stem),
        classes=classes if targets is None else targets.names,
        notes=(*notes, *table.remarks(classes, cut_off=lambda: False)),
        listed=listed,
        targets=targets,
    )


def _exported_targets(names: Sequence[str], options: SourceOptions) -> tuple[str, ...]:
    """Returns the columns of targets of an export, none where the options say what labels are."""
    said = (options.target, options.target_column, options.label_separator, options.label_column)
    return () if any(said) else tuple(name for name in names if name.startswith(COLUMN))


def _without_beginning(table: TargetTable | None) -> TargetTable | None:
    if table is None:
        return None
    return replace(table, names=tuple(name.removeprefix(COLUMN) for name in table.names))
