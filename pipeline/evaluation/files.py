"""How reports and comparisons become files: published together, or not at all."""

from __future__ import annotations

import platform
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pipeline
from pipeline.errors import UsageError, disk_errors
from pipeline.files import Known
from pipeline.plain_json import json_text, plain, sealed
from pipeline.publishing import published

METRICS, PAGE = "metrics.json", "report.html"
SOFTWARE = ("numpy", "scipy", "scikit-learn", "keras", "matplotlib")


@contextmanager
def replacing(folder: Path, mark: str, *, known: Known, root: Path) -> Iterator[Path]:
    """Yields an empty folder that takes the place of ``folder`` if the block ends well.

    An older report is replaced, but for what this package did not make; any other folder is refused.

    Args:
        folder: Where the files are to stand.
        mark: The file by which an older report is known.
        known: Tells files that this package made.
        root: The folder that the user named.

    Raises:
        UsageError: ``folder`` is a file, or holds something but no report.
        PipelineError: The folder cannot be written.
    """
    with not_written(f"the report cannot be written to {folder}"):
        there = folder.is_file() or (folder.is_dir() and any(folder.iterdir()))
        if there and not (folder / mark).is_file():
            raise UsageError(
                f"{folder} is not a report and will not be replaced: choose a new or empty folder"
            )
        with published(folder, root=root, known=known) as fresh:
            yield fresh


def not_written(problem: str) -> AbstractContextManager[None]:
    """Turns the trouble of a full disk or a locked folder into one line, see ``errors.disk_errors``."""
    return disk_errors(problem, "Make room there, or the folder writable, and evaluate again")


def write_json(record: dict[str, Any], path: Path) -> None:
    """Writes an object as sealed JSON with a line a key; numbers that are not finite become null."""
    lines = (f"{json_text(key)}: {json_text(value)}" for key, value in sealed(plain(record)).items())
    path.write_text("{\n  " + ",\n  ".join(lines) + "\n}\n", encoding="ascii")


def software(trained_with: Iterable[str] = ()) -> dict[str, str]:
    """Returns the versions at work here, TensorFlow's where the head is a network of Keras."""
    names = (*SOFTWARE, "tensorflow") if "tensorflow" in trained_with else SOFTWARE
    return {
        "pipeline": pipeline.__version__,
        "python": platform.python_version(),
        **{name: version(name) for name in names},
    }
