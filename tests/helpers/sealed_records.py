"""Sealed records, changed as anybody can who seals them anew."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pipeline.plain_json import sealed, unsealed


def rewrite(path: Path, *without: str, **changes: object) -> None:
    """Changes fields of a sealed record, takes some away, and seals it anew.

    Numbers that are not finite cannot be sealed; the record then keeps its old seal.
    """
    record = unsealed(json.loads(path.read_text())) | changes
    record = {name: value for name, value in record.items() if name not in without}
    try:
        path.write_text(json.dumps(sealed(record)))
    except ValueError:
        path.write_text(json.dumps(record))


def unseal(path: Path, *without: str, **changes: object) -> None:
    """Writes a record as the version before seals wrote it."""
    record = unsealed(json.loads(path.read_text())) | changes
    record = {name: value for name, value in record.items() if name not in without}
    path.write_text(json.dumps({"schema": 1, **record}))


@contextmanager
def flipped(path: Path, bit: int) -> Iterator[None]:
    """Flips one bit of a file for as long as the block runs."""
    content = path.read_bytes()
    byte = content[bit // 8] ^ (1 << bit % 8)
    path.write_bytes(content[: bit // 8] + bytes([byte]) + content[bit // 8 + 1 :])
    try:
        yield
    finally:
        path.write_bytes(content)
