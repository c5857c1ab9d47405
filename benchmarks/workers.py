"""Peers in processes of their own: libraries that fight over threads never share one."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path
from types import TracebackType
from typing import Self

from measuring import Pass, tell

PEERS = Path(__file__).parent / "peers"


class Worker:
    """A peer's process, asleep between its passes.

    Attributes:
        about: What it said of itself.
        passes: Names of the passes it offers; empty where it cannot run here.
        note: Why it cannot.
    """

    def __init__(self, script: str, *arguments: object) -> None:
        """Starts ``peers/<script>.py`` and waits until it has loaded and warmed up."""
        tell(f"loading {script}")
        self._errors = tempfile.TemporaryFile("w+")  # noqa: SIM115 - closed on exit
        self._process = subprocess.Popen(  # noqa: S603
            peer_command(script, *arguments),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
        )
        try:
            ready = self._ask("")
        except (RuntimeError, BrokenPipeError) as error:
            ready = {"note": str(error)}
        self.about = ready
        self.passes: list[str] = ready.get("passes", [])
        self.note: str = ready.get("note", "")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._process.stdin.close()
        self._process.wait()
        self._errors.close()

    def run(self, name: str) -> Pass:
        """Runs one pass."""
        return Pass(**self._ask(f"{name}\n"))

    def _ask(self, line: str) -> dict:
        self._process.stdin.write(line)
        self._process.stdin.flush()
        answer = self._process.stdout.readline()
        if not answer:
            self._process.wait()
            self._errors.seek(0)
            raise RuntimeError((self._errors.read().strip().splitlines() or ["it ended"])[-1])
        return json.loads(answer)


def peer_command(script: str, *arguments: object) -> list[str]:
    """Returns the command that runs a script of ``peers/`` with this interpreter."""
    return [sys.executable, str(PEERS / f"{script}.py"), *map(str, arguments)]


def extract_command(images: Path, cache: Path, *options: object) -> list[str]:
    """Returns the ``pipeline extract`` command with this interpreter."""
    return pipeline_command("extract", "--json", "--data", images, "--cache", cache, *options)


def pipeline_command(*words: object) -> list[str]:
    """Returns a command of the pipeline with this interpreter."""
    return [sys.executable, "-m", "pipeline", *map(str, words)]
