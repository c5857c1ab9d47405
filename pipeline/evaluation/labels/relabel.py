"""relabel.csv: every image with its path, label, split and group, as the table source reads it back."""

from __future__ import annotations

import csv
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TextIO

from pipeline.evaluation.labels import LabelCheck, Suspect
from pipeline.evaluation.source_table import TableForm, unused
from pipeline.images import ImageSource
from pipeline.images.targets import CLASS

SUSPECTED = "suspected"
MORE = ("suggested", "score", "odd")
"""Columns for people; the table source passes them over, and says so."""


@dataclass(frozen=True)
class RelabelRow:
    """One image of the table.

    Attributes:
        row: Its row in the check.
        path: Absolute path of its file.
        label: Index into the classes; -1 = unlabelled, or what has no classes.
        split: ``train``, ``val`` or ``test``, so that the splits stay.
        group: Its group; empty = none.
    """

    row: int
    path: str
    label: int
    split: str
    group: str


def relabel_rows(check: LabelCheck, images: ImageSource | None) -> list[RelabelRow]:
    """Lists all images; none where the source is gone, or one of them has no file that a table can name."""
    if images is None:
        return []
    paths = {item.id: os.path.abspath(item.path) for item in images.items() if item.path is not None}
    rows = check.rows
    named = [paths.get(name, "") for name in rows.ids]
    if not all(path and _is_text(path) for path in named):
        return []
    columns = zip(named, rows.labels.tolist(), check.split.tolist(), rows.groups, strict=True)
    return [RelabelRow(row, *fields) for row, fields in enumerate(columns)]


def write_relabel(check: LabelCheck, rows: Sequence[RelabelRow], file: TextIO, form: TableForm) -> None:
    """Writes the table with the labels as they are; what is suggested stands beside them.

    Args:
        check: What was found.
        rows: All images.
        file: Where to.
        form: How labels are told.
    """
    odd = {one.row: one.kind for one in check.odd}
    head, notes = _notes(check, form)
    writer = csv.writer(file, lineterminator="\n")
    path, split, group = form.meta
    writer.writerow([path, *form.columns, split, group, *head])
    for row in rows:
        cells = form.cells(check.features, row.row)
        noted = notes.get(row.row, [""] * (len(head) - 1))
        writer.writerow([row.path, *cells, row.split, row.group, *noted, odd.get(row.row, "")])


def _notes(check: LabelCheck, form: TableForm) -> tuple[list[str], dict[int, list[str]]]:
    """Returns the names of the columns for people, the odd ones last, and the cells of the others by row."""
    classes = check.features.classes
    if check.features.target == CLASS:
        known = (one for one in check.suspects if isinstance(one, Suspect))
        return list(MORE), {one.row: [classes[one.suggested], f"{one.score:.4f}"] for one in known}
    found: dict[int, list[str]] = {}
    for one in check.suspects:
        found.setdefault(one.row, []).append(one.words(classes))
    head = [unused(name, form.columns) for name in (SUSPECTED, "odd")]
    return head, {row: ["; ".join(words)] for row, words in found.items()}


def _is_text(path: str) -> bool:
    """Tells whether a path is UTF-8, which tables are."""
    return not any("\ud800" <= letter <= "\udfff" for letter in path)
