"""Feature files with several bytes changed, cut or doubled: opened or refused, never a crash."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import fuzzing
import pytest
from fuzzing import try_for_minutes, try_mutations

MEMORY_MIB = 400


@pytest.fixture
def good(publish: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    monkeypatch.chdir(tmp_path)
    return publish(["a", "b", "c"])


def test_a_mutated_file_is_opened_or_refused(good: Path) -> None:
    outcomes = try_mutations(fuzzing.check_open, [good.read_bytes()], examples=200)
    assert outcomes["refused"] > 50


@pytest.mark.torture
def test_mutated_files_for_minutes(good: Path, tmp_path: Path) -> None:
    assert try_for_minutes("open", [good.read_bytes()], tmp_path) < MEMORY_MIB
