"""Counts as people read them: ``1 image``, ``2,000 images``, ``train and val are``."""

from __future__ import annotations

from collections.abc import Sequence, Sized


def counted(count: float, noun: str, plural: str = "") -> str:
    """Writes a number before its noun.

    Args:
        count: How many.
        noun: Of one.
        plural: Of any other number; left out = the noun with an ``s``, or ``es`` after s, x and sh.
    """
    written = f"{count:g}" if isinstance(count, float) else f"{count:,}"
    return f"{written} {noun if count == 1 else plural or noun + _ending(noun)}"


def verb(things: int | Sized, one: str = "is", more: str = "are") -> str:
    """Chooses the form of a verb for a number of things, or for a list of them."""
    return one if (len(things) if isinstance(things, Sized) else things) == 1 else more


def first_few(texts: Sequence[str], most: int, *, total: int | None = None, between: str = ", ") -> str:
    """Lists the first texts: ``a, b, c and 997 more``.

    Args:
        texts: Fit to be shown.
        most: How many are given.
        total: How many there are, where ``texts`` are not all.
        between: What stands between two of them.
    """
    rest = (len(texts) if total is None else total) - most
    return between.join(texts[:most]) + (f" and {rest:,} more" if rest > 0 else "")


def _ending(noun: str) -> str:
    return "es" if noun.endswith(("s", "x", "sh")) else "s"
