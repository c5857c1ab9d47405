"""Text in CSV files that people open in a spreadsheet."""

from __future__ import annotations

import re

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "'")
_NUMBER = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?", re.ASCII)


def guarded(text: str) -> str:
    """Puts an apostrophe before what a spreadsheet would take for a formula; drop it to get the text back.

    Formulas begin with ``=``, ``+``, ``-`` or ``@``, also after a tab or the end of a line. A plain number
    (the class ``-3``) is none and stays as it is; text that begins with an apostrophe gets another one.
    """
    return f"'{text}" if text.startswith(_FORMULA) and not _NUMBER.fullmatch(text) else text
