"""Names from outside (classes, files, data sets) made fit to be shown to people."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence

from pipeline.counts import first_few

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
# Both belong to the spelling of words (Persian, Hindi) and to emoji; they steer nothing.
JOINERS = "\N{ZERO WIDTH NON-JOINER}\N{ZERO WIDTH JOINER}"


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
