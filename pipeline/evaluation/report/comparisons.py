"""Heads on the same rows, and whether they differ by more than chance."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.evaluation.comparison import Comparison, Difference
from pipeline.names import readable

SMALLEST = 0.0001


@dataclass(frozen=True)
class Compared:
    """One head of a comparison.

    Attributes:
        head: Its name.
        current: Whether it is the one of this page.
        accuracy: Its accuracy.
        interval: Its 95 % interval.
        trained_on: Rows that it was trained on, as text; empty for none.
        only_best: Rows that only the best head has right; None for the best itself.
        only_this: Rows that only this head has right.
        verdict: What the test says of the difference, in words.
    """

    head: str
    current: bool
    accuracy: float
    interval: tuple[float, float]
    trained_on: str
    only_best: int | None
    only_this: int | None
    verdict: str


def compared_heads(comparison: Comparison, *, head: str) -> list[Compared]:
    """Returns the heads of a comparison, the best first, each with its paired test against the best.

    Args:
        comparison: Heads measured on the same rows.
        head: Name of the head that the page is about.
    """
    return [
        Compared(
            head=readable(report.head),
            current=report.head == head,
            accuracy=report.figures.accuracy,
            interval=report.figures.accuracy_ci,
            trained_on=_trained_on(report.trained_on),
            only_best=difference.only_best if difference else None,
            only_this=difference.only_this if difference else None,
            verdict=_verdict(difference),
        )
        for report, difference in zip(comparison.reports, comparison.differences, strict=True)
    ]


def _trained_on(rows: int | None) -> str:
    if rows is None:
        return "what it was trained on is not known"
    return f"trained on {rows:,} of these rows" if rows else ""


def _verdict(difference: Difference | None) -> str:
    if difference is None:
        return "the best"
    p = f"p < {SMALLEST}" if difference.p_holm < SMALLEST else f"p = {difference.p_holm:.4f}"
    return f"{'worse' if difference.is_significant else 'may be chance'}, {p}"
