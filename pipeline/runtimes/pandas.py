"""pandas: tables for notebooks, where it is installed."""

from __future__ import annotations

from types import ModuleType

from pipeline.runtimes.extras import import_extra


def import_pandas() -> ModuleType:
    """Imports pandas.

    Raises:
        UsageError: It is not installed.
    """
    return import_extra("pandas", extra="pandas", what="to_frame()")
