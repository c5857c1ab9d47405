"""Packages that come with an extra: imported where they are installed, and told how to install where not."""

from __future__ import annotations

import importlib
from types import ModuleType

from pipeline.errors import UsageError


def import_extra(package: str, *modules: str, extra: str, what: str) -> ModuleType:
    """Imports a package.

    Args:
        package: Its name, which is that of the distribution, too.
        modules: Modules of it to import with it.
        extra: The extra that it comes with.
        what: What it is needed for, for the message.

    Raises:
        UsageError: It is not installed.
    """
    try:
        for module in modules:
            importlib.import_module(f"{package}.{module}")
        return importlib.import_module(package)
    except ModuleNotFoundError as error:
        raise UsageError(f"{what} needs {package}: pip install 'two-stage-pipeline[{extra}]'") from error
