"""The data at a glance: how many, how large, what they look like, and what is not among them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from pipeline.cache import FeatureSet
from pipeline.evaluation.page.class_counts import ClassCounts
from pipeline.evaluation.page.examples import class_examples
from pipeline.evaluation.page.image_sizes import image_sizes, pixel_size, sample_of_ids
from pipeline.evaluation.page.left_out import left_out, source_notes
from pipeline.evaluation.page.pictures import Album
from pipeline.evaluation.report import Report
from pipeline.images import ImageSource
from pipeline.images.row_table import RowTable


def data_contents(
    report: Report,
    features: Mapping[str, FeatureSet],
    album: Album,
    images: ImageSource | None,
    *,
    counts: ClassCounts,
    seed: int,
) -> dict[str, Any]:
    """Returns what the template of the data overview shows."""
    tables: dict[str, RowTable] = {name: part.rows for name, part in features.items()}
    tables.setdefault(report.split, report.rows)
    every = [rows.ids[i] for rows in tables.values() for i in np.flatnonzero(rows.views == 0).tolist()]
    sizes = album.look(sample_of_ids(every, seed=seed), pixel_size)
    return {
        "counts": counts,
        "sizes": image_sizes(sizes, of=len(every), seen=report.spec.image_size),
        "seen": report.spec.image_size,
        "examples": class_examples(report, features, album),
        "left_out": left_out(features, images),
        "source_notes": source_notes(images),
        "source_is_there": images is not None,
    }
