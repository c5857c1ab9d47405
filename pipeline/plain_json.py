"""JSON that every reader understands, and that is read back only as it was written.

What can come from anywhere is parsed so that every way in which it can be unfit is a ValueError of one line.
Records carry the SHA-256 of their own content under ``seal``, so that no altered bit gives them another
meaning. That finds damage, not malice: whoever can write a file can seal it as well.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

import numpy as np

MOST_DIGITS = 300
"""Digits of the longest whole number that is read: what a float can hold, too."""

SCHEMA = 2
"""Version of the records that have a seal; those of version 1, or of none, are older than seals."""
MAX_BYTES = 64 << 20
"""Largest record that is read; that of a head of 10,000 classes has 2 MB at most."""


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
    half = b"\\ud" in text.lower() if isinstance(text, bytes) else "\\ud" in text.lower()
    if half:
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


def json_text(value: Any, *, indent: int | None = None) -> str:
    """Returns JSON on ASCII; numbers that are not finite become null.

    Raises:
        TypeError: A value is none that JSON knows.
    """
    return json.dumps(plain(value), allow_nan=False, indent=indent)


def plain(value: Any) -> Any:
    """Returns a value in types that JSON knows; numbers that are not finite become None."""
    if isinstance(value, dict):
        return {key: plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    if isinstance(value, np.ndarray | np.generic):
        return plain(value.tolist())
    return None if isinstance(value, float) and not math.isfinite(value) else value


def sealed(record: Mapping[str, Any]) -> dict[str, Any]:
    """Returns a record, of what JSON can hold, with its version first and its seal last.

    Raises:
        ValueError: It holds a number that is not finite.
    """
    content = {"schema": SCHEMA, **record}
    return {**content, "seal": _seal(content)}


def unsealed(record: Any, *, newer: Collection[str] = ()) -> dict[str, Any]:
    """Returns the content of a record after checking its seal; one from before there were seals has none.

    Args:
        record: What a JSON file holds.
        newer: Keys that no record had before there were seals: without one they are refused, so that cutting
            the seal out is no way round it.

    Raises:
        ValueError: It is not what was written, or of another version.
    """
    if not isinstance(record, dict):
        raise ValueError(f"it holds a {type(record).__name__}, not an object")
    content = {name: value for name, value in record.items() if name != "seal"}
    schema = content.pop("schema", 1)
    if schema not in (1, SCHEMA) or isinstance(schema, bool | float):
        raise ValueError(f"schema {schema!r}, this version reads 1 and {SCHEMA}")
    if schema == 1 and "seal" not in record and not set(newer) & set(content):
        return content
    if "seal" not in record:
        raise ValueError("its seal is missing")
    if record["seal"] != _seal({"schema": schema, **content}):
        raise ValueError("it is not what was written: its seal does not fit")
    return content


def read_sealed(path: Path, *, newer: Collection[str] = ()) -> dict[str, Any]:
    """Reads a record from a file, which can come from anywhere; see :func:`unsealed`.

    Raises:
        OSError: It cannot be read.
        ValueError: It is no JSON object, too large, or not what was written.
        RecursionError: It is nested beyond all use.
    """
    require_regular_file(path)
    if path.stat().st_size > MAX_BYTES:
        raise ValueError(f"it is larger than {MAX_BYTES:,} bytes")
    return parse_sealed(path.read_bytes(), newer=newer)


def parse_sealed(text: bytes, *, newer: Collection[str] = ()) -> dict[str, Any]:
    """Reads a record from the bytes of a file, or of a line; see :func:`read_sealed`."""
    return unsealed(parse_json(text.decode("utf-8")), newer=newer)


def require_regular_file(path: Path) -> None:
    """Refuses what is there and is no regular file: opening a named pipe would wait for ever.

    Raises:
        ValueError: It is a folder, a pipe or a device.
    """
    if path.exists() and not path.is_file():
        raise ValueError("it is no regular file")


def _seal(content: Mapping[str, Any]) -> str:
    """SHA-256, in hex, of what a record means: not of its spaces, nor of the order of its keys."""
    plain = json.loads(
        json.dumps(content, allow_nan=False)
    )  # as it will be read: numbers that are keys as text
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode("ascii")).hexdigest()
