"""Leaks that show in the list of images alone: copies, contradicting labels, torn groups, names of copies."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import chain, combinations
from typing import NamedTuple

from pipeline.evaluation.leaks.findings import Finding
from pipeline.evaluation.leaks.likeness import Originals
from pipeline.wording import counted, readable, verb

MOST_PARTNERS = 16
"""Images of another split that one image is compared with: of more, names alone tell nothing."""
_MOST_SIBLINGS = 64
"""A family of more copies in one split is no family but a way to count: ``cat_aug_1`` to ``cat_aug_500``."""
_DEPTH = 3
_LONGEST_NUMBER = 7

_EXTENSION = re.compile(r"\.(?:jpe?g|jfif|png|gif|bmp|webp|tiff?|ppm|pgm|jp2|avif|heic)$", re.IGNORECASE)
_SURE = (
    r"(?:aug(?:mented|mentation)?|(?:[hv]_?)?flip(?:ped)?(?:_?(?:lr|ud|[hvxy]))?|rot(?:ated?)?_?\d+|rotated|"
    r"mirror(?:ed)?)"
)
_ANY = (
    rf"(?:{_SURE}|rot(?:at(?:e|ion))?|crop(?:ped)?|zoom(?:ed)?|shear(?:ed)?|shift(?:ed)?|blur(?:red)?|nois[ey]|"
    r"bright(?:er|ness)?|dark(?:er)?|contrast|jitter|transform(?:ed)?|hue|gamma)"
)
_MADE = (
    re.compile(rf"^{_ANY}\d{{0,4}}[ _.\-]+(?:\d{{1,4}}[ _\-]+)?(?P<base>.+)$"),
    re.compile(rf"^{_ANY}\d{{0,4}}[ _.\-]+(?P<base>.+)$"),
    re.compile(rf"^(?P<base>.+?)[ _.\-]+{_ANY}(?:[ _\-]?\d{{1,5}})*$"),
    re.compile(r"^(?P<base>.+?)(?:[_.\-](?:jpe?g|png|gif|bmp|webp|tiff?))?\.rf\.[0-9a-z]{6,}$"),
)
"""What programs that make copies write (the last is Roboflow's): copies of an original share the rest."""
_SAVED = (
    re.compile(r"^copy(?: \(?\d+\)?)? of (?P<base>.+)$"),
    re.compile(r"^(?P<base>.+?)[ _\-]+copy(?:[ _\-]?\(?\d+\)?)?$"),
    re.compile(r"^(?P<base>.+?) ?\(\d{1,3}\)$"),
)
"""What file managers and browsers write; it tells of a copy only where the original is there."""
_TELLING = re.compile(rf"^{_SURE}[ _.\-]|[ _.\-]{_SURE}(?:[ _\-]?\d{{1,5}})*$")
_PERHAPS = re.compile(
    r"aug|flip|rot|mirror|crop|zoom|shear|shift|blur|nois|bright|dark|contrast|jitter|transform|hue|gamma|copy|"
    r"\.rf\.|\)$"
)
"""Most names have none of these, which saves the closer look."""


class Name(NamedTuple):
    """What a file name tells.

    Attributes:
        stem: The name without folders and extension, in lower case.
        bases: Stems that the original may have, the likeliest first.
        family: What all copies of one original share; empty where the name is not that of a made copy.
    """

    stem: str
    bases: tuple[str, ...]
    family: str


class NamedAlike(NamedTuple):
    """An image of a later split, and the rows of an earlier one with the names of its copies or originals."""

    earlier: Originals
    later: Originals
    row: int
    partners: tuple[int, ...]


def read_name(name: str) -> Name:
    """Reads what a file name tells of the image's original."""
    stem = _stem(name)
    made: tuple[str, ...] = ()
    saved: tuple[str, ...] = ()
    if _PERHAPS.search(stem):
        made, saved = _stripped(stem, _MADE), _stripped(stem, _MADE + _SAVED)
    bases = dict.fromkeys((*made, *saved, *_without_numbers(stem)))
    return Name(stem, tuple(bases), min(made, key=len, default=""))


def find_named(splits: Sequence[Originals]) -> Iterator[NamedAlike]:
    """Yields each image of a split with those of every earlier split that share its name but for such a mark.

    Only images of one class, or without one, are compared: every folder of a class may count its images anew.
    """
    read = {one.split: [read_name(name) for name in one.rows.ids] for one in splits}
    places = {split: _rows_by_stem(names) for split, names in read.items()}
    families = {split: _families(names) for split, names in read.items()}
    for earlier, later in combinations(splits, 2):
        copies = defaultdict(list)  # of an image of the later split, in the earlier one
        for row, name in enumerate(read[earlier.split]):
            for base in name.bases:
                if base in places[later.split]:
                    copies[base].append(row)
        for row, name in enumerate(read[later.split]):
            alike = chain(
                *(places[earlier.split].get(base, ()) for base in name.bases),
                copies.get(name.stem, ()),
                families[earlier.split].get(name.family, ()),
            )
            partners = [i for i in dict.fromkeys(alike) if earlier.differences(i, later, row) is None]
            if partners:
                yield NamedAlike(earlier, later, row, tuple(partners[:MOST_PARTNERS]))


def note_on_names(splits: Sequence[Originals]) -> str:
    """Says how many images have the names of augmented copies; empty where none has."""
    telling = {one.split: [name for name in one.rows.ids if _is_telling(name)] for one in splits}
    counts = {split: len(names) for split, names in telling.items() if names}
    if not counts:
        return ""
    example = next(names[0] for names in telling.values() if names)
    each = ", ".join(f"{split} {count:,}" for split, count in counts.items())
    total = sum(counts.values())
    return (
        f"{counted(total, 'image')} {verb(total)} named like augmented copies "
        f"({each}; e.g. {readable(example)}). "
        "Where a name does not tell the original, nothing here tells which split that is in"
    )


def _stem(name: str) -> str:
    return _EXTENSION.sub("", name.rpartition("/")[2]).casefold()


def _is_telling(name: str) -> bool:
    stem = _stem(name)
    return bool(_PERHAPS.search(stem) and _TELLING.search(stem))


def _without_numbers(stem: str) -> Iterator[str]:
    """Yields what is left without ``_3``, ``-12`` or Keras' ``_0_1234`` (place and random number)."""
    for _ in range(_DEPTH):
        base, _, last = stem.replace("-", "_").rpartition("_")
        if not base or not last.isdecimal() or len(last) > _LONGEST_NUMBER:
            return
        stem = stem[: len(base)]
        yield stem


def _stripped(stem: str, patterns: tuple[re.Pattern[str], ...]) -> tuple[str, ...]:
    """Returns what is left of a stem when marks are taken away, one after the other."""
    found: dict[str, None] = {}
    edge = [stem]
    for _ in range(_DEPTH):
        edge = [match["base"] for one in edge for pattern in patterns if (match := pattern.match(one))]
        found |= dict.fromkeys(edge)
    return tuple(found)


def _rows_by_stem(names: Sequence[Name]) -> dict[str, list[int]]:
    rows = defaultdict(list)
    for row, name in enumerate(names):
        rows[name.stem].append(row)
    return dict(rows)


def _families(names: Sequence[Name]) -> dict[str, list[int]]:
    rows = defaultdict(list)
    for row, name in enumerate(names):
        if name.family:
            rows[name.family].append(row)
    return {family: members for family, members in rows.items() if len(members) <= _MOST_SIBLINGS}


def find_exact(splits: Sequence[Originals]) -> Iterator[Finding]:
    """Yields each image of a split that stands byte for byte in an earlier split, too."""
    for earlier, later in combinations(splits, 2):
        yield from _shared("exact", earlier, later, earlier.keys, later.keys)


def find_groups(splits: Sequence[Originals]) -> Iterator[Finding]:
    """Yields each image of a split whose group (a patient, a product) stands in an earlier split, too."""
    for earlier, later in combinations(splits, 2):
        yield from _shared("group", earlier, later, earlier.rows.groups, later.rows.groups)


def find_conflicts(splits: Sequence[Originals]) -> Iterator[Finding]:
    """Yields each image that has another label than the same image before it, in any split.

    Of several labels, and of numbers, the two places name those that differ.
    """
    labelled: dict[bytes, tuple[Originals, int]] = {}
    for one in splits:
        known = one.features.known[one.index]
        for row, key in enumerate(one.keys):
            if known[row]:
                first, first_row = labelled.setdefault(key, (one, row))
                if told := first.differences(first_row, one, row):
                    before, here = first.place(first_row), one.place(row)
                    yield Finding("conflict", replace(before, label=told[0]), replace(here, label=told[1]))


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
