"""A table of features that another program has made: its columns, and how its features are read."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.errors import UsageError
from pipeline.images.targets import COLUMN, KINDS
from pipeline.plain_json import MAX_BYTES, parse_json
from pipeline.wording import first_few

BLOCK_BYTES = 16 << 20
FLAG = "--features-column"
_NUMBERED = re.compile(r"(.*?)([0-9]+)", re.DOTALL)
_SHOWN = 8


@dataclass(frozen=True, eq=False)
class GivenTable:
    """What a file holds.

    Attributes:
        file: The file.
        features: What its features are called there.
        rows: Number of rows.
        shape: Shape of the features of a row.
        dtype: Type of their numbers as they are written.
        columns: What else is known of each row, as texts by the names of the columns; empty = nothing.
        blocks: Yields the features in order, (b, *shape) of any type of number.
        unread: What else stands there and is not looked at.
        target: What its targets are, see ``images/targets.py``, where its metadata says so; else empty.
    """

    file: Path
    features: str
    rows: int
    shape: tuple[int, ...]
    dtype: np.dtype
    columns: Mapping[str, Sequence[str]]
    blocks: Callable[[], Iterator[np.ndarray]]
    unread: tuple[str, ...] = ()
    target: str = ""

    @property
    def rows_a_block(self) -> int:
        """How many rows are read together."""
        return rows_a_block(self.shape)


def told_target(metadata: str | bytes | None) -> str:
    """Returns what the metadata of an export says that targets are; empty where it says nothing."""
    try:
        told = parse_json(metadata or "{}")
    except ValueError:
        return ""
    target = told.get("target") if isinstance(told, dict) else None
    return target if target in KINDS else ""


def told_beside(file: Path) -> str:
    """Returns what a ``.json`` of the same name says that targets are; empty where there is none."""
    beside = file.with_suffix(".json")
    if not beside.is_file() or beside.stat().st_size > MAX_BYTES:
        return ""
    return told_target(beside.read_bytes())


def rows_a_block(shape: Sequence[int]) -> int:
    """Returns how many rows of features of a shape are read together."""
    return max(1, BLOCK_BYTES // max(1, 4 * int(np.prod(shape))))


def only_features(found: Collection[str], wanted: str, file: Path, *, kind: str) -> str:
    """Chooses what the features are.

    Args:
        found: Names of all that could be.
        wanted: The name that the user gives; empty = none.
        file: Where, for the message.
        kind: What they would be, for the message.

    Raises:
        UsageError: Nothing or several things could be, or there is none of the name.
    """
    listed = first_few([repr(name) for name in found], _SHOWN) or "none"
    if wanted:
        if wanted not in found:
            raise UsageError(f"{file} has no {kind} for {FLAG} {wanted}: found {listed}")
        return wanted
    if not found:
        raise UsageError(
            f"{file} has no {kind}, which features are: `pipeline cache import --help` says more"
        )
    if len(found) > 1:
        raise UsageError(
            f"{file}: {len(found)} could be the features, {listed}: say which with {FLAG} {next(iter(found))}"
        )
    return next(iter(found))


def named(written: str) -> str:
    """Returns the name of features as that of a layer: letters, digits, points, ``-`` and ``_``."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "_", written).strip("_.-") or "features"


def numbered_columns(names: Sequence[str]) -> dict[str, list[int]]:
    """Finds columns that count through the features, as ``f0``, ``f1``, ... do.

    Args:
        names: Names of all columns.

    Returns:
        By their common beginning, the places of at least two columns numbered from 0 or 1 without a gap, in
        the order of their numbers.
    """
    families: dict[str, dict[int, int]] = defaultdict(dict)
    for at, name in enumerate(names):
        if (match := _NUMBERED.fullmatch(name.strip())) and not name.startswith(COLUMN):
            families[match[1]][int(match[2])] = at
    return {
        beginning: [places[number] for number in sorted(places)]
        for beginning, places in families.items()
        if len(places) > 1 and max(places) - min(places) + 1 == len(places) and min(places) in (0, 1)
    }


def as_text(value: Any) -> str:
    """Writes a value as tables of text have it: nothing for none, and whole numbers without a point."""
    if value is None:
        return ""
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    if isinstance(value, bool | np.bool_):
        return str(bool(value)).lower()
    if isinstance(value, float | np.floating):
        return str(int(value)) if np.isfinite(value) and float(value).is_integer() else str(float(value))
    return str(value)
