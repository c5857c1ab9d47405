"""What the page of a check needs to save a table of labels or numbers in the form of the set."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from pipeline.cache import FeatureSet
from pipeline.evaluation.source_table import ClassForm, ListForm, TableForm
from pipeline.images.targets import LABELS

_MARKS = np.array(["0", "1", "?"])


def told_values(features: FeatureSet, rows: Sequence[int], form: TableForm) -> dict[str, Any]:
    """Returns the values of images and how the table tells them; nothing of classes, which pages hold anyway.

    Args:
        features: The images.
        rows: Which of them, in the order of the table.
        form: How the table tells them.

    Returns:
        ``form`` and ``head``, the columns of the table; ``values``: of labels a text with ``1``, ``0`` or
        ``?`` for each, else the cells; ``separator`` of lists.
    """
    if isinstance(form, ClassForm):
        return {}
    path, split, group = form.meta
    head = [path, *form.columns, split, group]
    if features.target != LABELS:
        return {"form": "cells", "head": head, "values": [form.cells(features, row) for row in rows]}
    targets = features.targets[list(rows)]
    marks = _MARKS[np.where(np.isnan(targets), 2, targets).astype(int)]
    told = {"head": head, "values": ["".join(row) for row in marks]}
    if isinstance(form, ListForm):
        return told | {"form": "list", "separator": form.separator}
    return told | {"form": "marks"}
