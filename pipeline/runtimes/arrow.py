"""pyarrow: tables on disk as Parquet and Arrow keep them, where it is installed."""

from __future__ import annotations

from types import ModuleType

from pipeline.runtimes.extras import import_extra


def import_arrow(what: str) -> ModuleType:
    """Imports pyarrow with its modules ``compute``, ``ipc`` and ``parquet``.

    Args:
        what: What it is needed for, for the message.

    Raises:
        UsageError: It is not installed.
    """
    return import_extra("pyarrow", "compute", "ipc", "parquet", extra="parquet", what=what)
