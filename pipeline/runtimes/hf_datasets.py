"""The one place that imports Hugging Face's datasets: only when a data set is to come from there."""

from __future__ import annotations

import importlib
from types import ModuleType

from pipeline.errors import UsageError


def import_datasets(what: str) -> ModuleType:
    """Imports ``datasets``.

    Args:
        what: What it is needed for, for the message.

    Raises:
        UsageError: It is not installed.
    """
    try:
        return importlib.import_module("datasets")
    except ModuleNotFoundError as error:
        raise UsageError(f"{what} needs datasets: pip install 'two-stage-pipeline[hf-datasets]'") from error
