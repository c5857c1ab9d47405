"""Leaks: images of one split that another split has seen."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Mapping

from pipeline.cache import FeatureSet
from pipeline.evaluation.leaks.findings import DOUBTFUL, KINDS, NOT_LOOKED_FOR, Finding, Leaks, Place
from pipeline.evaluation.leaks.hashes import FILE_NAME, HashStore, Images, hash_all
from pipeline.evaluation.leaks.likeness import (
    LEAST_COSINE,
    Originals,
    cosines,
    find_near,
    take_originals,
    too_few_channels,
)
from pipeline.evaluation.leaks.listed import (
    count_repeated,
    find_conflicts,
    find_exact,
    find_groups,
    find_named,
    note_on_names,
)
from pipeline.evaluation.leaks.lookalikes import MOST_BITS, find_lookalikes
from pipeline.images import SPLITS

__all__ = [
    "DOUBTFUL",
    "KINDS",
    "LEAST_COSINE",
    "MOST_BITS",
    "NOT_LOOKED_FOR",
    "Finding",
    "Leaks",
    "Place",
    "find_leaks",
]


def find_leaks(
    splits: Mapping[str, FeatureSet],
    *,
    images: Images = None,
    kinds: Collection[str] = KINDS,
    most_bits: int = MOST_BITS,
    least_cosine: float = LEAST_COSINE,
) -> Leaks:
    """Looks for images that stand, in one form or another, in more than one split.

    Views of an image are left out. Each image of a later split is reported with one partner in each earlier
    split, so there are never more findings of a kind than images (conflicts apart). An image that is gone
    or unreadable is told in the notes and never an error.

    Args:
        splits: Features of the splits by name, all of one entry.
        images: Reads pictures that were never hashed: a source, or a function that opens it, called only
            where it is needed; None = only the hashes that are known are compared.
        kinds: What to look for. ``near`` reads all features, and with it ``augmented`` those of images with
            telling names; the others read none.
        most_bits: Largest Hamming distance between the hashes of two copies, of 256 bits.
        least_cosine: Smallest cosine similarity that is worth a look.

    Raises:
        CacheMismatchError: A feature row is damaged.
    """
    originals = [take_originals(splits[name]) for name in SPLITS if name in splits]
    present = [one for one in originals if len(one)]
    found = _listed(present, kinds)
    notes: list[str] = []
    if {"perceptual", "mirrored", "turned"} & set(kinds) and len(present) > 1:
        # Beside the entries of the data set, because a hash serves all of them.
        store = HashStore(present[0].features.path.parent.parent / FILE_NAME)
        hashed, notes = hash_all(present, images, store)
        found += [one for one in find_lookalikes(present, hashed, most_bits=most_bits) if one.kind in kinds]
    channels = too_few_channels(present[0]) if present else 0
    features = "near" in kinds and not channels
    if {"augmented", "named"} & set(kinds):
        known = {_pair(one) for one in found}
        found += [
            one for one in _named(present, known, least_cosine if features else None) if one.kind in kinds
        ]
        notes += filter(None, [note_on_names(present)])
    if "near" in kinds and len(present) > 1:
        if channels:
            notes.append(f"features of {channels} channels tell too little to look for near pictures")
        else:
            same = {_pair(one) for one in found}
            found += [one for one in find_near(present, least_cosine=least_cosine) if _pair(one) not in same]
    return Leaks(
        findings=tuple(sorted(found, key=_order)),
        notes=tuple(notes),
        checked={one.split: len(one) for one in present},
        repeated={one.split: count for one in present if (count := count_repeated(one))},
    )


def _listed(present: list[Originals], kinds: Collection[str]) -> list[Finding]:
    looks = {"exact": find_exact, "conflict": find_conflicts, "group": find_groups}
    found: Iterable[Iterable[Finding]] = (look(present) for kind, look in looks.items() if kind in kinds)
    return [finding for some in found for finding in some]


def _named(
    present: list[Originals], known: set[tuple[Place, Place]], least_cosine: float | None
) -> Iterator[Finding]:
    """Yields images named like copies: ``augmented`` where their features agree, ``named`` where they do not.

    Args:
        present: The splits.
        known: Pairs that were found already.
        least_cosine: Where features agree; None = they are not looked at.
    """
    found = []
    for one in find_named(present):
        places = [(one.earlier.place(partner), one.later.place(one.row)) for partner in one.partners]
        if known.isdisjoint(places):
            found.append((one, places))
    if least_cosine is None or not found:
        yield from (Finding("named", *places[0]) for _, places in found)
        return
    sides = [
        [((one.earlier.split, partner), (one.later.split, one.row)) for partner in one.partners]
        for one, _ in found
    ]
    values = iter(cosines(present, [pair for pairs in sides for pair in pairs]).tolist())
    for _, places in found:
        value, place = max(((next(values), place) for place in places), key=lambda each: each[0])
        yield Finding("augmented" if value >= least_cosine else "named", *place, value)


def _pair(finding: Finding) -> tuple[Place, Place]:
    return finding.first, finding.second


def _order(finding: Finding) -> tuple:
    sure = finding.value if finding.kind in ("perceptual", "mirrored", "turned") else -finding.value
    where = SPLITS.index(finding.first.split), SPLITS.index(finding.second.split)
    return KINDS.index(finding.kind), sure, *where, finding.first.id, finding.second.id
