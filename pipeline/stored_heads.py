"""What training and evaluation have left of a head on disk, for whoever shows it and never runs it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.plain_json import read_sealed

RECORD, METRICS = "head.json", "metrics.json"
ACCURACY = "accuracy"
TARGET_FIGURES = ("map", "r2", "mae")
"""What stands for all figures of several labels, or of numbers, as ``pipeline evaluate --json`` calls it."""


@dataclass(frozen=True)
class StoredHead:
    """What the record of a head says.

    Attributes:
        name: Its name.
        val_accuracy: Accuracy on the rows it was chosen on, or the figure of ``TrainedHead.val_figure`` where
            it answers with no classes; None without any.
        seconds: Seconds its training took; None where unknown.
        figure: Which figure the former is.
    """

    name: str
    val_accuracy: float | None
    seconds: float | None
    figure: str = ACCURACY


@dataclass(frozen=True)
class StoredFigures:
    """Figures of a head on one split.

    Attributes:
        accuracy: Its accuracy; or the figure that ``name`` says, where it answers with no classes.
        interval: The 95 % interval of that; twice the figure itself where it has none.
        log_loss: In nats; None where it has none.
        rows: Rows that it was measured on; this and what follows is None where an earlier version wrote it.
        macro_f1: Mean F1 of the classes.
        majority_accuracy: That of always saying the largest class.
        notes: Remarks without which the figures would mislead.
        leaks: How many pairs of images of each kind the leak check beside them found; None without one.
    """

    accuracy: float
    interval: tuple[float, float]
    log_loss: float | None
    rows: int | None
    macro_f1: float | None
    majority_accuracy: float | None
    notes: tuple[str, ...]
    leaks: dict[str, int] | None
    name: str = ACCURACY


def read_stored_head(folder: Path) -> StoredHead | None:
    """Reads the record in the folder of a head; None where there is none that can be believed."""
    record = read_believed(folder / RECORD)
    try:
        figure = record.get("val_figure") or (ACCURACY, record["val_accuracy"])
        value, seconds = number_or_none(figure[1]), number_or_none(record["seconds"])
        return StoredHead(str(record["name"]), value, seconds, str(figure[0]))
    except (KeyError, TypeError, ValueError):
        return None


def read_stored_figures(folder: Path, split: str) -> StoredFigures | None:
    """Reads the figures on a split below the folder of a head; None where there are none to be believed."""
    record = read_believed(folder / split / METRICS)
    try:
        if name := next((one for one in TARGET_FIGURES if record.get(one) is not None), None):
            return _of_targets(record, name)
        low, high = map(float, record["accuracy_ci"])
        rows = number_or_none(record.get("n"))
        leaks = record.get("leaks")
        return StoredFigures(
            accuracy=float(record["accuracy"]),
            interval=(low, high),
            log_loss=number_or_none(record["log_loss"]),
            rows=None if rows is None else int(rows),
            macro_f1=number_or_none(record.get("macro_f1")),
            majority_accuracy=number_or_none(record.get("majority_accuracy")),
            notes=tuple(map(str, record.get("notes") or ())),
            leaks=None if leaks is None else {str(kind): int(count) for kind, count in dict(leaks).items()},
        )
    except (KeyError, TypeError, ValueError):
        return None


def _of_targets(record: dict[str, Any], name: str) -> StoredFigures:
    """Reads the figures of labels or numbers, of which one stands for all."""
    value = float(record[name])
    low, high = map(float, dict(record["intervals"]).get(name, (value, value)))
    return StoredFigures(
        accuracy=value,
        interval=(low, high),
        log_loss=None,
        rows=int(record["n"]),
        macro_f1=number_or_none(record.get("macro_f1")),
        majority_accuracy=None,
        notes=tuple(map(str, record.get("notes") or ())),
        leaks=None,
        name=name,
    )


def number_or_none(value: Any) -> float | None:
    """Returns a number of a record, which may have none there."""
    return None if value is None else float(value)


def read_believed(path: Path) -> dict[str, Any]:
    """Returns the record in a file; an empty one where there is none that can be believed."""
    try:
        return read_sealed(path)
    except (OSError, ValueError, RecursionError):
        return {}
