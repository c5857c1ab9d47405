"""How a peer talks to the benchmark: it loads once, then runs a pass whenever it is asked to."""

from __future__ import annotations

import argparse
import contextlib
import functools
import json
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, TextIO


@contextlib.contextmanager
def answers() -> Iterator[TextIO]:
    """Yields the stream for answers; whatever libraries print goes to stderr meanwhile."""
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    with os.fdopen(kept, "w", buffering=1) as stream:
        yield stream


def add_pass_options(parser: argparse.ArgumentParser) -> None:
    """Adds what every forward pass is told: the images, their size, and how many go through the base."""
    parser.add_argument("images", type=Path)
    parser.add_argument("--size", type=int, required=True)
    parser.add_argument("--batch", type=int, required=True)
    parser.add_argument("--count", type=int, required=True)


def say(stream: TextIO, **answer: Any) -> None:
    """Writes one JSON object on a line."""
    print(json.dumps(answer), file=stream, flush=True)


def timed(run: Callable[[], object]) -> dict[str, float]:
    """Runs once; returns ``seconds`` of wall time and ``cpu_seconds`` of all threads."""
    cpu, wall = time.process_time(), time.perf_counter()
    run()
    return {"seconds": time.perf_counter() - wall, "cpu_seconds": time.process_time() - cpu}


def serve(
    stream: TextIO, passes: Mapping[str, Callable[[int], object]], *, count: int, batch: int, **about: Any
) -> None:
    """Warms up on one batch, says which passes there are, then runs those named on stdin until it is closed.

    Args:
        stream: For answers.
        passes: Each takes how many images to pass through the base.
        count: Images in a measured pass.
        batch: Images in a batch.
        about: What else to say.
    """
    for run in passes.values():
        run(batch)
    say(stream, passes=list(passes), **about)
    for line in sys.stdin:
        say(stream, **timed(functools.partial(passes[line.strip()], count)))
