"""How many files of the package a reader enters: by each command, and on the way of a batch to the disk.

``python benchmarks/files_entered.py [--json] [--list]`` runs ``extract``, an unchanged second ``extract``,
``train-head`` and ``predict`` on a few tiny images with the base ``pixels``, in this process, and notes every
function of ``pipeline/`` that is called. A file counts as entered if one of its functions ran; what only ran
because it was imported (class bodies, decorators, dataclasses) does not count.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import json
import os
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import numpy as np
from PIL import Image

import pipeline
from pipeline.cli import main as command_line

PACKAGE = str(Path(pipeline.__file__).parent) + os.sep
LOCAL_EXECUTOR = os.path.join(PACKAGE, "extraction", "executors", "local.py")
STAGE = ["--data", "photos", "--backbone", "pixels", "--image-size", "8"]
COMMANDS = {
    "extract": ["extract", *STAGE],
    "second run": ["extract", *STAGE],
    "train-head": ["train-head", *STAGE],
    "predict": ["predict", "photos/test", *STAGE],
}


@dataclass
class Trace:
    """What ran in one command.

    Attributes:
        files: Files of the package, relative to it.
        levels: Functions of the package from ``extract()`` to the loop over batches, both counted.
        hops: Those from the executor, with a computed batch in hand, to the call of ``os.pwrite``.
    """

    files: set[str] = field(default_factory=set)
    levels: list[str] = field(default_factory=list)
    hops: list[str] = field(default_factory=list)

    def note(self, frame: FrameType, event: str, argument: Any) -> None:
        """Is called by the interpreter at each call and return; see ``sys.setprofile``."""
        code = frame.f_code
        if event == "call" and code.co_filename.startswith(PACKAGE) and not _importing(frame):
            self.files.add(_file(code))
            if not self.levels and code.co_filename == LOCAL_EXECUTOR and code.co_name == "fill":
                self.levels = _stack(frame, lambda code: code.co_name == "extract")
        elif event == "c_call" and argument is os.pwrite and not self.hops:
            hops = _stack(frame, lambda code: code.co_filename == LOCAL_EXECUTOR)
            if hops and hops[0].startswith(_file_name(LOCAL_EXECUTOR)):
                self.hops = hops


def _file(code: CodeType) -> str:
    return _file_name(code.co_filename)


def _file_name(path: str) -> str:
    return path.removeprefix(PACKAGE)


def _importing(frame: FrameType | None) -> bool:
    """Tells whether a call is part of importing a module."""
    while frame is not None and frame.f_code.co_name != "_find_and_load":
        frame = frame.f_back
    return frame is not None


def _stack(frame: FrameType | None, begins: Callable[[CodeType], bool]) -> list[str]:
    """Lists the functions of the package on the stack, from the innermost that ``begins`` inward."""
    found: list[str] = []
    while frame is not None:
        code = frame.f_code
        if code.co_filename.startswith(PACKAGE):
            found.insert(0, f"{_file(code)}:{getattr(code, 'co_qualname', code.co_name)}")
            if begins(code):
                break
        frame = frame.f_back
    return found


@contextlib.contextmanager
def traced() -> Iterator[Trace]:
    """Notes what runs in this thread and in those that are started meanwhile."""
    trace = Trace()
    threading.setprofile(trace.note)
    sys.setprofile(trace.note)
    try:
        yield trace
    finally:
        sys.setprofile(None)
        threading.setprofile(None)


def make_images(folder: Path) -> None:
    """Writes a few tiny pictures of two classes in three splits."""
    random = np.random.default_rng(0)
    for split in ("train", "val", "test"):
        for name in ("cats", "dogs"):
            place = folder / split / name
            place.mkdir(parents=True)
            for number in range(4):
                pixels = random.integers(0, 256, (8, 8, 3), np.uint8)
                Image.fromarray(pixels).save(place / f"{number}.png")


def measure() -> dict[str, Trace]:
    """Runs each command in a temporary folder, one after the other."""
    # Their own imports would be millions of calls to look at.
    import sklearn.linear_model  # noqa: F401

    traces = {}
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        make_images(Path("photos"))
        for name, arguments in COMMANDS.items():
            said = io.StringIO()
            with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said), traced() as trace:
                code = _exit_code(arguments)
            if code:
                raise SystemExit(f"{name} ended with exit code {code}: {said.getvalue()}")
            traces[name] = trace
    return traces


def _exit_code(arguments: list[str]) -> int:
    try:
        return int(command_line(arguments) or 0)
    except SystemExit as ended:
        return int(ended.code or 0)


def main() -> None:
    """Prints a table, or JSON with every file and function."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--json", action="store_true", help="print one JSON object, with every name")
    parser.add_argument("--list", action="store_true", help="print the names as well")
    given = parser.parse_args()
    traces = measure()
    first = traces["extract"]
    if given.json:
        files = {name: sorted(trace.files) for name, trace in traces.items()}
        print(json.dumps({"files": files, "levels": first.levels, "hops": first.hops}, indent=1))
        return
    for name, trace in traces.items():
        commands = sum(one.startswith("cli" + os.sep) for one in trace.files)
        print(f"files entered by {name:<14}{len(trace.files):>4}  of them in cli/ {commands}")
        print(*(f"    {one}\n" for one in sorted(trace.files) if given.list), sep="", end="")
    print(f"levels from extract() to the loop over batches {len(first.levels):>3}")
    print(*(f"    {one}\n" for one in first.levels if given.list), sep="", end="")
    print(f"hops from a ready batch to os.pwrite           {len(first.hops):>3}")
    print(*(f"    {one}\n" for one in first.hops if given.list), sep="", end="")


if __name__ == "__main__":
    main()
