"""How much memory there is, as the machine and its container tell."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline import memory
from pipeline.memory import available_bytes


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "meminfo").write_text("MemTotal: 9000 kB\nMemAvailable:    4000 kB\n")
    monkeypatch.setattr(memory, "MEMINFO", tmp_path / "meminfo")
    monkeypatch.setattr(memory, "CGROUP", tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("limit", "expected"),
    [(None, 4_096_000), ("max", 4_096_000), ("3000000", 2_500_000), ("9999999", 4_096_000)],
)
def test_the_smaller_of_machine_and_container_counts(limit: str | None, expected: int, machine: Path) -> None:
    if limit:
        (machine / "memory.max").write_text(f"{limit}\n")
        (machine / "memory.current").write_text("700000\n")
        (machine / "memory.stat").write_text("anon 500000\ninactive_file 200000\n")

    assert available_bytes() == expected


def test_machine_without_figures_counts_whole(machine: Path) -> None:
    (machine / "meminfo").unlink()

    assert available_bytes() > 2**28
