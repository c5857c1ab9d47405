"""Words as people read them: counts with their nouns, names made harmless, cells of a spreadsheet."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence, Sized

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
# Both belong to the spelling of words (Persian, Hindi) and to emoji; they steer nothing.
JOINERS = "\N{ZERO WIDTH NON-JOINER}\N{ZERO WIDTH JOINER}"

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "'")
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)


def readable(name: str, limit: int = 40) -> str:
    """Returns a name as one short line without any character that could steer a terminal.

    White space of every kind becomes one space; control and format characters (escape sequences,
    direction overrides), lone surrogates and unassigned code points become U+FFFD. What is too long
    loses its middle, because names of one data set often share their beginning.

    Args:
        name: Any string.
        limit: Most characters of the result, at least 3.
    """
    line = " ".join(name.split())
    safe = "".join(REPLACEMENT if _steers(character) else character for character in line)
    if len(safe) <= limit:
        return safe or REPLACEMENT
    tail = (limit - 1) // 2
    return f"{safe[: limit - 1 - tail]}…{safe[-tail:]}"


def several(names: Sequence[str], most: int = 5) -> str:
    """Lists the first names on one line: ``a, b, c and 997 more``.

    Args:
        names: Any strings.
        most: How many are given.
    """
    return first_few(list(map(readable, names[:most])), most, total=len(names))


def _steers(character: str) -> bool:
    return unicodedata.category(character).startswith("C") and character not in JOINERS


def counted(count: float, noun: str, plural: str = "") -> str:
    """Writes a number before its noun.

    Args:
        count: How many.
        noun: Of one.
        plural: Of any other number; left out = the noun with an ``s``, or ``es`` after s, x and sh.
    """
    written = f"{count:g}" if isinstance(count, float) else f"{count:,}"
    return f"{written} {noun if count == 1 else plural or noun + _ending(noun)}"


def figure(value: float) -> str:
    """Writes a figure: four places, or four digits of one that is too large or small for that.

    An error has the unit of the numbers that are estimated, which may be grams or light years.
    """
    return f"{value:.4f}" if value == 0 or 1e-3 <= abs(value) < 1e6 else f"{value:.4g}"


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


def guarded(text: str) -> str:
    """Puts an apostrophe before what a spreadsheet would take for a formula; drop it to get the text back.

    Formulas begin with ``=``, ``+``, ``-`` or ``@``, also after a tab or the end of a line. A plain number
    (the class ``-3``) is none and stays as it is; text that begins with an apostrophe gets another one.
    """
    return f"'{text}" if text.startswith(_FORMULA) and not _NUMBER.fullmatch(text) else text
