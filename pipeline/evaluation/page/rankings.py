"""How other heads did on the same features and rows, from the files that training and evaluation left."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.errors import reason_of
from pipeline.evaluation.comparison import Comparison
from pipeline.evaluation.head_report import HeadReport
from pipeline.evaluation.paired_tests import PairedDifference
from pipeline.heads import FIGURES
from pipeline.plain_json import read_sealed
from pipeline.stored_heads import (
    METRICS,
    RECORD,
    number_or_none,
    read_believed,
    read_stored_figures,
    read_stored_head,
)
from pipeline.wording import readable

SMALLEST = 0.0001
MOST_HEADS = 30
LEADERBOARD = "sweep/leaderboard.json"


@dataclass(frozen=True)
class Compared:
    """One head of a comparison.

    Attributes:
        head: Its name.
        current: Whether it is the one of this page.
        value: The figure that heads are ranked by; None where it is not defined.
        interval: Its 95 % interval, where there is one.
        trained_on: Rows that it was trained on, as text; empty for none.
        difference: What tells it from the best head; None for the best itself.
        verdict: What the test says of the difference, in words.
    """

    head: str
    current: bool
    value: float | None
    interval: tuple[float, float] | None
    trained_on: str
    difference: PairedDifference | None
    verdict: str


def compared_heads(comparison: Comparison[Any], *, head: str) -> list[Compared]:
    """Returns the heads of a comparison, the best first, each with its paired test against the best.

    Args:
        comparison: Heads measured on the same rows.
        head: Name of the head that the page is about.
    """
    return [
        Compared(
            head=readable(report.head),
            current=report.head == head,
            value=report.scalars.get(FIGURES[report.target]),
            interval=_interval(report),
            trained_on=_trained_on(report.trained_on),
            difference=difference,
            verdict=_verdict(difference),
        )
        for report, difference in zip(comparison.reports, comparison.differences, strict=True)
    ]


def _trained_on(rows: int | None) -> str:
    if rows is None:
        return "what it was trained on is not known"
    return f"trained on {rows:,} of these rows" if rows else ""


def _verdict(difference: PairedDifference | None) -> str:
    if difference is None:
        return "the best"
    p = f"p < {SMALLEST}" if difference.p_holm < SMALLEST else f"p = {difference.p_holm:.4f}"
    return f"{'worse' if difference.is_significant else 'may be chance'}, {p}"


@dataclass(frozen=True)
class Standing:
    """One head of the entry.

    Attributes:
        head: Its name, with options where a sweep set them.
        current: Whether it is the one of this page.
        val_accuracy: Accuracy on the rows heads are chosen on, or what stands in ``FIGURES`` for it where
            heads answer with no classes; None where unknown.
        interval: Its 95 % interval, where known.
        accuracy: The same on the evaluated split; None where it was not evaluated there.
        accuracy_interval: Its 95 % interval, where known.
        log_loss: Log-loss on the evaluated split (in a sweep: on the rows heads are chosen on).
        seconds: Seconds its training took; None where unknown.
    """

    head: str
    current: bool = False
    val_accuracy: float | None = None
    interval: tuple[float, float] | None = None
    accuracy: float | None = None
    accuracy_interval: tuple[float, float] | None = None
    log_loss: float | None = None
    seconds: float | None = None


@dataclass(frozen=True)
class Sweep:
    """The leaderboard of a sweep: what it was chosen on, the best results, and how many there were."""

    chosen_on: str
    standings: tuple[Standing, ...]
    count: int


def trained_heads(report: HeadReport) -> list[Standing]:
    """Returns every trained head of the entry, the best on validation rows first.

    They are ranked by what heads may be chosen on; the evaluated split stands beside it for information.
    A damaged file of another head only leaves out that head; see :func:`damaged_records`.
    """
    found = [_standing(path.parent, report) for path in report.entry.glob(f"[!.]*/{RECORD}")]
    known = [one for one in found if one is not None]
    if not any(one.current for one in known):
        known.append(_current(report, None, None))
    return sorted(known, key=lambda one: (one.val_accuracy is None, -(one.val_accuracy or 0.0), one.head))[
        :MOST_HEADS
    ]


def sweep_results(report: HeadReport) -> Sweep | None:
    """Returns the leaderboard of the last sweep over the entry; None where there is none."""
    board = read_believed(report.entry / LEADERBOARD)
    try:
        results = [one for one in board["results"] if one["score"] is not None]
        standings = tuple(
            Standing(
                head=readable(f"{one['head']} {one['options']}", 80),
                current=one["head"] == report.head and one["rank"] == 1,
                val_accuracy=float(one["score"]),
                interval=(float(one["low"]), float(one["high"])),
                log_loss=number_or_none(one["log_loss"]),
                seconds=number_or_none(one["seconds"]),
            )
            for one in results[:MOST_HEADS]
        )
        return Sweep(readable(str(board["chosen_on"])), standings, len(results)) if standings else None
    except (KeyError, TypeError, ValueError):
        return None


def damaged_records(report: HeadReport) -> list[str]:
    """Names the files of other heads, and of the sweep, that the page leaves out, each with the reason."""
    entry = report.entry
    patterns = (f"[!.]*/{RECORD}", f"[!.]*/{report.split}/{METRICS}", LEADERBOARD)
    return [
        f"{readable(str(path.relative_to(entry)), 80)} is left out: {readable(reason, 80)}"
        for pattern in patterns
        for path in sorted(entry.glob(pattern))
        if path.parent != report.folder
        for reason in _damage(path)
    ]


def _damage(path: Path) -> Iterator[str]:
    try:
        read_sealed(path)
    except OSError as error:
        yield reason_of(error)
    except (ValueError, RecursionError) as error:
        yield str(error)


def _standing(folder: Path, report: HeadReport) -> Standing | None:
    head = read_stored_head(folder)
    if head is None:
        return None
    if folder == report.run:
        return _current(report, head.val_accuracy, head.seconds)
    name, figures = readable(head.name), read_stored_figures(folder, report.split)
    if figures is None or figures.name != FIGURES[report.target]:
        return Standing(name, val_accuracy=head.val_accuracy, seconds=head.seconds)
    return Standing(
        name,
        val_accuracy=head.val_accuracy,
        accuracy=figures.accuracy,
        accuracy_interval=figures.interval,
        log_loss=figures.log_loss,
        seconds=head.seconds,
    )


def _current(report: HeadReport, val_accuracy: float | None, seconds: float | None) -> Standing:
    scalars = report.scalars
    return Standing(
        readable(report.head),
        current=True,
        val_accuracy=val_accuracy,
        accuracy=scalars.get(FIGURES[report.target]),
        accuracy_interval=_interval(report),
        log_loss=scalars.get("log_loss"),
        seconds=seconds,
    )


def _interval(report: HeadReport) -> tuple[float, float] | None:
    """Returns the 95 % interval of the figure that heads are ranked by; None where there is none."""
    name = FIGURES[report.target]
    low, high = (report.scalars.get(f"{name}_{end}") for end in ("low", "high"))
    return None if low is None or high is None else (low, high)
