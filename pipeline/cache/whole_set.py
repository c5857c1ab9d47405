"""All splits of an entry as one set of rows, for whoever cuts it anew."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from pipeline.cache.features import FeatureSet
from pipeline.cache.mapped_features import MappedFeatures
from pipeline.errors import CacheMismatchError
from pipeline.images.row_table import RowTable


def whole_set(splits: Sequence[FeatureSet]) -> FeatureSet:
    """Puts the rows of several splits below each other; nothing is read.

    Args:
        splits: At least one, all of one entry.

    Returns:
        Their rows in this order. ``split`` names all of them, joined with ``+``.

    Raises:
        CacheMismatchError: They have other classes.
    """
    refuse_other_classes(splits)
    first = splits[0]
    cuts = [_cuts(one) for one in splits]
    return replace(
        first,
        features=MappedFeatures(
            tuple(tuple(file for files in same for file in files) for same in zip(*cuts, strict=True))
        ),
        rows=RowTable.joined([one.rows for one in splits]),
        crc32=np.concatenate([one.crc32 for one in splits]),
        split="+".join(one.split for one in splits),
    )


def refuse_other_classes(splits: Sequence[FeatureSet]) -> None:
    """Refuses splits that cannot stand below each other.

    Raises:
        CacheMismatchError: They have other classes.
    """
    first = splits[0]
    for one in splits[1:]:
        if (one.classes, one.target) != (first.classes, first.target):
            raise CacheMismatchError(
                f"{first.path} and {one.path} have other classes: run `pipeline extract` to bring the splits "
                "to the same state"
            )


def _cuts(features: FeatureSet) -> tuple[tuple[np.ndarray, ...], ...]:
    """Returns the files of each cut."""
    stored = features.features
    return stored.cuts if isinstance(stored, MappedFeatures) else ((np.asarray(stored),),)
