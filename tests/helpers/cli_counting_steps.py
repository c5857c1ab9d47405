"""Runs the command line with the counting engine and says when it has come to a chosen step.

``python cli_counting_steps.py PHASE STEP HOLD LOG extract ...`` prints ``reached`` at that step of a phase,
counted in calls of Python and C functions, before and after each; with ``HOLD`` = ``hold`` the thread then
sleeps. The pixels of every computed image are noted in LOG, and the steps of each phase where the run ends by
itself.
"""

from __future__ import annotations

import functools
import hashlib
import importlib
import json
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from counting_engine import CountingEngine

from pipeline.cli import main
from pipeline.extraction import filling

ROWS_A_BLOCK = 8
HELD_S = 60
STAGE_ONE = {
    "plan": [
        "pipeline.extraction:scan",
        "pipeline.extraction.stage:EntryWriter.__init__",
        "pipeline.extraction.filling:stored_rows",
        "pipeline.extraction.filling:plan_copies",
        "pipeline.extraction.filling:plan_blocks",
    ],
    "layout": ["pipeline.cache.writer:EntryWriter.open"],
    "decode": ["pipeline.extraction.load:Loader.load"],
    "write": ["pipeline.extraction.executors.local:_write", "pipeline.cache.writer:EntryWriter.copy"],
    "publish": ["pipeline.cache.writer:EntryWriter.publish"],
}
STAGE_TWO = {
    "save a head": ["pipeline.heads._core.training:save_head"],
    "save the best": ["pipeline.sweeps:save_head"],
    "keep a result": ["pipeline.sweeps.results:ResultStore.save"],
    "write the leaderboard": ["pipeline.sweeps.leaderboard:write_leaderboard"],
    "write the report": ["pipeline.evaluation:Report.write"],
}


class Steps:
    """Counts the steps of each phase; says when one of them is reached, and holds there if asked to."""

    def __init__(self, phase: str, step: int, *, hold: bool) -> None:
        self.phase, self.step, self.hold = phase, step, hold
        self.counts: Counter[str] = Counter()

    def watch(self, phase: str, place: str) -> None:
        """Counts what a function or method, ``module:name``, does in its own thread."""
        module, _, name = place.partition(":")
        *owners, name = name.split(".")
        owner = functools.reduce(getattr, owners, importlib.import_module(module))
        original = getattr(owner, name)

        @functools.wraps(original)
        def watched(*arguments: Any, **options: Any) -> Any:
            sys.setprofile(functools.partial(self._count, phase))
            try:
                return original(*arguments, **options)
            finally:
                sys.setprofile(None)

        setattr(owner, name, watched)

    def _count(self, phase: str, *_: object) -> None:
        self.counts[phase] += 1
        if phase == self.phase and self.counts[phase] == self.step:
            print("reached", flush=True)
            if self.hold:
                time.sleep(HELD_S)


class NotingEngine(CountingEngine):
    """Notes every image that it computes in a file, before its features can be anywhere."""

    def __init__(self, log: Path) -> None:
        super().__init__()
        self._log = open(log, "a")  # noqa: SIM115 - closed with the process
        self._one = threading.Lock()

    def submit(self, images: np.ndarray) -> np.ndarray:
        with self._one:
            for image in images:
                if image.any():
                    self._log.write(f"{hashlib.sha256(image.tobytes()).hexdigest()}\n")
            self._log.flush()
        return super().submit(images)


if __name__ == "__main__":
    phase, step, hold, log = sys.argv[1:5]
    filling.BLOCK_ROWS = ROWS_A_BLOCK
    steps = Steps(phase, int(step), hold=hold == "hold")
    for name, places in (STAGE_ONE if "extract" in sys.argv else STAGE_TWO).items():
        for place in places:
            steps.watch(name, place)
    NotingEngine(Path(log)).install(pytest.MonkeyPatch())
    try:
        main(sys.argv[5:])
    finally:
        Path(f"{log}.steps").write_text(json.dumps(steps.counts))
