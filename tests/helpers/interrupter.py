"""Starts commands that count their steps (``cli_counting_steps.py``), and sends a signal at one of them."""

from __future__ import annotations

import json
import random
import signal
import subprocess
import sys
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

import cli_counting_steps
from counting_engine import BACKBONE, SIDE

STAGE = ["--backbone", BACKBONE["backbone"], "--image-size", str(SIDE), "--engine", BACKBONE["engine"]]
STAGE += ["--weights", BACKBONE["weights"], "--precision", "float32"]


@dataclass
class Ended:
    """How a process ended.

    Attributes:
        phase: The phase at whose step it was stopped.
        step: The step.
        reached: Whether it came there, and so whether the signal was sent.
        code: Its exit code; -9 where it was killed.
        stderr: What it said.
        seconds: From the signal to the end of the process.
    """

    phase: str
    step: int
    reached: bool
    code: int
    stderr: str
    seconds: float


@dataclass
class Interrupter:
    """Starts commands one after the other.

    Attributes:
        log: Where each run notes what it computes.
        steps: Steps of each phase, as far as known.
    """

    log: Path
    started: ExitStack
    steps: dict[str, int] = field(default_factory=dict)

    def run(
        self,
        phase: str,
        step: int,
        arguments: list[object],
        *,
        number: int = signal.SIGKILL,
        hold: bool = False,
        late_s: float = 0.0,
    ) -> Ended:
        """Sends the signal ``late_s`` seconds after the step, while the process goes on or holds."""
        self.log.unlink(missing_ok=True)
        command = [
            sys.executable,
            cli_counting_steps.__file__,
            phase,
            str(step),
            "hold" if hold else "go on",
            self.log,
        ]
        process = self.started.enter_context(
            subprocess.Popen(
                [*map(str, command), *map(str, arguments)],
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
        self.started.callback(process.kill)
        assert process.stdout is not None
        reached = process.stdout.readline() == "reached\n"
        started = time.monotonic()
        if reached:
            time.sleep(late_s)
            started = time.monotonic()
            process.send_signal(number)
        _, stderr = process.communicate(timeout=120)
        return Ended(phase, step, reached, process.returncode, stderr, time.monotonic() - started)

    def learn(self, arguments: list[object]) -> None:
        """Runs to the end, undisturbed, and counts the steps of each phase."""
        result = self.run("none", 0, arguments)
        assert result.code == 0, result.stderr
        self.steps |= json.loads(Path(f"{self.log}.steps").read_text())

    def interrupt(self, phase: str, arguments: list[object], chance: random.Random, number: int) -> Ended:
        """Sends a signal at a random step of a phase, at once or a little later."""
        return self.run(
            phase,
            chance.randint(1, self.steps[phase]),
            arguments,
            number=number,
            hold=chance.random() < 0.5,
            late_s=chance.uniform(0, 0.002),
        )

    @property
    def computed(self) -> list[str]:
        """SHA-256 of the pixels of every image that the last run computed."""
        return self.log.read_text().split() if self.log.exists() else []
