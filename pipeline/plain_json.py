"""JSON from anywhere: every way in which it can be unfit is a ValueError of one line."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

MOST_DIGITS = 300
"""Digits of the longest whole number that is read: what a float can hold, too."""


def parse_json(
    text: str | bytes, *, nan: bool = False, pairs: Callable[[list[tuple[str, Any]]], Any] | None = None
) -> Any:
    r"""Parses JSON.

    Args:
        text: The document.
        nan: Whether ``NaN`` and ``Infinity``, which are no JSON but which Python and pandas write, are read.
        pairs: Makes something of the members of an object, where a dict is not wanted.

    Raises:
        ValueError: It is not JSON, is nested too deeply, or holds a number out of range or half of a
            surrogate pair (``"\ud800"``), which nothing can take. Those that Python writes for bytes in file
            names (``"\udcff"``) are read.
    """
    try:
        value = json.loads(
            text,
            parse_int=_whole,
            parse_float=_number,
            parse_constant=float if nan else _refuse_constant,
            object_pairs_hook=pairs,
        )
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if (b"\\ud" if isinstance(text, bytes) else "\\ud") in text.lower():
        try:
            json.dumps(value, ensure_ascii=False).encode("utf-8", "surrogateescape")
        except UnicodeEncodeError:
            raise ValueError("it holds half of a surrogate pair, which is no text") from None
    return value


def _whole(digits: str) -> int:
    if (count := len(digits.lstrip("-"))) > MOST_DIGITS:
        raise ValueError(f"it holds a whole number of {count:,} digits")
    return int(digits)


def _number(digits: str) -> float:
    value = float(digits)
    if math.isinf(value):
        raise ValueError(f"the number {digits[:20]} is out of range")
    return value


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no number of JSON")
