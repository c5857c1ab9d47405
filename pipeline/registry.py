"""Folders as registries: a module in the folder is an entry, its file name is its name."""

from __future__ import annotations

import importlib
import pkgutil
from types import ModuleType

from pipeline.errors import unknown


def names(package: ModuleType | str) -> list[str]:
    """Lists the public modules of a package, or of one of this name, in sorted order, without importing them.

    A file ``gap_bn_dense.py`` is the entry ``gap-bn-dense``; a leading underscore hides a module.
    """
    found = (module.name for module in pkgutil.iter_modules(_opened(package).__path__))
    return sorted(name.replace("_", "-") for name in found if not name.startswith("_"))


def load(package: ModuleType | str, kind: str, name: str, *, next_step: str = "") -> ModuleType:
    """Imports the module behind a registry name.

    Raises:
        UsageError: ``name`` is not an entry; the message lists those that are.
    """
    if name not in names(package):
        raise unknown(kind, name, names(package), next_step=next_step)
    return importlib.import_module(f"{_opened(package).__name__}.{name.replace('-', '_')}")


def name_of(entry: type) -> str:
    """Returns the name of the entry in whose module a class is defined."""
    return entry.__module__.rpartition(".")[2].replace("_", "-")


def _opened(package: ModuleType | str) -> ModuleType:
    return importlib.import_module(package) if isinstance(package, str) else package
