"""Leaks that show in the list of images alone: the same file twice, two labels for it, a group torn apart."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import combinations

from pipeline.evaluation.leaks.findings import Finding, Place
from pipeline.evaluation.leaks.originals import Originals


def find_exact(splits: Sequence[Originals]) -> Iterator[Finding]:
    """Yields each image of a split that stands byte for byte in an earlier split, too."""
    for earlier, later in combinations(splits, 2):
        yield from _shared("exact", earlier, later, earlier.keys, later.keys)


def find_groups(splits: Sequence[Originals]) -> Iterator[Finding]:
    """Yields each image of a split whose group (a patient, a product) stands in an earlier split, too."""
    for earlier, later in combinations(splits, 2):
        yield from _shared("group", earlier, later, earlier.rows.groups, later.rows.groups)


def find_conflicts(splits: Sequence[Originals]) -> Iterator[Finding]:
    """Yields each image that has another label than the same image before it, in any split."""
    labelled: dict[bytes, Place] = {}
    for one in splits:
        for row, key in enumerate(one.keys):
            if one.label(row):
                first = labelled.setdefault(key, one.place(row))
                if first.label != one.label(row):
                    yield Finding("conflict", first, one.place(row))


def count_repeated(one: Originals) -> int:
    """Counts the images of a split that stand in it before."""
    return len(one) - len(set(one.keys))


def _shared(
    kind: str,
    earlier: Originals,
    later: Originals,
    earlier_keys: Iterable[bytes | str],
    later_keys: Iterable[bytes | str],
) -> Iterator[Finding]:
    """Yields each later row with the first earlier row of the same key; an empty key is none."""
    known: dict[bytes | str, int] = {}
    for row, key in enumerate(earlier_keys):
        known.setdefault(key, row)
    for row, key in enumerate(later_keys):
        if key and key in known:
            yield Finding(kind, earlier.place(known[key]), later.place(row))
