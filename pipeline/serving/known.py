"""What is known of a stored image, as JSON: its class, its labels, or its numbers."""

from __future__ import annotations

from typing import Any

from pipeline.cache import FeatureSet
from pipeline.images.targets import CLASS, LABELS


def known_of(features: FeatureSet, row: int) -> dict[str, Any]:
    """Returns what is known of the image of a row.

    Returns:
        One member: ``class``, the name; ``labels``, those that it is known to have; or ``numbers``, those
        that are known, by name. None where nothing is.
    """
    known = bool(features.known[row])
    if features.target == CLASS:
        return {"class": features.told(row)}
    values = dict(zip(features.classes, features.targets[row].tolist(), strict=True))
    if features.target == LABELS:
        return {"labels": [name for name, value in values.items() if value == 1] if known else None}
    return {"numbers": {name: one for name, one in values.items() if one == one} if known else None}
