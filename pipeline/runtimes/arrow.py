"""pyarrow: tables on disk as Parquet and Arrow keep them, where it is installed."""

from __future__ import annotations

import importlib
from types import ModuleType

from pipeline.errors import UsageError


def import_arrow(what: str) -> ModuleType:
    """Imports pyarrow with its modules ``compute``, ``ipc`` and ``parquet``.

    Args:
        what: What it is needed for, for the message.

    Raises:
        UsageError: It is not installed.
    """
    try:
        for module in ("compute", "ipc", "parquet"):
            importlib.import_module(f"pyarrow.{module}")
        return importlib.import_module("pyarrow")
    except ModuleNotFoundError as error:
        raise UsageError(f"{what} needs pyarrow: pip install 'two-stage-pipeline[parquet]'") from error
