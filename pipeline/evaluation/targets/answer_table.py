"""Truth and answer of each image, as columns and as CSV; what is unknown is NaN, and an empty cell."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from typing import TextIO

import numpy as np

from pipeline.wording import guarded

WHOLE = ("true(", "predicted(")
"""How the names of columns begin that hold 1 and 0, where there are decisions."""


def answer_columns(
    names: Sequence[str], truth: np.ndarray, answers: np.ndarray, decisions: np.ndarray | None
) -> dict[str, np.ndarray]:
    """Returns columns for each label or number, float (n,) each.

    Args:
        names: Of the k labels or numbers.
        truth: (n, k), NaN where one is unknown.
        answers: float (n, k).
        decisions: bool (n, k), which labels are answered; None of numbers.

    Returns:
        ``true(NAME)``, ``predicted(NAME)`` and, of a label, whose prediction is 1 or 0, ``p(NAME)``.
    """
    table = {}
    for i, name in enumerate(names):
        table[f"true({name})"] = truth[:, i].astype(np.float64)
        if decisions is None:
            table[f"predicted({name})"] = answers[:, i]
        else:
            table[f"predicted({name})"] = decisions[:, i].astype(np.float64)
            table[f"p({name})"] = answers[:, i]
    return table


def write_columns(
    file: TextIO, ids: Sequence[str], columns: Mapping[str, np.ndarray], *, marks: bool
) -> None:
    """Writes a line an image: its name, and its value in each column.

    Args:
        file: Where to.
        ids: Names of n images.
        columns: See :func:`answer_columns`.
        marks: Whether truth and prediction are 1 or 0.
    """
    cells = [_cells(values, whole=marks and name.startswith(WHOLE)) for name, values in columns.items()]
    writer = csv.writer(file, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n")
    writer.writerow(["id", *columns])
    for name, *row in zip(ids, *cells, strict=True):
        writer.writerow([guarded(name), *row])


def _cells(values: np.ndarray, *, whole: bool) -> list[float | str]:
    known: list[float] = values.tolist()
    return ["" if np.isnan(value) else int(value) if whole else value for value in known]
