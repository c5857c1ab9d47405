"""What a leak check finds."""

from __future__ import annotations

from dataclasses import dataclass, field

KINDS = ("exact", "perceptual", "mirrored", "near", "conflict", "group")


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
        value: Hamming distance of the hashes (``perceptual``, ``mirrored``), cosine similarity (``near``),
            0 for the others.
    """

    kind: str
    first: Place
    second: Place
    value: float = 0.0


@dataclass(frozen=True)
class Leaks:
    """All that was found, and what could not be looked for.

    Attributes:
        findings: Sorted by kind, then by how sure they are.
        notes: What was left out and why, e.g. because the images are gone.
        checked: Rows that were compared, by split.
    """

    findings: tuple[Finding, ...] = ()
    notes: tuple[str, ...] = ()
    checked: dict[str, int] = field(default_factory=dict)
