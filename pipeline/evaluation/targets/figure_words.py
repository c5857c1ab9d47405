"""Figures of labels, or of numbers, in words: what knowing nothing gives, and a line for each of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pipeline.evaluation.targets.label_figures import LabelsFigures
from pipeline.evaluation.targets.number_figures import NumbersFigures
from pipeline.wording import in_its_unit

Lines = tuple[tuple[str, ...], list[tuple[str, ...]]]
"""The names of columns, and the cells of each line."""


def baseline_lines(known: Mapping[str, Any]) -> dict[str, str]:
    """Returns the figures of answers that look at no image, by what these are.

    Args:
        known: The object ``"baseline"`` that figures have in JSON.
    """
    if "answer" in known:
        mae, rmse = in_its_unit(known["mae"]), in_its_unit(known["rmse"])
        return {f"always the {known['answer']}": f"MAE {mae}, RMSE {rmse}"}
    area, never, always = known["map"], known["never"], known["always"]
    ranked = {} if area is None else {"always each label's share": f"mean average precision {area:.4f}"}
    return ranked | {
        "always every label": f"micro F1 {always['micro_f1']:.4f}, macro F1 {always['macro_f1']:.4f}",
        "never a label": f"exact match {never['exact_match']:.4f}",
    }


def table_of(figures: LabelsFigures | NumbersFigures) -> Lines:
    """Returns a line for each label or number."""
    if isinstance(figures, LabelsFigures):
        columns = ("label", "AP", "AUC", "precision", "recall", "F1", "images", "predicted", "threshold")
        return columns, [
            (
                one.name,
                _digits(one.average_precision),
                _digits(one.roc_auc),
                f"{one.precision:.3f}",
                f"{one.recall:.3f}",
                f"{one.f1:.3f}",
                f"{one.support:,}",
                f"{one.predicted:,}",
                f"{one.threshold:.3f}",
            )
            for one in figures.per_label
        ]
    return ("number", "MAE", "RMSE", "R2", "Spearman", "90% within", "held", "images"), [
        (
            one.name,
            f"{one.mae:.4g}",
            f"{one.rmse:.4g}",
            _digits(one.r2),
            _digits(one.spearman),
            "" if one.prediction_interval is None else f"± {one.prediction_interval.half_width:.4g}",
            ""
            if one.prediction_interval is None or one.prediction_interval.covered is None
            else f"{one.prediction_interval.covered:.1%}",
            f"{one.rows:,}",
        )
        for one in figures.per_number
    ]


def _digits(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"
