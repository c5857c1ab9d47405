"""Features as files that other programs read and write. One format a file: the folder is the registry.

A format module has what :class:`Format` says; the first line of its docstring says what the files are.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

from pipeline import registry
from pipeline.errors import UsageError

if TYPE_CHECKING:
    from pipeline.cache.exchange.given_table import GivenTable
    from pipeline.cache.exchange.stored_table import FeatureTable


class Format(Protocol):
    """What a module of this package offers.

    Attributes:
        SUFFIXES: Endings of the files that it writes; it reads the first of them.
        PACKAGES: Distributions that it needs.
        EXTRA: The extra that installs them; empty where it needs none.
    """

    SUFFIXES: tuple[str, ...]
    PACKAGES: tuple[str, ...]
    EXTRA: str

    def write(self, table: FeatureTable, folder: Path, stem: str) -> None:
        """Writes a file for each suffix into a folder, a block of the table after the other."""
        ...

    def read(self, file: Path, features: str) -> GivenTable:
        """Finds out what a file holds, and reads its features later, a block after the other.

        Args:
            file: It exists, and its name ends in the first suffix.
            features: Name of the array, of the column, or the beginning of the names of numbered columns;
                empty = the only ones that can be features.

        Raises:
            UsageError: The file is of another kind, or damaged, or nothing or several things in it could be
                the features.
            OSError: The system does not let it be read.
        """
        ...


def load_format(
    name: str, *, next_step: str = "give --format, or an --out that ends in one of them"
) -> Format:
    """Imports a format by its name.

    Raises:
        UsageError: There is none of this name, or the package that it needs is missing.
    """
    module = registry.load(sys.modules[__name__], "format", name, next_step=next_step)
    missing = [package for package in module.PACKAGES if importlib.util.find_spec(package) is None]
    if missing:
        raise UsageError(
            f"format {name!r} needs {', '.join(missing)}: pip install 'two-stage-pipeline[{module.EXTRA}]'"
        )
    return cast(Format, module)
