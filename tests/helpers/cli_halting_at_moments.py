"""Runs the command line with the counting engine and halts for ever at a chosen moment.

``python cli_halting_at_moments.py MOMENT extract ...`` prints ``halted`` there, for a test that kills it.
"""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from counting_engine import CountingEngine

from pipeline.cache import partial_file
from pipeline.cache.partial_file import PartialFile
from pipeline.cli import main
from pipeline.extraction import filling
from pipeline.extraction.executors import local

ROWS_A_BLOCK = 8


def halt(*_: object, **__: object) -> None:
    print("halted", flush=True)
    while True:
        signal.pause()


def halt_before(owner: Any, name: str, number: int, applies: Callable[..., bool] = lambda *_: True) -> None:
    """Halts before the call of a given number, counted from 1, among those that apply."""
    original, calls = getattr(owner, name), 0

    def counted(*arguments: Any, **options: Any) -> Any:
        nonlocal calls
        calls += applies(*arguments)
        if calls == number:
            halt()
        return original(*arguments, **options)

    setattr(owner, name, counted)


def is_of(column: str, values: Any) -> bool:
    """Tells whether what is written belongs to a column, by its type: features are floats here."""
    kinds = {"features": "f", "crc32": "u4", "done": "u1"}
    return isinstance(values, np.ndarray) and values.dtype.str[1:].startswith(kinds[column])


def halt_in_column(column: str, number: int) -> None:
    halt_before(partial_file, "write_at", number, lambda _, values, *__: is_of(column, values))


def tear_features() -> None:
    """Halts when half of a batch's bytes are written."""
    original, calls = partial_file.write_at, 0

    def torn(file: int, values: Any, offset: int) -> None:
        nonlocal calls
        calls += is_of("features", values)
        if calls == 4:
            flat = values.reshape(-1)
            original(file, flat[: flat.size // 2 + 1], offset)
            halt()
        original(file, values, offset)

    partial_file.write_at = torn


MOMENTS: dict[str, Callable[[], None]] = {
    "before the layout": lambda: halt_before(os, "posix_fallocate", 1),
    "between two layouts": lambda: halt_before(os, "posix_fallocate", 2),
    "before the first batch": lambda: halt_before(CountingEngine, "submit", 1),
    "in the middle of a block": lambda: halt_before(CountingEngine, "submit", 4),
    "in the middle of a write": tear_features,
    "between features and checksums": lambda: halt_in_column("crc32", 4),
    "before the rows are done": lambda: halt_in_column("done", 2),
    "between two blocks": lambda: halt_before(CountingEngine, "submit", 5),
    "before publishing": lambda: halt_before(PartialFile, "publish", 1),
    "between two splits": lambda: halt_before(PartialFile, "publish", 2),
}

if __name__ == "__main__":
    filling.BLOCK_ROWS = ROWS_A_BLOCK
    local.BATCHES_BEHIND = 0  # what was fetched is written before the next batch: each moment is exact
    CountingEngine().install(pytest.MonkeyPatch())
    MOMENTS[sys.argv[1]]()
    main(sys.argv[2:])
