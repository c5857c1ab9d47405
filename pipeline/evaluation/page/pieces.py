"""Pieces that pages about reports of every kind share: remarks, leaks, digests of images and axes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pipeline.cache import FeatureSet
from pipeline.evaluation.head_report import HeadReport
from pipeline.evaluation.leaks.findings import NOT_LOOKED_FOR, Leaks
from pipeline.evaluation.page.pictures import Album, encode, kinds_of_leaks
from pipeline.images.row_table import RowTable
from pipeline.wording import counted, verb

MISLEADING = ("RANDOM FILTERS", "LEAK", "this is the training split")
"""How notes begin that take the meaning from the figures, rather than adding to it."""
GALLERY_SIZE, LEAK_SIZE = 224, 128
"""Sides of pictures, in pixels."""


def digests_of(rows: RowTable, features: Mapping[str, FeatureSet]) -> dict[str, bytes]:
    """Returns the digest of each row's image by id, those of the other splits included."""
    every = [*(part.rows for part in features.values()), rows]
    return {
        name: digest.tobytes() for part in every for name, digest in zip(part.ids, part.digests, strict=True)
    }


def encoded(album: Album, ids: Sequence[str], size: int) -> dict[str, str]:
    """Returns the pictures of images that can be shown, as ``data:`` addresses by id."""
    return {name: encode(picture) for name, picture in album.read(ids, size=size).items()}


def leak_contents(leaks: Leaks | None, album: Album) -> dict[str, Any]:
    """Returns what the template of the leaks shows."""
    kinds = kinds_of_leaks(leaks) if leaks else []
    sides = [side.id for kind in kinds for pair in kind.pairs for side in (pair.first, pair.second)]
    return {
        "leaks_checked": leaks is not None,
        "not_looked_for": NOT_LOOKED_FOR,
        "leaks": kinds,
        "checked": leaks.checked if leaks else {},
        "leak_notes": leaks.notes if leaks else (),
        "repeated": leaks.repeated if leaks else {},
        "leak_pictures": encoded(album, sides, LEAK_SIZE),
    }


def warnings_of(report: HeadReport, leaks: Leaks | None) -> list[dict[str, Any]]:
    """Returns the remarks, those first that take the meaning from the figures."""
    found = [{"text": note, "danger": note.startswith(MISLEADING)} for note in report.notes]
    leaking = int(leaks.mask(report.split, report.rows.ids).sum()) if leaks else 0
    if leaking and not any(note.startswith("LEAK") for note in report.notes):
        stand = f"{leaking:,} of {counted(len(report.rows), 'image')} {verb(leaking, 'stands', 'stand')}"
        text = (
            f"LEAK: {stand} in the training split, too, so the figures are better than they should be. "
            "The part on leaks shows them"
        )
        found.append({"text": text, "danger": True})
    return sorted(found, key=lambda one: not one["danger"])


def scale_of(intervals: Sequence[tuple[float, float] | None]) -> tuple[float, float]:
    """Returns the ends of an axis that holds all intervals."""
    known = [one for one in intervals if one is not None]
    low, high = min((one[0] for one in known), default=0.0), max((one[1] for one in known), default=1.0)
    return (low, high) if high > low else (low, low + 1e-9)
