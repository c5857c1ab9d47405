"""Who is taken for whom: classes, the confusion matrix and its worst pairs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.evaluation.figures import ClassFigures, Figures, mistakes, most_confused, table_of
from pipeline.evaluation.metrics import wilson_interval
from pipeline.wording import readable

MOST_BARS = 30
MOST_CELLS = 20
MOST_PAIRS = 12
SHADES = 10


@dataclass(frozen=True)
class Bar:
    """One class.

    Attributes:
        name: The class, fit to be shown.
        figures: Its figures.
        interval: 95 % Wilson interval of its recall; None where it has no rows.
    """

    name: str
    figures: ClassFigures
    interval: tuple[float, float] | None


@dataclass(frozen=True)
class Pair:
    """Rows of one class that were taken for another."""

    truth: str
    predicted: str
    rows: int
    share: float


@dataclass(frozen=True)
class Cell:
    """One cell of the matrix.

    Attributes:
        rows: Rows of the true class that were predicted as the other.
        share: The same as a share of the true class; None where that has no rows.
        hit: Whether the two classes are the same.
        shade: 0 (none) to 10 (all); of mistakes by square root, or a few would be invisible.
    """

    rows: int
    share: float | None
    hit: bool
    shade: int


@dataclass(frozen=True)
class Matrix:
    """A confusion matrix fit to be shown.

    Attributes:
        names: The classes of the columns; the last is "all others" where some are left out.
        lines: Name, rows of the class, and its cells.
        left_out: Number of classes that are not shown.
    """

    names: tuple[str, ...]
    lines: tuple[tuple[str, int, tuple[Cell, ...]], ...]
    left_out: int


def class_bars(figures: Figures, *, most: int = MOST_BARS) -> list[Bar]:
    """Returns all classes in order; of more than ``most``, those with the lowest F1."""
    return [Bar(readable(one.name), one, _recall_interval(one)) for one in figures.worst(most)]


def worst_pairs(figures: Figures, *, most: int = MOST_PAIRS) -> list[Pair]:
    """Returns the pairs of classes with the most mistakes, the worst first."""
    classes = figures.per_class
    return [
        Pair(readable(classes[true].name), readable(classes[guess].name), rows, rows / classes[true].support)
        for true, guess, rows in mistakes(figures.pairs)[:most].tolist()
    ]


def matrix(figures: Figures, *, most: int = MOST_CELLS) -> Matrix:
    """Returns the confusion matrix; of more than ``most`` classes, those that are confused most."""
    k = len(figures.classes)
    kept = most_confused(figures.pairs, k, most) if k > most else np.arange(k)
    support = [figures.per_class[i].support for i in kept]
    columns = table_of(figures.pairs, kept)
    names = [readable(figures.per_class[i].name, 24) for i in kept]
    lines = []
    for i, rows in enumerate(support):
        rest = [rows - columns[i].sum()] if k > most else []
        cells = (_cell(int(one), rows, i == j) for j, one in enumerate([*columns[i], *rest]))
        lines.append((names[i], rows, tuple(cells)))
    head = (*names, "all others") if k > most else tuple(names)
    return Matrix(head, tuple(lines), k - len(kept))


def _cell(rows: int, support: int, hit: bool) -> Cell:
    if not support:
        return Cell(rows, None, hit, 0)
    share = rows / support
    shade = round(SHADES * (share if hit else share**0.5))
    return Cell(rows, share, hit, max(shade, 1) if rows else 0)


def _recall_interval(one: ClassFigures) -> tuple[float, float] | None:
    if not one.support:
        return None
    return wilson_interval(round(one.recall * one.support), one.support)
