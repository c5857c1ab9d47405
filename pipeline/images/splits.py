"""Splits of images that come without, chosen by content so that they never change."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from pipeline.errors import UsageError
from pipeline.images import SPLITS, ImageItem

SHARES = {"train": 0.70, "val": 0.15, "test": 0.15}
"""Shares of train, val and test in a source without splits."""

_CARVED = SHARES["val"] / (SHARES["train"] + SHARES["val"])
_SALT = b"two-stage-pipeline split 1:"


def assign_splits(items: Sequence[ImageItem], digests: np.ndarray) -> list[str]:
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
    families = _families(items, digests)
    of_group, of_family = _stated(items, families)
    stated = {item.split for item in items}
    carve = "train" in stated and "val" not in stated
    chosen = []
    for item, family in zip(items, families, strict=True):
        split = item.split or of_group.get(item.group) or of_family.get(family)
        if split is None:
            split = _by_hash(family)
        elif split == "train" and carve and _position(family) >= 1 - _CARVED:
            split = "val"
        chosen.append(split)
    return chosen


def _families(items: Sequence[ImageItem], digests: np.ndarray) -> list[bytes]:
    """Returns N keys: items of one key must share a split.

    The key of a family is the smallest name among its groups, or its digest where it has no group.
    """
    keys = [row.tobytes() for row in np.ascontiguousarray(digests)]
    leader: dict[str, str] = {}

    def lead(group: str) -> str:
        while (above := leader.setdefault(group, group)) != group:
            leader[group] = leader[above]
            group = above
        return group

    home: dict[bytes, str] = {}
    for item, key in zip(items, keys, strict=True):
        if item.group is not None:
            low, high = sorted((lead(item.group), lead(home.setdefault(key, item.group))))
            leader[high] = low

    def family(item: ImageItem, key: bytes) -> bytes:
        group = item.group if item.group is not None else home.get(key)
        return b"image " + key if group is None else b"group " + lead(group).encode(errors="surrogatepass")

    return [family(item, key) for item, key in zip(items, keys, strict=True)]


def _stated(
    items: Sequence[ImageItem], families: Sequence[bytes]
) -> tuple[dict[str | None, str], dict[bytes, str]]:
    """Returns the splits that the source states, by group and by family.

    A family with copies of an image in several stated splits counts for the first of them in the order train,
    val, test, so that test is not contaminated further.
    """
    by_group: dict[str, set[str]] = defaultdict(set)
    by_family: dict[bytes, set[str]] = defaultdict(set)
    for item, family in zip(items, families, strict=True):
        if item.split is not None:
            by_family[family].add(item.split)
            if item.group is not None:
                by_group[item.group].add(item.split)
    for group, splits in by_group.items():
        if len(splits) > 1:
            raise UsageError(
                f"group {group!r} has images in {' and '.join(_ordered(splits))}: a group that straddles "
                "splits makes figures too good; give all its images the same split"
            )
    first = {family: _ordered(splits)[0] for family, splits in by_family.items()}
    return {group: splits.pop() for group, splits in by_group.items()}, first


def _ordered(splits: set[str]) -> list[str]:
    return [split for split in SPLITS if split in splits]


def _by_hash(family: bytes) -> str:
    position = _position(family)
    for split, share in SHARES.items():
        position -= share
        if position < 0:
            return split
    return SPLITS[-1]


def _position(family: bytes) -> float:
    """Places a family on [0, 1), uniformly and for ever."""
    return int.from_bytes(hashlib.sha256(_SALT + family).digest()[:8]) / 2**64
