"""The rules of ``assign_splits`` once more, image by image, for comparison."""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from pipeline.images import ImageItem

ORDER = ("train", "val", "test")


def plainly_assigned(items: Sequence[ImageItem], digests: np.ndarray) -> list[str]:
    """Returns the split of every image; groups must not straddle the stated splits."""
    contents = [row.tobytes() for row in digests]
    families = _families(items, contents)
    stated: dict[bytes, set[str]] = defaultdict(set)
    of_group: dict[str, str] = {}
    for item, family in zip(items, families, strict=True):
        if item.split is not None:
            stated[family].add(item.split)
            if item.group is not None:
                of_group[item.group] = item.split
    given = {item.split for item in items}
    carve = "train" in given and "val" not in given
    return [
        _chosen(item.split or of_group.get(item.group or "") or _first(stated[family]), family, carve=carve)
        for item, family in zip(items, families, strict=True)
    ]


def _families(items: Sequence[ImageItem], contents: Sequence[bytes]) -> list[bytes]:
    """Joins what shares a group or a content, again and again until nothing changes."""
    names: dict[object, str] = {item.group: item.group for item in items if item.group is not None}
    changed = True
    while changed:
        changed = False
        for item, content in zip(items, contents, strict=True):
            known = [names[key] for key in (item.group, content) if key in names]
            for key in (item.group, content) if known else ():
                if key is not None and names.get(key) != min(known):
                    names[key], changed = min(known), True
    return [
        b"group " + names[content].encode(errors="surrogatepass") if content in names else b"image " + content
        for content in contents
    ]


def _first(splits: set[str]) -> str | None:
    return next((split for split in ORDER if split in splits), None)


def _chosen(split: str | None, family: bytes, *, carve: bool) -> str:
    salted = hashlib.sha256(b"two-stage-pipeline split 1:" + family).digest()
    position = int.from_bytes(salted[:8]) / 2**64
    if split is None:
        return "train" if position - 0.70 < 0 else "val" if position - 0.70 - 0.15 < 0 else "test"
    return "val" if split == "train" and carve and position >= 1 - 0.15 / (0.70 + 0.15) else split
