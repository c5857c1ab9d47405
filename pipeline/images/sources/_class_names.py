"""What the names of classes give away: spellings of a missing label, and names that may not be meant."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Collection, Mapping, Sequence

from pipeline.wording import counted, first_few, verb

_SPELLINGS = "NaN nan NAN None null NULL Null NA N/A n/a <NA> #N/A NaT - ?"
NO_LABEL = frozenset(("", *_SPELLINGS.split()))
"""How tables and arrays of text spell that a value is missing; pandas writes most of these."""

_NEARLY_NONE = {spelling.casefold() for spelling in NO_LABEL if len(spelling) > 1}
"""Letter case decides: ``None`` is what Python writes, ``none`` may be a class."""

_SHOWN = 3
_LISTED = re.compile(r"[^;|]+[;|][^;|].*|\[.*,.*\]")
_FEW = 20
_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)(e[+-]?\d+)?", re.IGNORECASE)


def means_none(label: str, labels: Collection[object]) -> bool:
    """Tells whether a label says that there is none; ``-`` does not where ``+`` is another.

    Args:
        label: A label as it is written.
        labels: All labels of the set.
    """
    label = label.strip()
    return label in NO_LABEL and not (label == "-" and "+" in labels)


def unlabelled_remark(counts: Mapping[str, int]) -> list[str]:
    """Says how many rows have no label, and what stands there instead.

    Args:
        counts: Rows of each spelling of a missing label; an empty one where nothing stands.
    """
    rows = sum(counts.values())
    if not rows:
        return []
    spelt = {text: count for text, count in counts.items() if text and count}
    said = " and ".join(f"{text!r} ({count:,})" for text, count in sorted(spelt.items()))
    subject = f"{counted(rows, 'row')} {verb(rows, 'has', 'have')}"
    if not said:
        return [f"{subject} no label"]
    return [f"{subject} no label: {said} is taken for none; if it is a class of yours, spell it otherwise"]


def name_remarks(names: Sequence[str]) -> list[str]:
    """Says what is odd about the names of classes, which are taken as they are."""
    return [remark for remark in (_spellings(names), _several(names), _nearly_none(names)) if remark]


def number_remarks(names: Collection[str], rows: int) -> list[str]:
    """Says where labels look like ids or measurements, not like names of classes.

    Args:
        names: The different labels.
        rows: Rows that have one.
    """
    numbers = [name for name in names if _NUMBER.fullmatch(name) and math.isfinite(float(name))]
    if len(numbers) > 1 and any(float(name) % 1 for name in numbers):
        return [
            f"{len(numbers):,} of the classes are numbers, with fractions: each is a class of its own; "
            "if they are quantities to be estimated, give --target number"
        ]
    if len(names) > max(_FEW, rows // 2):
        return [
            f"{counted(len(names), 'class')} in {counted(rows, 'labelled row')}: "
            "is this a column of ids or measurements? Each value is a class of its own"
        ]
    return []


def _spellings(names: Sequence[str]) -> str:
    """Names that differ in nothing but case, blanks, the form of their Unicode, or ``1`` against ``1.0``."""
    alike: dict[str, list[str]] = {}
    for name in names:
        alike.setdefault(_plain(name), []).append(name)
    groups = [same for same in alike.values() if len(same) > 1]
    if not groups:
        return ""
    listed = first_few([", ".join(map(repr, same)) for same in groups], _SHOWN, between="; ")
    return f"classes that differ in their spelling only are kept apart: {listed}"


def _several(names: Sequence[str]) -> str:
    several = [name for name in names if _LISTED.fullmatch(name)]
    if not several:
        return ""
    listed = first_few(list(map(repr, several)), _SHOWN)
    return f"{listed}: one class each; where these are several labels an image, give --label-separator"


def _nearly_none(names: Sequence[str]) -> str:
    """Names that may be meant to say that there is no label: ``-1`` beside numbers from 0 on, ``na``."""
    others = [name for name in names if name != "-1"]
    numbers = bool(others) and all(name.isdecimal() for name in others) and others != ["1"]
    found = [
        name
        for name in names
        if (name == "-1" and numbers)
        or (name.strip().casefold() in _NEARLY_NONE and not means_none(name, names))
    ]
    if not found:
        return ""
    are = "is a class like the others" if len(found) == 1 else "are classes like the others"
    return f"{first_few(list(map(repr, found)), _SHOWN)} {are}: leave the label empty where there is none"


def _plain(name: str) -> str:
    text = " ".join(unicodedata.normalize("NFKC", name).casefold().split())
    if _NUMBER.fullmatch(text) and math.isfinite(float(text)):
        return repr(float(text)) if abs(float(text)) < 2**53 else text
    return text
