"""Runs the command line and, after the first finished block, prints the workers' processes and waits.

``python cli_waiting_on_ray.py extract ...`` prints one line, for a test that sends a signal then.
"""

from __future__ import annotations

import signal
import sys

from pipeline.cli import main
from pipeline.extraction import filling
from pipeline.extraction.executors import ray as ray_executor

ROWS_A_BLOCK = 8


def wait_after(worked: ray_executor.WorkerPool) -> None:
    """Makes the pool stop for ever when the first block is finished."""
    work = worked.work

    def first_only(self: ray_executor.WorkerPool, *arguments: object, **options: object) -> object:
        for number, result in enumerate(work(self, *arguments, **options)):
            if number == 1:  # the first has been recorded
                pids = [one.introduction.pid for one in self._members if one.introduction]
                print(*pids, file=sys.__stdout__, flush=True)
                while True:
                    signal.pause()
            yield result

    worked.work = first_only


if __name__ == "__main__":
    filling.BLOCK_ROWS = ROWS_A_BLOCK
    wait_after(ray_executor.WorkerPool)
    main(sys.argv[1:])
