"""Splits of images that come without, chosen by content so that they never change."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from pipeline.errors import UsageError
from pipeline.images.image_list import list_images
from pipeline.images.packed_strings import Categorical
from pipeline.images.row_table import DIGEST_BYTES
from pipeline.images.source import SPLITS, ImageItem
from pipeline.wording import counted, verb

SHARES = {"train": 0.70, "val": 0.15, "test": 0.15}
"""Shares of train, val and test in a source without splits."""

_CARVED = SHARES["val"] / (SHARES["train"] + SHARES["val"])
_SALT = b"two-stage-pipeline split 1:"
_NONE = -1
_TRAIN, _VAL = SPLITS.index("train"), SPLITS.index("val")
_STRETCH = 4096


def assign_splits(items: Sequence[ImageItem], digests: np.ndarray) -> Categorical:
    """Chooses the split of every image.

    The splits a source states are kept, with one exception: where it states ``train`` but no ``val``, a
    0.15/0.85 share of ``train`` becomes ``val``. Images without a split go to train, val or test in the
    shares 0.70, 0.15, 0.15, by a salted hash of their group's name, or of their digest without a group:

    * Adding or removing images moves no other image.
    * A group stays in one split, and identical images share one. Groups that share an image are kept
      together, too; only an image that newly ties two groups, or an old image to a group, may move some.
    * Images that belong with images of a stated split (same group, or same content) follow those.

    The shares hold in expectation, for each class alike. A class of few images may miss them by much, and
    nothing guarantees that every class reaches every split.

    Args:
        items: N images.
        digests: uint8 (N, 32), SHA-256 of each image.

    Returns:
        N names, each ``train``, ``val`` or ``test``.

    Raises:
        UsageError: The source puts images of one group into different splits.
    """
    listing = list_images(items)
    groups, chosen = listing.groups, listing.splits.astype(np.int8)
    stated = chosen >= 0
    carve = (chosen == _TRAIN).any() and not (chosen == _VAL).any()
    families = _families(groups, digests, wanted=bool(stated.any() and not stated.all()))
    _refuse_straddling(groups, chosen)
    _follow(groups.codes, chosen)
    _follow(families.numbers, chosen)
    free, train = (np.flatnonzero(chosen == code) for code in (_NONE, _TRAIN))
    chosen[free] = _by_position(_positions(free, families, groups.names, digests))
    if carve:
        carved = _positions(train, families, groups.names, digests) >= 1 - _CARVED
        chosen[train[carved]] = _VAL
    return Categorical(chosen, SPLITS)


def describe_splits(items: Sequence[ImageItem], assigned: Categorical) -> tuple[str, ...]:
    """Says which splits are not the source's own, and how they came about.

    Args:
        items: N images.
        assigned: What :func:`assign_splits` chose for them.
    """
    listing = list_images(items)
    stated = listing.splits
    free = int(np.count_nonzero(stated == _NONE))
    if free == len(stated):
        shares = ", ".join(f"{name} {share:.0%}" for name, share in SHARES.items())
        by = "group, or by its content without one" if (listing.groups.codes >= 0).any() else "content"
        return (f"the source states no splits: each image has one by its {by} ({shares})",)
    notes = []
    if free:
        notes.append(
            f"{counted(free, 'image')} of {len(stated):,} {verb(free, 'has', 'have')} no split in the "
            "source: each has one by its content, or that of its group"
        )
    train = stated == _TRAIN
    if train.any() and not (stated == _VAL).any():
        carved = int(np.count_nonzero(train & (assigned.codes == _VAL)))
        of = f"{np.count_nonzero(train):,} of train"
        notes.append(
            f"the source states no val: val is {counted(carved, 'image')} of the {of}, chosen by content"
            if carved
            else f"the source states no val, and none of the {of} was chosen for it: they are too few"
        )
    return tuple(notes)


class _Families(NamedTuple):
    """Who must share a split: items of one family.

    The key of a family is the smallest name among its groups, or its digest where it has no group.

    Attributes:
        numbers: The family of each item, int (N,); -1 where nobody asks.
        leaders: The group that names it, int (N,); -1 where it has no group.
    """

    numbers: np.ndarray
    leaders: np.ndarray


def _families(groups: Categorical, digests: np.ndarray, *, wanted: bool) -> _Families:
    """Finds the family of each item; its number only where there are groups, or where it is wanted."""
    nobody = np.broadcast_to(np.int8(_NONE), len(groups))
    grouped = np.flatnonzero(groups.codes >= 0)
    if not (wanted or len(grouped)):
        return _Families(nobody, nobody)
    whole = np.ascontiguousarray(digests).view(f"V{DIGEST_BYTES}").reshape(-1)
    copies = np.unique(whole, return_inverse=True)[1]
    if not len(grouped):
        return _Families(copies, nobody)
    home = np.full(len(groups), _NONE, np.int64)  # of each content, one group that holds it
    home[copies[grouped]] = groups.codes[grouped]
    own = np.where(groups.codes >= 0, groups.codes, home[copies])
    ties = np.stack([groups.codes[grouped], home[copies[grouped]]], axis=1)
    leaders = _leaders(groups.names, np.unique(ties[ties[:, 0] != ties[:, 1]], axis=0))[own]
    leaders[own < 0] = _NONE
    return _Families(np.where(own < 0, len(groups.names) + copies, leaders), leaders)


def _leaders(names: Sequence[str], ties: np.ndarray) -> np.ndarray:
    """Returns the leader of each group, int (G,): of the groups that are tied, the one of the smallest name.

    Args:
        names: G names.
        ties: Pairs of groups, int (n, 2), that share an image.
    """
    above: dict[int, int] = {}

    def lead(group: int) -> int:
        while (higher := above.setdefault(group, group)) != group:
            above[group] = above[higher]
            group = higher
        return group

    for one, other in ties.tolist():
        low, high = sorted((lead(one), lead(other)), key=lambda group: names[group])
        above[high] = low
    leaders = np.arange(len(names))
    for group in above:
        leaders[group] = lead(group)
    return leaders


def _refuse_straddling(groups: Categorical, stated: np.ndarray) -> None:
    """Refuses a source that puts images of one group into different splits; names the first such group."""
    rows = np.flatnonzero((groups.codes >= 0) & (stated >= 0))
    first = np.full(len(groups.names), _NONE, np.int8)
    codes, splits = groups.codes[rows], stated[rows]
    first[codes] = splits
    torn = np.unique(codes[first[codes] != splits])
    if len(torn):
        group = codes[np.isin(codes, torn)][0]
        where = " and ".join(SPLITS[split] for split in np.unique(splits[codes == group]))
        raise UsageError(
            f"group {groups.names[group]!r} has images in {where}: a group that straddles "
            "splits makes figures too good; give all its images the same split"
        )


def _follow(numbers: np.ndarray, chosen: np.ndarray) -> None:
    """Lets items without a split follow those of the same number, int (N,), that have one.

    Where these stand in several splits, they count for the first of them in the order train, val, test, so
    that test is not contaminated further.
    """
    have, lack = (np.flatnonzero((numbers >= 0) & mask) for mask in (chosen >= 0, chosen < 0))
    if len(have) and len(lack):
        first = np.full(int(numbers.max()) + 1, len(SPLITS), np.int8)
        np.minimum.at(first, numbers[have], chosen[have])
        found = first[numbers[lack]]
        chosen[lack] = np.where(found < len(SPLITS), found, _NONE)


def _by_position(positions: np.ndarray) -> np.ndarray:
    """Returns the split at each place on [0, 1), int8 (n,)."""
    splits = np.full(len(positions), _NONE, np.int8)
    for split, share in SHARES.items():
        positions = positions - share
        splits[(splits == _NONE) & (positions < 0)] = SPLITS.index(split)
    splits[splits == _NONE] = len(SPLITS) - 1
    return splits


def _positions(
    rows: np.ndarray, families: _Families, names: Sequence[str], digests: np.ndarray
) -> np.ndarray:
    """Places the families of some items, int (n,), on [0, 1), uniformly and for ever."""
    keys = _keys(rows, families, names, digests)
    places = (int.from_bytes(hashlib.sha256(_SALT + key).digest()[:8]) / 2**64 for key in keys)
    return np.fromiter(places, np.float64, len(rows))


def _keys(
    rows: np.ndarray, families: _Families, names: Sequence[str], digests: np.ndarray
) -> Iterator[bytes]:
    for start in range(0, len(rows), _STRETCH):
        stretch = rows[start : start + _STRETCH]
        data = digests[stretch].tobytes()
        for place, leader in enumerate(families.leaders[stretch].tolist()):
            if leader < 0:
                yield b"image " + data[place * DIGEST_BYTES : (place + 1) * DIGEST_BYTES]
            else:
                yield b"group " + names[leader].encode(errors="surrogatepass")
