"""What this machine computes with, found without loading a library that computes."""

from __future__ import annotations

import contextlib
import math
import os
import platform
from pathlib import Path
from typing import Any

CPUINFO = Path("/proc/cpuinfo")
CPU_QUOTA = Path("/sys/fs/cgroup/cpu.max")
NVIDIA = Path("/proc/driver/nvidia/gpus")
AMD = Path("/dev/kfd")


def cores() -> int:
    """Returns how many cores this process may use: by its affinity, and by the quota of its container."""
    allowed = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    with contextlib.suppress(OSError, ValueError):  # "max 100000" where there is no quota
        quota, period = map(int, CPU_QUOTA.read_text().split())
        allowed = min(allowed, math.ceil(quota / period))
    return max(1, allowed)


def processor() -> str:
    """Names the processor."""
    return _field(CPUINFO, "model name") or platform.processor() or platform.machine()


def flags() -> set[str]:
    """Names what the processor can do, as the system lists it; nothing where it lists nothing."""
    return set(_field(CPUINFO, "flags").split())


def has_bfloat16() -> bool:
    """Tells whether the processor computes bfloat16 itself; what is not known is taken for yes."""
    known = flags()
    return not known or not known.isdisjoint({"avx512_bf16", "amx_bf16"})


def gpus() -> list[str]:
    """Names the GPUs that the drivers of NVIDIA and AMD show."""
    nvidia = [_field(path, "Model") for path in sorted(NVIDIA.glob("*/information"))]
    return nvidia or ["AMD"] * AMD.exists()


def describe() -> dict[str, Any]:
    """Returns all of this as JSON types."""
    return {"processor": processor(), "cores": cores(), "gpus": gpus()}


def _field(path: Path, name: str) -> str:
    with contextlib.suppress(OSError):
        for line in path.read_text(errors="replace").splitlines():
            key, _, value = line.partition(":")
            if key.strip() == name:
                return value.strip()
    return ""
