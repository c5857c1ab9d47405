"""Which stored features a request goes on with: what it leaves open is what made those."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.backbones.weights import Weights
from pipeline.cache.entries import Entry
from pipeline.cache.finding import LEFT_OPEN, UNUSED_BY_RAW
from pipeline.cache.reuse import stored_rows
from pipeline.extraction.request import FeatureRequest
from pipeline.images.manifest import Manifest
from pipeline.images.resizing import ALL_RESIZES, quickest_resize
from pipeline.images.row_table import isin
from pipeline.progress import say
from pipeline.spec import RAW, FeatureSpec

MOST_OF = 0.5
"""Share of the images whose features another data set must hold, so that what made them is gone on with."""


def continued(
    request: FeatureRequest,
    weights: Weights,
    stored: Sequence[Entry],
    manifest: Manifest,
    folder: Path,
) -> FeatureRequest:
    """Replaces ``auto`` by what made the features that are there, whatever would be faster.

    These are an entry of the same data set that differs in nothing else; and where there is none, one of
    another data set that holds most of the images, as after a new name or a new split.

    Args:
        request: What the user asks for.
        weights: The filters of its base.
        stored: All entries of the cache.
        manifest: The images.
        folder: Where the entries of their data set stand in the cache.
    """
    fitting = [
        (entry, taken)
        for entry in sorted(stored, key=_by_speed)
        if (taken := _taken(request, weights, entry.spec)) is not None
    ]
    for entry, taken in fitting:
        if entry.dataset == folder.name:
            return replace(request, **taken)
    for entry, taken in fitting:
        if _holds_most(folder.parent, entry, manifest):
            chosen = ", ".join(f"{name.replace('_', '-')} {value}" for name, value in taken.items())
            say(f"{chosen}: as in {entry.full_name}, which has most of these images")
            return replace(request, **taken)
    return request


def _by_speed(entry: Entry) -> int:
    return ALL_RESIZES.index(entry.spec.resize) if entry.spec.resize in ALL_RESIZES else len(ALL_RESIZES)


def _taken(request: FeatureRequest, weights: Weights, there: FeatureSpec) -> dict[str, Any] | None:
    """Returns what a request would take from a spec for what it leaves open; None where that is not all."""
    unused = UNUSED_BY_RAW if request.engine == RAW else ()
    taken = {
        name: getattr(there, name)
        for name in LEFT_OPEN
        if name not in unused and getattr(request, name) == "auto"
    }
    if not taken or there.resize not in ALL_RESIZES:  # as another version may have it
        return None
    if request.precision == "int8":  # whose network is found later
        there = replace(there, calibration="")
    drafts = [replace(spec.plain, **taken) for spec in request.specs(weights)]
    return taken if there.plain in drafts else None


def _holds_most(cache: Path, entry: Entry, manifest: Manifest) -> bool:
    wanted = np.unique(np.concatenate([rows.keys for rows in manifest.splits.values()]))
    there = stored_rows(cache, entry.spec, wanted, entries=[entry], images=manifest.splits.values())
    return bool(isin(wanted, there.keys).sum() >= MOST_OF * len(wanted))


def settle_resize(request: FeatureRequest) -> FeatureRequest:
    """Replaces ``auto`` by the quickest resize, and says where it is not the quickest of all."""
    if request.resize != "auto":
        return request
    name, reason = quickest_resize(request.base.filter)
    if reason:
        say(f"note: {reason}. Using {name}")
    return replace(request, resize=name)
