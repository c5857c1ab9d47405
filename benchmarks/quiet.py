"""Waiting for a quiet machine: on a shared one, other people's work would be measured, too."""

from __future__ import annotations

import argparse
import os
import resource
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from measuring import Pass, tell

STAT = Path("/proc/stat")
TICKS = os.sysconf("SC_CLK_TCK")
QUIET = 0.05
"""Share of all cores that others may take."""
LOOK_S = 2.0


class Watch:
    """Runs things while the machine is quiet, as long as its patience lasts."""

    def __init__(self, patience_s: float) -> None:
        """Starts to watch.

        Args:
            patience_s: Seconds that may be lost, in all, with waiting and with repeating what was disturbed;
                0 = everything is run once, whatever else happens.
        """
        self._deadline = time.monotonic() + patience_s
        self._patient = patience_s > 0 and STAT.is_file()

    def run(self, run: Callable[[], Sequence[Pass]]) -> list[Pass]:
        """Runs once, and again where others took a share of the machine meanwhile; the best try counts."""
        best: list[Pass] = []
        while True:
            self._wait()
            passes = observed(run)
            if not best or (passes[-1].others or 0) < (best[-1].others or 0):
                best = passes
            if (best[-1].others or 0) <= QUIET or not self._patient or time.monotonic() > self._deadline:
                return best

    def _wait(self) -> None:
        told = False
        while self._patient and time.monotonic() < self._deadline:
            share = observed(lambda: [Pass(time.sleep(LOOK_S) or LOOK_S)])[-1].others
            if share <= QUIET:
                return
            if not told:
                tell(f"  waiting: others use {share:.0%} of the machine")
                told = True


def add_patience_option(parser: argparse.ArgumentParser) -> None:
    """Lets the user wait for a quiet machine."""
    parser.add_argument(
        "--patience",
        type=float,
        default=0.0,
        metavar="SECONDS",
        help="wait, in all, so long for a machine that nobody else uses, and repeat what was disturbed",
    )


def observed(run: Callable[[], Sequence[Pass]]) -> list[Pass]:
    """Runs once and adds to each pass which share of all cores other processes took meanwhile.

    The last pass tells the processor time of a peer that goes on living; that of processes which have ended
    comes from the kernel.
    """
    if not STAT.is_file():
        return list(run())
    busy, own, started = _busy_seconds(), _own_seconds(), time.monotonic()
    passes = list(run())
    wall = time.monotonic() - started
    mine = max(_own_seconds() - own, passes[-1].cpu_seconds or 0.0)
    others = max(0.0, _busy_seconds() - busy - mine) / (wall * (os.cpu_count() or 1))
    return [one._replace(others=others) for one in passes]


def _busy_seconds() -> float:
    """Processor seconds that all processes of the machine have used, the time stolen from it included."""
    user, nice, system, _idle, _iowait, irq, softirq, steal, *_ = map(int, STAT.read_text().split()[1:11])
    return (user + nice + system + irq + softirq + steal) / TICKS


def _own_seconds() -> float:
    usages = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)
