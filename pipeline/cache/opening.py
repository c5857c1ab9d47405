"""Opening the published features of a split: one file, or several that are read as one."""

from __future__ import annotations

import itertools
import shlex
import time
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from pipeline.cache.entries import Entry
from pipeline.cache.features import FeatureSet, Stacked
from pipeline.cache.layout import Layout
from pipeline.cache.mapping import open_mapped
from pipeline.cache.parts import Part
from pipeline.errors import CacheMismatchError, UsageError
from pipeline.images.rows import Rows

ATTEMPTS = 20
PAUSE_S = 0.05
"""How often, and how long, several files are waited for while others take their places one by one."""


def open_features(entry: Entry, split: str) -> FeatureSet:
    """Opens the published features of a split; rows are mapped, not read.

    Raises:
        UsageError: The entry has no such split.
        CacheMismatchError: A file is damaged, incomplete, or belongs to another spec or to another state of
            the split.
    """
    for attempt in itertools.count(1):
        parts = entry.parts.get(split)
        if parts is None:
            have = ", ".join(entry.splits) or "none"
            raise UsageError(
                f"split {split!r} is not in {entry.folder}: it holds {have}. "
                f"Run `pipeline extract --data {shlex.quote(entry.source)}` if the source has it"
            )
        try:
            layouts = [_open_part(entry, part) for part in parts]
            _refuse_several_states(layouts)
        except (UsageError, CacheMismatchError):
            if attempt == ATTEMPTS or len(parts) == 1:
                raise
            time.sleep(PAUSE_S)
            continue
        return replace(_as_one(layouts), weights_file=entry.weights_file)
    raise AssertionError


def _open_part(entry: Entry, part: Part) -> Layout:
    layout = open_mapped(entry.file(part.name))
    header = layout.header
    if header.spec != entry.spec or header.part != part:
        different = header.spec.differences(entry.spec) or {"part": (header.part.name, part.name)}
        fields = ", ".join(
            f"{name}: {mine!r} in the file, {theirs!r} expected" for name, (mine, theirs) in different.items()
        )
        raise CacheMismatchError(
            f"{layout.path} does not belong here ({fields}). Run `pipeline extract` to make it anew"
        )
    if not layout.done.all():
        raise CacheMismatchError(f"{layout.path} is incomplete: run `pipeline extract` to finish it")
    return layout


def _refuse_several_states(layouts: Sequence[Layout]) -> None:
    """Refuses files that were made for different lists of images, which share rows or lack some."""
    first = layouts[0]
    for layout in layouts[1:]:
        if (layout.header.whole, layout.header.classes) != (first.header.whole, first.header.classes):
            raise CacheMismatchError(
                f"{first.path} and {layout.path.name} are of different states of the data set: "
                "run `pipeline extract` to bring them to the same"
            )


def _as_one(layouts: Sequence[Layout]) -> FeatureSet:
    first, one = layouts[0], len(layouts) == 1
    return FeatureSet(
        features=first.features if one else Stacked(tuple(np.asarray(layout.features) for layout in layouts)),
        rows=first.rows if one else Rows.joined([layout.rows for layout in layouts]),
        crc32=np.concatenate([layout.crc32 for layout in layouts]),
        spec=first.header.spec,
        classes=first.header.classes,
        split=first.header.split,
        dataset=first.header.dataset,
        path=first.path,
    )
