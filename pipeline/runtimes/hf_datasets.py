"""The one place that imports Hugging Face's datasets: only when a data set is to come from there."""

from __future__ import annotations

from types import ModuleType

from pipeline.runtimes.extras import import_extra


def import_datasets(what: str) -> ModuleType:
    """Imports ``datasets``.

    Args:
        what: What it is needed for, for the message.

    Raises:
        UsageError: It is not installed.
    """
    return import_extra("datasets", extra="hf-datasets", what=what)
