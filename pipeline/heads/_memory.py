"""How much memory a training may take."""

from __future__ import annotations

import os
from pathlib import Path

MEMINFO = Path("/proc/meminfo")
CGROUP = Path("/sys/fs/cgroup")


def available_bytes() -> int:
    """Returns the memory that can be taken without swapping, the limit of a container considered.

    Where the system does not tell what is available, the whole of its memory counts.
    """
    figures = [_of_the_machine(), _of_the_container()]
    return min(figure for figure in figures if figure is not None)


def _of_the_machine() -> int:
    try:
        lines = MEMINFO.read_text().splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
    except (OSError, StopIteration):
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _of_the_container() -> int | None:
    """Reads version 2 of the control groups; pages of files that can be dropped count as free."""
    try:
        limit = (CGROUP / "memory.max").read_text().strip()
        used = int((CGROUP / "memory.current").read_text())
        figures = dict(line.split() for line in (CGROUP / "memory.stat").read_text().splitlines())
        return None if limit == "max" else int(limit) - used + int(figures["inactive_file"])
    except (OSError, KeyError, ValueError):
        return None
