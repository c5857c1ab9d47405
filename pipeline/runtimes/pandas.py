"""pandas: tables for notebooks, where it is installed."""

from __future__ import annotations

import importlib
from types import ModuleType

from pipeline.errors import UsageError


def import_pandas() -> ModuleType:
    """Imports pandas.

    Raises:
        UsageError: It is not installed.
    """
    try:
        return importlib.import_module("pandas")
    except ModuleNotFoundError as error:
        raise UsageError("to_frame() needs pandas: pip install 'two-stage-pipeline[pandas]'") from error
