"""Loggers: other programs that keep figures. One file each; the folder is the registry.

A module names the ``PACKAGE`` that it needs and offers ``log(report, runs=..., files=...)``, which writes
the figures of a report and returns the line that tells the user where to look.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from pipeline import registry
from pipeline.errors import UsageError

if TYPE_CHECKING:
    from pipeline.evaluation.head_report import HeadReport


class Log(Protocol):
    """Hands a report to another program, and tells where to look."""

    def __call__(self, report: HeadReport, *, runs: Path, files: Path | None) -> str:
        """Logs below ``runs``, or wherever the program's own settings say.

        Args:
            report: The figures.
            runs: Folder of trained heads.
            files: Folder with the files of this very report; None = they were not written.

        Raises:
            PipelineError: It cannot be written.
        """
        ...


def open_logger(name: str) -> Log:
    """Returns the function that logs.

    Raises:
        UsageError: There is no such logger, or its package is not installed.
    """
    module = registry.load(sys.modules[__name__], "logger", name)
    if importlib.util.find_spec(module.PACKAGE) is None:
        raise UsageError(
            f"`--log {name}` needs the package {module.PACKAGE}: pip install 'two-stage-pipeline[{name}]'"
        )
    return module.log


def scalars(report: HeadReport) -> dict[str, float]:
    """Returns the single figures of a report by name, with the ends of their intervals."""
    return {name: float(value) for name, value in report.scalars.items() if value is not None}
