"""What a leak check finds, and how that is shown in a terminal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipeline.wording import counted, readable, verb

KINDS = ("exact", "perceptual", "mirrored", "turned", "augmented", "named", "near", "conflict", "group")
DOUBTFUL = ("named", "near")
"""Kinds that are a reason to look, not yet a leak: pictures may be alike without being the same, and so may
names."""
COPIES = ("exact", "perceptual", "mirrored", "turned", "augmented", "named")
"""Kinds that a table with groups mends."""
MEND = (
    "To mend it: remove the copies, or list the images in a table `path,label,group`, each picture and its "
    "copies as one group, and run `pipeline extract --data table.csv`: a group stays in one split"
)
NOT_LOOKED_FOR = (
    "cut-outs, turns by other angles than 90 degrees, changed colours (beyond what `near` happens to find), "
    "and several photographs of one thing"
)
"""What no kind finds: its absence is never shown by a check."""

MOST_FINDINGS = 20
_LONGEST_NAME = 48
_MEANING = {
    "exact": "the same file in two splits",
    "perceptual": "the same picture, re-encoded or resized; bits that differ, of 256",
    "mirrored": "the same picture, mirrored; bits that differ, of 256",
    "turned": "the same picture, turned or mirrored in another way; bits that differ, of 256",
    "augmented": "named like copies of images in another split, and much alike; cosine similarity",
    "named": "named like copies of images in another split, not much alike: look at them; cosine similarity",
    "near": "much alike, perhaps the same scene: look at them; cosine similarity",
    "conflict": "the same file with two labels",
    "group": "a group that stands in two splits",
}


@dataclass(frozen=True)
class Place:
    """One image in one split.

    Attributes:
        split: ``train``, ``val`` or ``test``.
        id: Its name in the source.
        label: Name of its class; empty where it has none.
    """

    split: str
    id: str
    label: str = ""


@dataclass(frozen=True)
class Finding:
    """Two images that should not stand where they stand.

    Attributes:
        kind: One of ``KINDS``.
        first: The one in the split that comes first in train, val, test.
        second: The other.
        value: Hamming distance of the hashes (``perceptual``, ``mirrored``, ``turned``), cosine similarity of
            the features (``near``, ``augmented``; ``named`` where it was looked at), 0 for the others.
        change: How the second picture is turned or mirrored; empty where it is not.
    """

    kind: str
    first: Place
    second: Place
    value: float = 0.0
    change: str = ""

    @property
    def certain(self) -> bool:
        """Whether this is a leak, not just a reason to look."""
        return self.kind not in DOUBTFUL


@dataclass(frozen=True)
class Leaks:
    """All that was found, and what could not be looked for.

    Attributes:
        findings: Sorted by kind, then by how sure they are.
        notes: What was left out and why, e.g. because the images are gone.
        checked: Rows that were compared, by split.
        repeated: Rows whose very file stands earlier in the same split, by split: they count twice.
    """

    findings: tuple[Finding, ...] = ()
    notes: tuple[str, ...] = ()
    checked: dict[str, int] = field(default_factory=dict)
    repeated: dict[str, int] = field(default_factory=dict)

    @property
    def certain(self) -> tuple[Finding, ...]:
        """The findings that are leaks; the others are reasons to look."""
        return tuple(finding for finding in self.findings if finding.certain)

    @property
    def counts(self) -> dict[str, int]:
        """Findings of each kind, zeros included."""
        found = Counter(finding.kind for finding in self.findings)
        return {kind: found[kind] for kind in KINDS}

    def mask(self, split: str, ids: Sequence[str], *, seen: Collection[str] = ("train",)) -> np.ndarray:
        """Tells which images of a split leak: the figures without them are the honest ones.

        Reasons to look do not count, nor do contradictory labels inside the split itself.

        Args:
            split: The split that figures are for.
            ids: Names of n of its images; views of an image have its name.
            seen: Splits that the head has learnt from.

        Returns:
            bool (n,), True where the same picture, or one of the same group, stands in a split of ``seen``.
        """
        leaking = set()
        for finding in self.certain:
            for one, other in ((finding.first, finding.second), (finding.second, finding.first)):
                if one.split == split and other.split in seen and other.split != split:
                    leaking.add(one.id)
        return np.array([name in leaking for name in ids], bool)

    def to_json(self) -> dict[str, Any]:
        """Returns the object that ``pipeline check --json`` prints."""
        return {
            "checked": self.checked,
            "leaks": len(self.certain),
            "counts": self.counts,
            "repeated": self.repeated,
            "findings": [asdict(finding) for finding in self.findings],
            "notes": list(self.notes),
            "not_looked_for": NOT_LOOKED_FOR,
        }


def print_leaks(leaks: Leaks, *, console: Console, most: int = MOST_FINDINGS) -> None:
    """Prints what was found, the surest of each kind first, and what it amounts to.

    Args:
        leaks: What to print.
        console: Where to print it.
        most: Findings that are shown of each kind; the others are counted.
    """
    for note in leaks.notes:
        console.print(Text(f"! {readable(note, 300)}", style="bold yellow"))
    for kind in KINDS:
        found = [finding for finding in leaks.findings if finding.kind == kind]
        if found:
            console.print(Text(f"{kind}: {len(found):,}, {_MEANING[kind]}", style="bold"))
            console.print(_table(found[:most]))
        if len(found) > most:
            console.print(Text(f"  ... and {len(found) - most:,} more: --json has them all\n"))
    for split, count in leaks.repeated.items():
        repeat = verb(count, "repeats", "repeat")
        console.print(Text(f"{counted(count, 'image')} of {split} {repeat} another of the same split"))
    if any(finding.kind in COPIES for finding in leaks.findings):
        console.print(Text(MEND))
    checked = ", ".join(f"{split} {count:,}" for split, count in leaks.checked.items())
    certain = len(leaks.certain)
    doubtful = len(leaks.findings) - certain
    console.print(
        Text(
            f"{certain:,} {'leak' if certain == 1 else 'leaks'}, "
            f"{doubtful:,} {'picture' if doubtful == 1 else 'pictures'} to look at ({checked}). "
            f"Not looked for: {NOT_LOOKED_FOR}"
        )
    )


def _table(found: list[Finding]) -> Table:
    """Builds a table of two lines for each finding, so that long paths have room."""
    table = Table(box=box.SIMPLE, show_header=False)
    for finding in found:
        for value, place in ((_value(finding), finding.first), ("", finding.second)):
            label = readable(place.label, 20) if place.label else ""
            cells = (value, place.split, readable(place.id, _LONGEST_NAME), label)
            table.add_row(*(Text(cell, overflow="fold") for cell in cells))
    return table


def _value(finding: Finding) -> str:
    if finding.kind in ("near", "augmented", "named"):
        return f"{finding.value:.3f}" if finding.value else ""
    if finding.kind in ("perceptual", "mirrored", "turned"):
        return f"{finding.value:.0f}"
    return ""
