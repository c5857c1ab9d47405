"""Leaks as pairs of pictures."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

from pipeline.evaluation.leaks.findings import KINDS, Finding, Leaks, Place
from pipeline.names import readable

MOST = 12
"""Pairs shown of each kind."""
NAME = 90
MEANING = {
    "exact": "the same file",
    "perceptual": "the same picture, encoded or sized anew",
    "mirrored": "the same picture, mirrored",
    "turned": "the same picture, turned or mirrored in another way",
    "augmented": "named like copies of images in another split, with features that are nearly the same",
    "named": "named like copies of images in another split; look whether they are",
    "near": "features that are nearly the same; look whether the pictures are",
    "conflict": "the same file with two labels",
    "group": "one group in two splits",
}
VALUES = dict.fromkeys(("perceptual", "mirrored", "turned"), "distance {:.0f}") | dict.fromkeys(
    ("near", "augmented", "named"), "cosine {:.4f}"
)


@dataclass(frozen=True)
class Side:
    """One image of a pair: its id as it is, and what is shown of it."""

    id: str
    name: str
    split: str
    label: str


@dataclass(frozen=True)
class PairOfPictures:
    """Two images that should not stand where they stand, and how alike they are in words."""

    first: Side
    second: Side
    value: str


@dataclass(frozen=True)
class KindOfLeak:
    """All findings of one kind: its name and meaning, how many there are, and the first of them."""

    kind: str
    meaning: str
    count: int
    pairs: tuple[PairOfPictures, ...]


def kinds_of_leaks(leaks: Leaks, *, most: int = MOST) -> list[KindOfLeak]:
    """Returns the kinds that were found, in the order of ``KINDS``, each with its surest pairs."""
    counts = Counter(one.kind for one in leaks.findings)
    order = [kind for kind in KINDS if kind in counts] + sorted(set(counts) - set(KINDS))
    return [
        KindOfLeak(
            kind,
            MEANING.get(kind, ""),
            counts[kind],
            tuple(_pair(one) for one in [one for one in leaks.findings if one.kind == kind][:most]),
        )
        for kind in order
    ]


def _pair(finding: Finding) -> PairOfPictures:
    words = VALUES.get(finding.kind, "").format(finding.value)
    if finding.kind == "named" and not finding.value:
        words = ""  # the features were not looked at
    value = ", ".join(filter(None, [finding.change, words]))
    return PairOfPictures(_side(finding.first), _side(finding.second), value)


def _side(place: Place) -> Side:
    label = readable(place.label) if place.label else ""
    return Side(place.id, readable(place.id, NAME), place.split, label)
