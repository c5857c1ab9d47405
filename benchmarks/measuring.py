"""Timing that is fair on a busy machine: interleaved passes, medians, ratios within a round."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple


class Pass(NamedTuple):
    """One measured pass.

    Attributes:
        seconds: Wall time.
        cpu_seconds: Time on all processors together; None where it is not known.
        others: Share of all cores that other processes took meanwhile; None where nobody looked.
    """

    seconds: float
    cpu_seconds: float | None = None
    others: float | None = None


Run = Callable[[], Sequence[Pass]]


@dataclass(eq=False)
class Row:
    """What is measured, and its passes so far.

    Attributes:
        what: Name for people.
        arithmetic: ``float32``, ``bfloat16``, ``int8``, ``auto`` or empty.
        batch: Images in a forward pass.
        images: Images in a pass.
        note: Why there is no figure, or how to read it.
        passes: One per round.
    """

    what: str
    arithmetic: str = ""
    batch: int | None = None
    images: int = 0
    note: str = ""
    passes: list[Pass] = field(default_factory=list)

    @property
    def rates(self) -> list[float]:
        """Images per second, one figure per round."""
        return [self.images / one.seconds for one in self.passes]

    @property
    def seconds(self) -> float:
        """Median wall time of a pass."""
        return statistics.median(one.seconds for one in self.passes)

    @property
    def cpu_seconds(self) -> float | None:
        """Median processor time of a pass."""
        known = [one.cpu_seconds for one in self.passes if one.cpu_seconds is not None]
        return statistics.median(known) if known else None

    @property
    def others(self) -> float | None:
        """Median share of all cores that other processes took."""
        known = [one.others for one in self.passes if one.others is not None]
        return statistics.median(known) if known else None

    def ratio_to(self, other: Row | None) -> float | None:
        """Median over the rounds of how many times faster this is: what slows a round down cancels out."""
        if other is None or not self.passes or not other.passes:
            return None
        return statistics.median(mine / theirs for mine, theirs in zip(self.rates, other.rates, strict=True))


@dataclass(frozen=True, eq=False)
class Contender:
    """Something to measure again and again.

    Attributes:
        rows: What one run gives figures for.
        run: Runs once; one pass per row.
    """

    rows: Sequence[Row]
    run: Run


def interleave(
    contenders: Sequence[Contender], rounds: int, runner: Callable[[Run], Sequence[Pass]]
) -> list[Row]:
    """Runs all contenders in turn, round after round, so that the machine's moods hit them alike.

    Args:
        contenders: What to run.
        rounds: How often each.
        runner: Calls it, at a good moment.

    Returns:
        The rows of all contenders with their passes.
    """
    for number in range(rounds):
        for contender in contenders:
            for row, one in zip(contender.rows, runner(contender.run), strict=True):
                row.passes.append(one)
                rate = f" {row.images / one.seconds:8.1f} images/s" if row.images else ""
                others = f", others {one.others:.0%}" if one.others and one.others >= 0.01 else ""
                tell(
                    f"  {number + 1}/{rounds} {row.what} {row.arithmetic}: {one.seconds:.2f} s{rate}{others}"
                )
    return [row for contender in contenders for row in contender.rows]


class Ended(NamedTuple):
    """A finished process.

    Attributes:
        seconds: Wall time from its start to its end.
        cpu_seconds: Processor time of all its threads.
        peak_rss: Largest resident memory in bytes.
        answer: The last line of its stdout, read as JSON.
    """

    seconds: float
    cpu_seconds: float
    peak_rss: int
    answer: Any


def run_process(command: Sequence[str]) -> Ended:
    """Runs a command that prints one JSON object, and asks the kernel what it took.

    Raises:
        RuntimeError: It failed; the message ends with what it said.
    """
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
        started = time.perf_counter()
        process = subprocess.Popen(command, stdout=output, stderr=errors)  # noqa: S603
        try:
            # wait4 instead of process.wait(): only it tells the peak memory of this one child.
            _, status, usage = os.wait4(process.pid, 0)
        except KeyboardInterrupt:
            end(process)
            raise
        seconds = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        errors.seek(0)
        if process.returncode:
            raise RuntimeError(
                f"{' '.join(command)} ended with {process.returncode}: {errors.read()[-2000:]}"
            )
        answer = json.loads(output.read().splitlines()[-1])
    rss = usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return Ended(seconds, usage.ru_utime + usage.ru_stime, rss, answer)


def end(process: subprocess.Popen[bytes], patience_s: float = 5.0) -> None:
    """Lets a process end that Ctrl-C has reached as well, and ends it where it has not."""
    try:
        process.wait(patience_s)
    except subprocess.TimeoutExpired:
        process.terminate()
        process.wait()


def tell(message: str) -> None:
    """Prints a line of progress on stderr."""
    print(message, file=sys.stderr, flush=True)
