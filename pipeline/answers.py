"""Answers of a head as people and programs read them: the most probable classes, and rows of CSV."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from typing import TextIO

import numpy as np

from pipeline.wording import guarded

MOST_COLUMNS = 100
"""Classes that have a column each."""


def most_probable(probabilities: np.ndarray, count: int) -> np.ndarray:
    """Returns the labels of the most probable classes, int (count,), the first of equals first."""
    return np.argsort(-probabilities, kind="stable")[:count]


def write_answers(
    file: TextIO,
    classes: Sequence[str],
    ids: Sequence[str],
    probabilities: Iterable[np.ndarray],
    *,
    labels: Iterable[int] | None = None,
    top: int,
    more: Mapping[str, Sequence[object]] = {},
) -> None:
    r"""Writes one CSV row an image: id, label, predicted, probability, and the other probabilities.

    Up to 100 classes have a column ``p(<class>)`` each; of more, the most probable are named.
    Numbers have all their digits, so that every figure can be computed again from the file. Text is
    quoted; where a spreadsheet would take it for a formula, and where it begins with an apostrophe, an
    apostrophe is put in front (drop it to get the text back). Plain numbers such as the class ``-3`` stay as
    they are. An unlabelled row has an empty label.

    Args:
        file: Where to.
        classes: k class names.
        ids: Names of n images.
        probabilities: float (k,) each.
        labels: Index of the true class, -1 = unlabelled; None = no column of labels.
        top: Classes to name where there are more than 100.
        more: Other columns by name, n values each; they stand behind the others.
    """
    names = [guarded(name) for name in classes]
    wide, top = len(names) <= MOST_COLUMNS, min(top, len(names))
    if wide:
        columns = [f"p({name})" for name in classes]
    else:
        columns = [column for i in range(1, top + 1) for column in (f"top{i}", f"p(top{i})")]
    writer = csv.writer(file, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n")
    writer.writerow(
        ["id", *([] if labels is None else ["label"]), "predicted", "probability", *columns, *more]
    )
    truths = [[] for _ in ids] if labels is None else [[names[i] if i >= 0 else ""] for i in labels]
    for i, (name, row, truth) in enumerate(zip(ids, probabilities, truths, strict=True)):
        best = most_probable(row, top)
        others = row if wide else [cell for i in best for cell in (names[i], row[i])]
        known = [guarded(one) if isinstance(one := column[i], str) else one for column in more.values()]
        writer.writerow([guarded(name), *truth, names[best[0]], row[best[0]], *others, *known])
