"""Feature files with several bytes changed, cut or doubled: opened or refused, never a crash."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import fuzzing
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

SECONDS = float(os.environ.get("FUZZ_SECONDS", "600"))
MEMORY_MIB = 400


@pytest.fixture
def good(publish: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.chdir(tmp_path)
    return publish(["a", "b", "c"])


def test_a_mutated_file_is_opened_or_refused(good: Path) -> None:
    outcomes: Counter[str] = Counter()

    @settings(
        max_examples=200,
        deadline=None,
        derandomize=True,
        database=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(st.integers(0, 2**32))
    def mutate(seed: int) -> None:
        content = fuzzing.mutated(good.read_bytes(), np.random.default_rng(seed))
        outcomes[fuzzing.check_open(content)] += 1

    mutate()
    print(f"{outcomes.total()} mutated feature files: {dict(outcomes)}")
    assert outcomes["refused"] > 50


@pytest.mark.torture
def test_mutated_files_for_minutes(good: Path) -> None:
    command = [sys.executable, fuzzing.__file__, "open", str(SECONDS), "1", str(good)]
    result = subprocess.run(command, capture_output=True, text=True, timeout=SECONDS + 120, check=False)
    assert result.returncode == 0, f"{Path('case').absolute()}: {result.stderr[-2000:]}"
    print(result.stdout.strip())
    assert int(result.stdout.split()[-2]) < MEMORY_MIB
