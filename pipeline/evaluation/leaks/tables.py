"""Findings as a table in a terminal."""

from __future__ import annotations

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipeline.counts import counted, verb
from pipeline.evaluation.leaks.findings import COPIES, KINDS, MEND, NOT_LOOKED_FOR, Finding, Leaks
from pipeline.names import readable

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
