"""relabel.csv: every image with its path, label, split and group, as the table source reads it back."""

from __future__ import annotations

import csv
import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TextIO

from pipeline.evaluation.labels import LabelCheck
from pipeline.images import UNLABELLED, ImageSource

COLUMNS = ("path", "label", "split", "group")
MORE = ("suggested", "score", "odd")
"""Columns for people; the table source passes them over, and says so."""


@dataclass(frozen=True)
class RelabelRow:
    """One image of the table.

    Attributes:
        row: Its row in the check.
        path: Absolute path of its file.
        label: Index into the classes; -1 = unlabelled.
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


def write_relabel(check: LabelCheck, rows: Sequence[RelabelRow], file: TextIO) -> None:
    """Writes the table with the labels as they are; what is suggested stands beside them."""
    suspects = {one.row: one for one in check.suspects}
    odd = {one.row: one.kind for one in check.odd}
    classes = check.features.classes
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow([*COLUMNS, *MORE])
    for row in rows:
        one = suspects.get(row.row)
        suggested = ["", ""] if one is None else [classes[one.suggested], f"{one.score:.4f}"]
        label = "" if row.label == UNLABELLED else classes[row.label]
        writer.writerow([row.path, label, row.split, row.group, *suggested, odd.get(row.row, "")])


def _is_text(path: str) -> bool:
    """Tells whether a path is UTF-8, which tables are."""
    return not any("\ud800" <= letter <= "\udfff" for letter in path)
