"""What a model card says a head is worth: the figures that an evaluation has left beside it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.heads import TrainedHead
from pipeline.heads._core.target_figures import figure_text
from pipeline.images.targets import CLASS, LABELS, NUMBER
from pipeline.serving.export._markdown import table
from pipeline.stored_heads import METRICS, number_or_none, read_believed, read_stored_figures
from pipeline.wording import in_its_unit

MOST_LINES = 100
LEVEL = 0.95
_KNOWING_NOTHING = {
    LABELS: ("map", "mean average precision of always each label's share"),
    NUMBER: ("mae", "MAE of always the mean"),
}
"""Which figure of answers that look at no image stands on a card: its key, and its name."""

Metric = dict[str, Any]
Ends = tuple[float, float]


@dataclass(frozen=True, kw_only=True)
class CardFigures:
    """Figures on a split, ready for a card.

    Attributes:
        lines: The figures over all classes, labels or numbers in words, by their names.
        metrics: The same for a ``model-index``.
        parts: Paragraphs that follow, Markdown: a line for each label or number.
        notes: Remarks without which the figures would mislead.
        leaks: How many pairs of images of each kind the leak check beside them found; None without one.
    """

    lines: dict[str, str]
    metrics: list[Metric]
    parts: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    leaks: dict[str, int] | None = None


def read_figures(trained: TrainedHead, split: str) -> CardFigures | None:
    """Reads the figures on a split in the head's own folder; None where there are none to be believed."""
    if trained.folder is None:
        return None
    return _READ[trained.task.target](trained.folder, split)


def _of_classes(folder: Path, split: str) -> CardFigures | None:
    figures = read_stored_figures(folder, split)
    if figures is None:
        return None
    lines = {
        "images": "" if figures.rows is None else f"{figures.rows:,}",
        "accuracy": _between("accuracy", figures.accuracy, figures.interval),
        "macro F1": _digits(figures.macro_f1),
        "log-loss": _digits(figures.log_loss),
        "always the largest class": _digits(figures.majority_accuracy),
    }
    metrics = [_metric("accuracy", figures.accuracy, figures.interval)]
    if figures.macro_f1 is not None:
        metrics.append(_metric("f1", figures.macro_f1, None, average="macro"))
    return CardFigures(
        lines={name: value for name, value in lines.items() if value},
        metrics=metrics,
        notes=figures.notes,
        leaks=figures.leaks,
    )


def _of_labels(folder: Path, split: str) -> CardFigures | None:
    return _read_targets(
        folder,
        split,
        LABELS,
        {
            "map": ("mean average precision", "mean_average_precision", {}),
            "micro_f1": ("micro F1", "f1", {"average": "micro"}),
            "macro_f1": ("macro F1", "f1", {"average": "macro"}),
            "exact_match": ("exact match", "accuracy", {}),
        },
        _label_lines,
    )


def _of_numbers(folder: Path, split: str) -> CardFigures | None:
    return _read_targets(
        folder,
        split,
        NUMBER,
        {
            "mae": ("MAE", "mae", {}),
            "rmse": ("RMSE", "rmse", {}),
            "r2": ("R2", "r_squared", {}),
        },
        _number_lines,
    )


_READ: dict[str, Callable[[Path, str], CardFigures | None]] = {
    CLASS: _of_classes,
    LABELS: _of_labels,
    NUMBER: _of_numbers,
}


def _read_targets(
    folder: Path,
    split: str,
    target: str,
    wanted: dict[str, tuple[str, str, dict[str, str]]],
    each: Callable[[dict[str, Any]], tuple[str, ...]],
) -> CardFigures | None:
    """Reads figures of labels or numbers.

    Args:
        folder: Of the head.
        split: What they were measured on.
        target: Their kind; those of another kind are not believed.
        wanted: Name for people, name for the hub, and its arguments, by the key of each figure.
        each: Makes the paragraphs on each label or number.
    """
    record = read_believed(folder / split / METRICS)
    try:
        if record["target"] != target:
            return None
        lines, metrics, ends = {"images": f"{int(record['n']):,}"}, [], dict(record["intervals"])
        for key, (name, kind, arguments) in wanted.items():
            value = number_or_none(record[key])
            if value is not None:
                interval = _ends(ends.get(key))
                lines[name] = _between(key, value, interval)
                metrics.append(_metric(kind, value, interval, **arguments))
        key, name = _KNOWING_NOTHING[target]
        baseline = number_or_none(dict(record["baseline"])[key])
        if baseline is not None:
            lines[name] = figure_text(key, baseline)
        leaks = record.get("leaks")
        return CardFigures(
            lines=lines,
            metrics=metrics,
            parts=each(record),
            notes=tuple(map(str, record.get("notes") or ())),
            leaks=None if leaks is None else {str(kind): int(count) for kind, count in dict(leaks).items()},
        )
    except (AttributeError, KeyError, TypeError, ValueError):
        return None


def _label_lines(record: dict[str, Any]) -> tuple[str, ...]:
    columns = ("label", "images", "predicted", "threshold", "AP", "precision", "recall", "F1")
    keys = ("threshold", "average_precision", "precision", "recall", "f1")
    rows = [
        (
            str(one["name"]),
            f"{int(one['support']):,}",
            f"{int(one['predicted']):,}",
            *(_digits(number_or_none(one[key])) for key in keys),
        )
        for one in record["per_label"]
    ]
    return _limited(rows, columns)


def _number_lines(record: dict[str, Any]) -> tuple[str, ...]:
    columns = ("number", "images", "MAE", "RMSE", "R2")
    rows: list[tuple[str, ...]] = [
        (
            str(one["name"]),
            f"{int(one['rows']):,}",
            in_its_unit(float(one["mae"])),
            in_its_unit(float(one["rmse"])),
            _digits(number_or_none(one["r2"])),
        )
        for one in record["per_number"]
    ]
    widths = [one.get("prediction_interval") for one in record["per_number"]]
    overall = record.get("prediction_interval")
    if overall is None or None in widths:
        return _limited(rows, columns)
    share = f"{100 * float(overall['coverage']):.0f} % of true values within +-"
    rows = [(*row, in_its_unit(float(width["half_width"]))) for row, width in zip(rows, widths, strict=True)]
    return _limited(rows, (*columns, share))


def _limited(rows: list[tuple[str, ...]], columns: tuple[str, ...]) -> tuple[str, ...]:
    more = len(rows) - MOST_LINES
    return (table(rows[:MOST_LINES], columns), *([f"... and {more:,} more."] if more > 0 else []))


def _metric(kind: str, value: float, interval: Ends | None, **arguments: str) -> Metric:
    # A metric of its own for each end would stand in rankings as one more accuracy.
    within = {} if interval is None else {"confidence_level": LEVEL, "confidence_interval": list(interval)}
    metric: Metric = {"type": kind, "value": value}
    return metric | ({"args": {**arguments, **within}} if arguments or within else {})


def _ends(ends: Any) -> Ends | None:
    if ends is None:
        return None
    low, high = map(float, ends)
    return low, high


def _between(name: str, value: float, interval: Ends | None) -> str:
    ends = "" if interval is None else " to ".join(figure_text(name, end) for end in interval)
    return figure_text(name, value) + (f", 95 % interval {ends}" if ends else "")


def _digits(value: float | None) -> str:
    return "" if value is None else f"{value:.4f}"
