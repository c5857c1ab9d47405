"""What the labels of a table stand for where they are no classes: several labels, or numbers."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.errors import UsageError
from pipeline.images.source_options import SourceOptions, flag
from pipeline.images.sources._class_names import NO_LABEL, means_none, name_remarks
from pipeline.images.sources._table_text import NONE
from pipeline.images.sources._words import in_natural_order, on_one_line
from pipeline.images.targets import CLASS, LABELS, NUMBER, TargetTable, are_marks, checked_kind, lost_digits
from pipeline.wording import counted, verb

_SEPARATOR = ";"
_SHOWN = 40
_BETWEEN = "\0"
"""Stands between texts that make one label of a record; no text of a table holds it."""
_MOST = float(np.finfo(np.float32).max)


def joined(texts: Sequence[str]) -> str:
    """Joins the texts of the target columns of a record, so that records of equal ones share a label."""
    return _BETWEEN.join(text.strip() for text in texts)


def listed(texts: Sequence[str]) -> str:
    """Joins labels that a record lists, so that they are told from one text; there may be none."""
    return _BETWEEN + "".join(text.strip() + _BETWEEN for text in texts)


def is_listed(label: str) -> bool:
    """Tells whether a label was made by :func:`listed`."""
    return label.startswith(_BETWEEN)


def asked_kind(options: SourceOptions) -> str:
    """Returns the kind of target that options ask for; empty where they leave it to the table.

    Raises:
        UsageError: They ask for a kind that there is not, or contradict each other.
    """
    asked, separator, columns = checked_kind(options.target), options.label_separator, options.target_column
    if columns and asked == CLASS:
        raise UsageError(
            f"{flag('target')} {CLASS} has one column: give {flag('label_column')}, not "
            f"{flag('target_column')}"
        )
    if columns and separator:
        raise UsageError(f"give {flag('label_separator')} or {flag('target_column')}, not both")
    if columns and options.label_column not in ("", NONE):
        raise UsageError(f"give {flag('label_column')} or {flag('target_column')}, not both")
    if asked in (LABELS, NUMBER) and not columns and options.label_column == NONE:
        raise UsageError(
            f"{flag('target')} {asked} needs a column: with {flag('label_column')} {NONE} there is none"
        )
    if separator and asked not in ("", LABELS):
        raise UsageError(f"{flag('label_separator')} is for {flag('target')} {LABELS}, not {asked}")
    return asked or (LABELS if separator else "")


@dataclass(frozen=True, eq=False)
class GivenLabels:
    """The different labels of a table.

    Attributes:
        texts: Each as it is written, or as :func:`joined` or :func:`listed` made it.
        counts: How many rows have it.
        error: Makes an error of the place of a label and of what is wrong with it.
        column: The column that they are from; empty where there are several.
    """

    texts: Sequence[str]
    counts: Sequence[int]
    error: Callable[[int, str], UsageError]
    column: str = ""


def read_targets(given: GivenLabels, kind: str, options: SourceOptions) -> tuple[TargetTable, list[str]]:
    """Reads what labels stand for.

    Args:
        given: The labels.
        kind: ``LABELS`` or ``NUMBER``; empty where the values of the target columns decide.
        options: How they are to be read.

    Returns:
        The meaning of each label by its place, and what needs saying. It has no names where nothing is known.

    Raises:
        UsageError: A text is no number, or neither 0 nor 1.
    """
    if options.target_column:
        table, notes = _of_columns(given, options.target_column, kind)
    elif kind == NUMBER:
        table, notes = _of_columns(given, (given.column,), NUMBER)
    else:
        table, notes = _of_lists(given, options.label_separator)
    return table, notes + _without_any(given, table)


def nothing_known(table: TargetTable) -> str:
    """Says that no row of a table has a target, and what would be one; empty where one has."""
    if table.names and not np.isnan(table.values).all():
        return ""
    if table.kind == LABELS:
        return f"no image has a label: expected names with {_SEPARATOR!r} between them, or columns of 0 and 1"
    return "no image has a number"


def _of_lists(given: GivenLabels, separator: str) -> tuple[TargetTable, list[str]]:
    in_lists = any(map(is_listed, given.texts))
    separator = separator or ("" if in_lists else _SEPARATOR)
    parts = [_parts(text, separator) for text in given.texts]
    written = {part for of_row in parts for part in of_row or ()}
    names = in_natural_order(part for part in written if not means_none(part, written))
    place = {name: at for at, name in enumerate(names)}
    values = np.zeros((len(parts), len(names)), np.float32)
    several = none = passed = 0
    for row, (of_row, count) in enumerate(zip(parts, given.counts, strict=True)):
        found = {place[part] for part in of_row or () if part in place}
        values[row, list(found)] = 1
        several += count * (len(found) > 1)
        if found:
            passed += count * any(part not in place for part in of_row or ())
        elif of_row == []:
            none += count
        else:
            values[row] = np.nan
    how = "stand in lists" if in_lists else f"are separated by {separator!r}"
    notes = [f"labels {how}: {counted(several, 'row')} {verb(several, 'has', 'have')} several"]
    if none:
        notes.append(f"{counted(none, 'row')} {verb(none, 'has', 'have')} an empty list: none of the labels")
    if passed:
        notes.append(
            f"{counted(passed, 'row')} {verb(passed, 'names', 'name')} a missing label beside others, "
            "which is passed over"
        )
    return TargetTable(LABELS, tuple(names), values), notes + name_remarks(names)


def _parts(text: str, separator: str) -> list[str] | None:
    """Returns the labels that a text lists, perhaps none; None where nothing is known."""
    if is_listed(text):
        return text.split(_BETWEEN)[1:-1]
    if not text or not separator:
        return [text] if text else None
    return [part.strip() for part in text.split(separator) if part.strip()]


def _of_columns(given: GivenLabels, names: Sequence[str], kind: str) -> tuple[TargetTable, list[str]]:
    """Reads a column a label, or a column a number; which it is, the values say where nobody does."""
    rows = [text.split(_BETWEEN) for text in given.texts]
    values = np.full((len(rows), len(names)), np.nan)
    for row, texts in enumerate(rows):
        for column, (text, name) in enumerate(zip(texts, names, strict=True)):
            try:
                values[row, column] = read_number(text)
            except ValueError as error:
                raise given.error(row, f"{name} {error}") from None
    marks = are_marks(values)
    found = kind or (LABELS if marks.all() else NUMBER)
    if found == LABELS and not marks.all():
        row, column = np.argwhere(~marks)[0]
        raise given.error(
            row,
            f"{names[column]} {rows[row][column][:_SHOWN]!r} is neither 0 nor 1: for numbers give "
            f"{flag('target')} {NUMBER}",
        )
    what = "labels, 1 where an image has it" if found == LABELS else "numbers"
    said = (
        []
        if kind
        else [
            f"the {counted(len(names), 'column')} of targets {verb(len(names), 'is', 'are')} read as {what}"
        ]
    )
    if found == NUMBER:
        said += lost_digits(values, names)
    return TargetTable(found, tuple(names), values.astype(np.float32)), said


def read_number(text: str) -> float:
    """Reads a number, NaN where a text says that none is known.

    Raises:
        ValueError: It is none, or none that float32 holds.
    """
    text = text.strip()
    if text in NO_LABEL:
        return math.nan
    shown = repr(on_one_line(text[:_SHOWN]))
    try:
        number = float({"true": "1", "false": "0"}.get(text.casefold(), text))
    except ValueError:
        number = math.nan
    if "_" in text or math.isnan(number):
        raise ValueError(f"{shown} is no number: write it like 3.5, and nothing where it is unknown")
    if abs(number) > _MOST:
        raise ValueError(f"{shown} is too large: expected numbers up to {_MOST:.2g}")
    return number


def _without_any(given: GivenLabels, table: TargetTable) -> list[str]:
    missing = np.isnan(table.values).all(axis=1)
    rows = sum(count for count, gone in zip(given.counts, missing, strict=True) if gone)
    if not rows:
        return []
    what = "label" if table.kind == LABELS else "number"
    return [f"{counted(rows, 'row')} {verb(rows, 'has', 'have')} no {what}, which is taken for unknown"]
