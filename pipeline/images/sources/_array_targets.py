"""What the labels of arrays stand for where they are no classes: a column a label, or numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from pipeline.errors import UsageError
from pipeline.images.source_options import flag
from pipeline.images.sources._class_names import name_remarks
from pipeline.images.targets import LABELS, NUMBER, TargetTable, are_marks, lost_digits
from pipeline.wording import counted, verb

_STRETCH = 4096
_NUMBERS = "biuf"


class ArrayTargets(NamedTuple):
    """The targets of all arrays of a source.

    Attributes:
        table: What labels stand for.
        labels: Rows of the table for each array, int32 (n,).
        remarks: What needs saying.
    """

    table: TargetTable
    labels: list[np.ndarray]
    remarks: list[str]


def mark_several(labels: Mapping[str, np.ndarray | None]) -> bool:
    """Tells whether arrays of 0 and 1, (n, k), mark several columns of a row: then no class is meant."""
    arrays = [array for array in labels.values() if array is not None]
    if not all(array.ndim == 2 and array.shape[1] > 1 and array.dtype.kind in _NUMBERS for array in arrays):
        return False
    several = False
    for array in arrays:
        for start in range(0, len(array), _STRETCH):
            part = array[start : start + _STRETCH]
            if not are_marks(part).all():
                return False
            several |= bool(((part == 1).sum(axis=1) > 1).any())
    return several


def understand_targets(
    uri: str,
    labels: Mapping[str, np.ndarray | None],
    lengths: Mapping[str, int],
    names: Sequence[str] | None,
    kind: str,
) -> ArrayTargets:
    """Reads the targets of every image.

    Args:
        uri: Address of the source, for messages.
        labels: The labels of each array of images, by its name: (n, k), and for numbers also (n,); NaN =
            unknown, None = all are.
        lengths: Images of each array.
        names: Names of the k labels or numbers; None = they are counted from 0.
        kind: ``LABELS`` or ``NUMBER``.

    Raises:
        UsageError: Labels are of another kind or shape, infinite, or all unknown.
    """
    found = {name: _columns(uri, name, array, lengths[name], kind) for name, array in labels.items()}
    widths = {name: array.shape[1] for name, array in found.items() if array is not None}
    if names is not None:
        widths = {"the names of the classes": len(names)} | widths
    if len({*widths.values()}) > 1:
        listed = ", ".join(f"{width} in {name}" for name, width in widths.items())
        raise UsageError(f"{uri}: the numbers of columns differ: {listed}")
    width = max(widths.values(), default=0)
    parts = [
        np.full((lengths[name], width), np.nan, np.float32) if array is None else array
        for name, array in found.items()
    ]
    values = np.concatenate(parts)
    missing = np.isnan(values).all(axis=1) if width else np.ones(len(values), bool)
    if missing.all():
        raise UsageError(f"{uri}: no image has a {'label' if kind == LABELS else 'number'}")
    if names is None:
        names = ["number"] if kind == NUMBER and width == 1 else [*map(str, range(width))]
    _check_names(uri, names)
    remarks = _remarks(values, missing, kind) + name_remarks(names)
    if kind == NUMBER:
        given = [np.reshape(one, (-1, width)) for one in labels.values() if one is not None]
        remarks += lost_digits(np.concatenate(given).astype(np.float64), names)
    distinct, rows = _distinct(values, kind)
    ends = np.cumsum([len(part) for part in parts])[:-1]
    table = TargetTable(kind, tuple(names), distinct)
    return ArrayTargets(table, np.split(rows.astype(np.int32), ends), remarks)


def _columns(uri: str, name: str, array: np.ndarray | None, length: int, kind: str) -> np.ndarray | None:
    """Returns the targets of an array, float32 (n, k)."""
    if array is None:
        return None
    shape = array.shape
    if kind == NUMBER and shape in ((length,), (1, length)):
        array = array.reshape(length, 1)
    if array.ndim != 2 or len(array) != length or not array.shape[1]:
        expected = "(n, k), a column a label" if kind == LABELS else "(n,) or (n, k)"
        raise UsageError(
            f"{uri}: {name} has {length:,} images, but its labels have shape {shape}: expected {expected}"
        )
    if array.dtype.kind not in _NUMBERS:
        raise UsageError(
            f"{uri}: labels of {name} are {array.dtype}: for {flag('target')} {kind} they are numbers"
        )
    with np.errstate(over="ignore"):  # what overflows is refused by its value
        values = array.astype(np.float32)
    bad = ~are_marks(array) if kind == LABELS else np.isinf(values)
    if bad.any():
        row, column = np.argwhere(bad)[0]
        trouble = (
            f"neither 0 nor 1: for numbers give {flag('target')} {NUMBER}"
            if kind == LABELS
            else "no finite number of float32"
        )
        raise UsageError(
            f"{uri}: row {row} of the labels of {name} holds {array[row, column]:.6g}: {trouble}"
        )
    return values


def _check_names(uri: str, names: Sequence[str]) -> None:
    if "" in names or len(set(names)) < len(names) or any("\0" in name for name in names):
        raise UsageError(f"{uri}: the names of the classes are empty or repeated: give one name a column")


def _remarks(values: np.ndarray, missing: np.ndarray, kind: str) -> list[str]:
    width, noun = values.shape[1], "label" if kind == LABELS else "number"
    remarks = [f"labels of arrays are read as {counted(width, noun)} an image"]
    if kind == LABELS:
        marks = (values == 1).sum(axis=1)
        several, none = int((marks > 1).sum()), int(((marks == 0) & ~missing).sum())
        remarks[0] += f", 1 where it has it: {counted(several, 'row')} {verb(several, 'has', 'have')} several"
        if none:
            remarks.append(f"{counted(none, 'row')} {verb(none, 'has', 'have')} none of the labels")
    if unknown := int(missing.sum()):
        remarks.append(
            f"{counted(unknown, 'row')} {verb(unknown, 'has', 'have')} no {noun}, which is taken for unknown"
        )
    return remarks


def _distinct(values: np.ndarray, kind: str) -> tuple[np.ndarray, np.ndarray]:
    """Returns the different rows of labels, and which of them each image has; numbers rarely are the same."""
    if kind == NUMBER:
        return values, np.arange(len(values))
    distinct, rows = np.unique(values, axis=0, return_inverse=True)
    return distinct, rows.reshape(-1)
