"""Runs the checks of ``fuzzing.py`` on changed files: many in a test, or for minutes in a process."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import fuzzing
import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

SECONDS = float(os.environ.get("FUZZ_SECONDS", "600"))


def try_mutations(check: Callable[[bytes], str], good: Sequence[bytes], *, examples: int) -> Counter[str]:
    """Counts what becomes of changed files.

    Args:
        check: Says how it took one.
        good: Sound files.
        examples: How many are changed.
    """
    outcomes: Counter[str] = Counter()

    @settings(
        max_examples=examples,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.integers(0, 2**32))
    def mutate(seed: int) -> None:
        random = np.random.default_rng(seed)
        outcomes[check(fuzzing.mutated(good[seed % len(good)], random))] += 1

    mutate()
    print(f"{outcomes.total()} mutated files: {dict(outcomes)}")
    return outcomes


def try_for_minutes(mode: str, good: Sequence[bytes], folder: Path) -> int:
    """Changes files for ``FUZZ_SECONDS`` in a process of its own, and returns its peak memory in MiB.

    Args:
        mode: Of ``fuzzing.py``.
        good: Sound files.
        folder: Where the case that did harm is left.
    """
    for number, content in enumerate(good):
        (folder / f"{number}.seed").write_bytes(content)
    files = [str(path) for path in sorted(folder.glob("*.seed"))]
    command = [sys.executable, fuzzing.__file__, mode, str(SECONDS), "1", *files]
    result = subprocess.run(
        command, capture_output=True, text=True, timeout=SECONDS + 120, check=False, cwd=folder
    )
    assert result.returncode == 0, f"{folder / 'case'}: {result.stderr[-2000:]}"
    print(result.stdout.strip())
    return int(result.stdout.split()[-2])
