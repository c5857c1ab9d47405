"""What is known of an image: its class, several labels, or a number. The kind is that of a whole data set."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.errors import unknown
from pipeline.wording import counted, readable

CLASS = "class"
"""One class an image: labels are positions in the classes, and there are no targets."""
LABELS = "labels"
"""Several labels an image: targets (N, k) are 1 where it has a label, 0 where not, NaN where unknown."""
NUMBER = "number"
"""Numbers of an image: targets (N, k) are their values, NaN where unknown."""
KINDS = (CLASS, LABELS, NUMBER)
NOUNS = {CLASS: "class", LABELS: "label", NUMBER: "number"}
"""What one target of each kind is called."""
MOST_ROUNDED = 0.1
"""Share of its spread by which a number may be rounded without a word."""
PLURALS = {CLASS: "classes", LABELS: "labels", NUMBER: "numbers"}
COLUMN = "target:"
"""How the name of a column begins that holds a target, in the tables that other programs are given."""


def checked_kind(kind: str) -> str:
    """Returns a kind that a user has chosen, or an empty text where nobody has.

    Raises:
        UsageError: There is no such kind.
    """
    if kind and kind not in KINDS:
        raise unknown("target", kind, KINDS)
    return kind


def described(kind: str) -> str:
    """Says what a kind is, in words."""
    return {CLASS: "one class an image", LABELS: "several labels an image", NUMBER: "numbers"}[kind]


def no_targets(rows: int) -> np.ndarray:
    """Returns the targets of rows that have classes, float32 (rows, 0)."""
    return np.empty((rows, 0), np.float32)


def known_rows(targets: np.ndarray) -> np.ndarray:
    """Tells which rows have at least one target that is known, bool (N,), for targets (N, k)."""
    return ~np.isnan(targets).all(axis=1) if targets.shape[1] else np.zeros(len(targets), bool)


def count_targets(targets: np.ndarray, kind: str) -> tuple[np.ndarray, int]:
    """Returns the images that have each label, or each number, int (k,), and how many have none known.

    Args:
        targets: (N, k).
        kind: ``LABELS`` or ``NUMBER``.
    """
    there = targets == 1 if kind == LABELS else ~np.isnan(targets)
    return there.sum(axis=0), int(np.count_nonzero(~known_rows(targets)))


def spans_of(targets: np.ndarray) -> np.ndarray:
    """Returns least, middle and greatest value of each target (N, k), float64 (k, 3); NaN without any."""
    spans = np.full((targets.shape[1], 3), np.nan)
    for place, column in enumerate(targets.T):
        known = column[~np.isnan(column)]
        if len(known):
            spans[place] = known.min(), np.median(known), known.max()
    return spans


def lost_digits(values: np.ndarray, names: Sequence[str]) -> list[str]:
    """Says of which numbers float32 does not keep the differences.

    Args:
        values: float64 (N, k), NaN where one is unknown, none beyond float32.
        names: k names of the numbers.
    """
    notes = []
    for name, column in zip(names, values.T, strict=True):
        known = column[~np.isnan(column)]
        if not len(known):
            continue
        away = np.abs(known.astype(np.float32) - known).max()
        if known.max() > known.min() and away > MOST_ROUNDED * known.std():
            shown = " to ".join(f"{end:.15g}" for end in (known.min(), known.max()))
            notes.append(
                f"{readable(name)}, {shown}, is rounded by up to {away:.2g}, for 7 digits are kept: give "
                "what is left after subtracting the same value from all"
            )
    return notes


def are_marks(targets: np.ndarray) -> np.ndarray:
    """Tells which targets can be labels: 1, 0, or unknown; bool, of the same shape."""
    return np.isnan(targets) | (targets == 0) | (targets == 1)


def on_unknown(targets: np.ndarray) -> list[str]:
    """Remarks how many of some measured images have a target that is unknown, where there are any."""
    partly = int(np.isnan(targets).any(axis=1).sum())
    if not partly:
        return []
    return [f"of {counted(partly, 'image')} not everything is known; what is unknown counts in no figure"]


def same_rows(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Tells which rows of two tables of targets (N, k) are the same, bool (N,); unknown is as unknown."""
    return ((one == other) | (np.isnan(one) & np.isnan(other))).all(axis=1)


def same_targets(one: np.ndarray, other: np.ndarray) -> bool:
    """Tells whether two tables of targets are the same; unknown is the same as unknown."""
    return np.array_equal(one, other, equal_nan=True)


def renamed(targets: np.ndarray, kind: str, names: Sequence[str], wanted: Sequence[str]) -> np.ndarray:
    """Brings targets under other names: what nobody had named is no label of an image, or an unknown number.

    Args:
        targets: (N, k).
        kind: ``LABELS`` or ``NUMBER``.
        names: k names of them.
        wanted: m other names.

    Returns:
        float32 (N, m).
    """
    places = {name: place for place, name in enumerate(names)}
    found = np.full((len(targets), len(wanted)), np.nan, np.float32)
    if kind == LABELS:
        found[known_rows(targets)] = 0
    for place, name in enumerate(wanted):
        if name in places:
            found[:, place] = targets[:, places[name]]
    return found


@dataclass(frozen=True, eq=False)
class TargetTable:
    """What the labels of items stand for, in a source whose images have no classes.

    Attributes:
        kind: ``LABELS`` or ``NUMBER``.
        names: k names of the labels, or of the numbers.
        values: float32 (m, k), the targets of an item by its label; an item of label -1 has none.
    """

    kind: str
    names: tuple[str, ...]
    values: np.ndarray

    def of(self, labels: np.ndarray) -> np.ndarray:
        """Returns the targets of items, float32 (n, k), by their labels, int (n,)."""
        unknown = np.full((1, len(self.names)), np.nan, np.float32)
        return np.concatenate([self.values.astype(np.float32), unknown])[labels]
