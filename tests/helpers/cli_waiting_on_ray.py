"""Runs the command line and, after the first finished block, prints the workers' processes and waits.

``python cli_waiting_on_ray.py extract ...`` prints one line, for a test that sends a signal then.
"""

from __future__ import annotations

import signal
import sys
from collections.abc import Iterator
from typing import Any
from unittest.mock import patch

from pipeline.cli import main
from pipeline.extraction import filling
from pipeline.extraction.executors._ray_pool import Worked, WorkerPool

ROWS_A_BLOCK = 8


def wait_after(pool: type[WorkerPool]) -> None:
    """Makes such pools stop for ever when the first block is finished."""
    work = pool.work

    def first_only(self: WorkerPool, *arguments: Any, **options: Any) -> Iterator[Worked]:
        for number, result in enumerate(work(self, *arguments, **options)):
            if number == 1:  # the first has been recorded
                pids = [one.introduction.pid for one in self._members if one.introduction]
                print(*pids, file=sys.__stdout__, flush=True)
                while True:
                    signal.pause()
            yield result

    patch.object(pool, "work", first_only).start()


if __name__ == "__main__":
    filling.BLOCK_ROWS = ROWS_A_BLOCK
    wait_after(WorkerPool)
    main(sys.argv[1:])
