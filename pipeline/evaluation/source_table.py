"""How a table has to tell classes, labels or numbers so that the table source reads back what a set has."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from pipeline.cache import FeatureSet
from pipeline.images.source_options import SourceOptions
from pipeline.images.sources._class_names import NO_LABEL
from pipeline.images.targets import CLASS, LABELS, known_rows

SEPARATORS = (";", "|", "/", "+")
_META = ("path", "split", "group")


class TableForm(Protocol):
    """The columns of a table that tell what is known of an image.

    Attributes:
        columns: Their names.
        meta: Names of the columns of path, split and group: no target has these.
        options: What `pipeline extract --data TABLE` needs to read it; empty for classes.
    """

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the columns."""

    @property
    def meta(self) -> tuple[str, ...]:
        """Names of the columns of path, split and group."""

    @property
    def options(self) -> str:
        """What to give to ``pipeline extract --data TABLE``, as words for a shell."""

    def cells(self, features: FeatureSet, row: int) -> list[str]:
        """Returns a text for each column."""


def form_of(parts: Sequence[FeatureSet], options: SourceOptions) -> TableForm:
    """Returns the form of a set: labels in one column where that is its form and no label alone is unknown.

    Args:
        parts: Its splits, at least one.
        options: How its source is read.
    """
    first = parts[0]
    if first.target == CLASS:
        return ClassForm()
    if first.target == LABELS and not options.target_column:
        wanted = [options.label_separator] if options.label_separator else []
        separator = next((one for one in (*wanted, *SEPARATORS) if _separates(one, first.classes)), "")
        if separator and not any(_partly_known(one.targets) for one in parts):
            return ListForm(separator)
    return ColumnForm(first.classes, first.target)


@dataclass(frozen=True)
class ClassForm:
    """One class an image, in the column ``label``."""

    columns: tuple[str, ...] = ("label",)
    meta: tuple[str, ...] = _META
    options: str = ""

    def cells(self, features: FeatureSet, row: int) -> list[str]:
        """Returns the name of the class; nothing where it is unknown."""
        label = int(features.labels[row])
        return [features.classes[label] if label >= 0 else ""]


@dataclass(frozen=True)
class ListForm:
    """Several labels in the column ``label``, with something between them; alone it is an empty list."""

    separator: str
    columns: tuple[str, ...] = ("label",)
    meta: tuple[str, ...] = _META

    @property
    def options(self) -> str:
        """The separator."""
        return f"--label-separator {shlex.quote(self.separator)}"

    def cells(self, features: FeatureSet, row: int) -> list[str]:
        """Returns the labels of an image; nothing where they are unknown."""
        if not features.known[row]:
            return [""]
        held = [features.classes[i] for i in np.flatnonzero(features.targets[row] == 1)]
        return [self.separator.join(held) if held else self.separator]


@dataclass(frozen=True)
class ColumnForm:
    """A column of 0 and 1 a label, or a column a number; nothing stands where one is unknown."""

    columns: tuple[str, ...]
    kind: str

    @property
    def meta(self) -> tuple[str, ...]:
        """Names of the columns of path, split and group that no target has."""
        return tuple(unused(name, self.columns) for name in _META)

    @property
    def options(self) -> str:
        """All columns by name, and the kind: numbers may be 0 and 1, too."""
        words = [word for name in self.columns for word in ("--target-column", name)]
        words += ["--target", self.kind]
        for meaning, name in zip(_META, self.meta, strict=True):
            words += [f"--{meaning}-column", name]
        return shlex.join(words)

    def cells(self, features: FeatureSet, row: int) -> list[str]:
        """Returns each label or number of an image as a text."""
        return [written(value) for value in features.targets[row]]


def unused(name: str, taken: Sequence[str]) -> str:
    """Returns a name for a column that is not among others, whatever their letter case."""
    others = {one.strip().casefold() for one in taken}
    while name in others:
        name += "_"
    return name


def written(value: np.float32) -> str:
    """Returns the shortest text that is read as the same float32; nothing where it is unknown."""
    if np.isnan(value):
        return ""
    return str(int(value)) if float(value).is_integer() and abs(value) < 1e7 else str(value)


def _separates(separator: str, names: Sequence[str]) -> bool:
    """Tells whether lists of these names can be taken apart again."""
    return all(
        name and separator not in name and name == name.strip() and name not in NO_LABEL for name in names
    )


def _partly_known(targets: np.ndarray) -> bool:
    return bool(np.isnan(targets[known_rows(targets)]).any())
