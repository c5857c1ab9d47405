"""The map of the features as the page's script reads it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from pipeline.cache import FeatureSet
from pipeline.counts import counted
from pipeline.evaluation import Report
from pipeline.evaluation.report.feature_map import MOST_POINTS, map_features
from pipeline.evaluation.report.html import embed
from pipeline.evaluation.report.pictures import SHEET, Album, sheets
from pipeline.names import readable
from pipeline.progress import say

UNIT = 10_000
"""Steps a layout's axis is cut into: finer than any screen, and short to write."""
THUMB, SMALL_THUMB = 96, 48
MANY = 1500
"""Points above which thumbnails are smaller, so that the page stays light enough to send."""
NAME = 70


def map_contents(
    report: Report, features: FeatureSet | None, album: Album, *, seed: int
) -> dict[str, Any] | None:
    """Returns what the template and the script need; None where no map can be drawn.

    Raises:
        CacheMismatchError: A row of the features is damaged.
    """
    if features is None:
        return None
    if len(report.rows) > MANY:
        shown = counted(min(len(report.rows), MOST_POINTS), "image")
        say(f"laying out the features of {shown} for the report page")
    laid_out = map_features(features, seed=seed)
    if laid_out is None:
        return None
    rows = laid_out.rows
    ids = [report.rows.ids[i] for i in rows]
    size = THUMB if len(rows) <= MANY else SMALL_THUMB
    pictures = album.read(ids, size=size)
    slots = {name: slot for slot, name in enumerate(pictures)}
    probabilities = report.probabilities[rows]
    data = {
        "classes": [readable(name) for name in report.figures.classes],
        "names": [readable(name, NAME) for name in ids],
        "truth": report.rows.labels[rows].tolist(),
        "guess": probabilities.argmax(axis=1).tolist(),
        "sure": np.rint(1000 * probabilities.max(axis=1)).astype(int).tolist(),
        "slots": [slots.get(name, -1) for name in ids],
        "layouts": {
            name: np.rint(UNIT * plane).astype(int).T.tolist() for name, plane in laid_out.layouts.items()
        },
        "notes": laid_out.notes,
        "unit": UNIT,
        "sheets": sheets(pictures.values(), size=size),
        "size": size,
        "sheet": SHEET,
        "columns": math.isqrt(SHEET),
    }
    return {
        "data": embed(data),
        "shown": len(rows),
        "of": len(report.rows),
        "sampled": len(rows) < len(report.rows),
    }
