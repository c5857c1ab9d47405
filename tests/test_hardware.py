"""What the machine computes with, as the system tells it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pipeline import hardware


@pytest.fixture
def system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder in which the system tells nothing yet."""
    for name in ("CPUINFO", "CPU_QUOTA", "NVIDIA", "AMD"):
        monkeypatch.setattr(hardware, name, tmp_path / name)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(6)), raising=False)
    return tmp_path


@pytest.mark.parametrize(
    ("quota", "cores"),
    [("max 100000", 6), ("200000 100000", 2), ("150000 100000", 2), ("900000 100000", 6), ("1 100000", 1)],
)
def test_a_container_has_the_cores_of_its_quota(quota: str, cores: int, system: Path) -> None:
    assert hardware.cores() == 6
    (system / "CPU_QUOTA").write_text(quota)
    assert hardware.cores() == cores


@pytest.mark.parametrize(
    ("flags", "expected"), [("fpu avx2", False), ("avx512_bf16", True), ("fpu amx_bf16", True), ("", True)]
)
def test_bfloat16_is_told_by_the_flags(flags: str, expected: bool, system: Path) -> None:
    (system / "CPUINFO").write_text(f"model name : A CPU\nflags : {flags}\nmodel name : Another\n")
    assert hardware.has_bfloat16() is expected
    assert hardware.processor() == "A CPU"


def test_gpus_are_those_of_the_drivers(system: Path) -> None:
    assert hardware.gpus() == []
    (system / "NVIDIA/0000:01").mkdir(parents=True)
    (system / "NVIDIA/0000:01/information").write_text("Model:  \t A GPU\nIRQ: 1\n")
    assert hardware.gpus() == ["A GPU"]
    assert hardware.describe() == {"processor": hardware.processor(), "cores": 6, "gpus": ["A GPU"]}


def test_nothing_is_known_of_a_system_that_tells_nothing(system: Path) -> None:
    assert hardware.processor()
    assert hardware.has_bfloat16()
