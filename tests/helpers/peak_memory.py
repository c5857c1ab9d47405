"""The largest memory of a process of its own, for tests that limit it."""

from __future__ import annotations

import resource
from pathlib import Path

STATUS = Path("/proc/self/status")


def peak_kib() -> int:
    """Returns the largest resident memory of this process so far, in KiB.

    ``ru_maxrss`` would begin with that of the process which started this one: Linux keeps it over ``exec``
    (getrusage(2), prctl(2)). ``VmHWM`` is that of the program that runs now (proc_pid_status(5)).
    """
    if not STATUS.exists():
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    line = next(line for line in STATUS.read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1])
