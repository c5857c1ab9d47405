"""What was run, and the figures over all classes in words: all that is known about where they come from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from pipeline.cache import FeatureSet
from pipeline.cache.feature_file import open_feature_file
from pipeline.cache.format import Header
from pipeline.errors import PipelineError
from pipeline.evaluation.figures import Figures
from pipeline.evaluation.head_report import HeadReport
from pipeline.heads import TrainedHead
from pipeline.plain_json import parse_json
from pipeline.wording import counted

Facts = dict[str, str]
"""Values by name, as text."""

SHARES = {"accuracy", "balanced_accuracy"}
RATE = " images/s"
DIGITS = 16


@dataclass(frozen=True)
class Headline:
    """One figure.

    Attributes:
        name: What it is called.
        value: Its value as text.
        interval: Its 95 % interval as text; empty where there is none.
        meaning: What it tells, in a few words.
    """

    name: str
    value: str
    interval: str
    meaning: str


def main_figures(figures: Figures) -> list[Headline]:
    """Returns the four figures to look at first."""
    return [
        Headline(
            "accuracy",
            f"{figures.accuracy:.2%}",
            _between("accuracy", figures.accuracy_ci),
            f"always naming the most frequent class: {figures.majority_accuracy:.2%}",
        ),
        _headline(figures, "balanced_accuracy", "balanced accuracy", "mean recall of the classes"),
        _headline(figures, "macro_f1", "macro F1", "mean F1 of the classes"),
        _headline(figures, "log_loss", "log-loss", "nats; lower is better"),
    ]


def other_figures(figures: Figures) -> list[Headline]:
    """Returns all other figures over all classes."""
    top = [
        Headline(f"top-{k} accuracy", f"{share:.2%}", "", f"the truth is among the {k} most probable")
        for k, share in figures.top_k.items()
    ]
    return [
        *top,
        _headline(figures, "weighted_f1", "weighted F1", "mean F1, each class by its rows"),
        _headline(figures, "mcc", "Matthews correlation", "0 is chance, 1 is perfect"),
        _headline(figures, "kappa", "Cohen's kappa", "agreement beyond chance"),
        _headline(figures, "roc_auc", "ROC AUC", "one class against the rest, mean"),
        _headline(figures, "average_precision", "average precision", "one class against the rest, mean"),
        _headline(figures, "brier", "Brier score", "squared error of the probabilities, 0 to 2"),
        _headline(figures, "ece", "calibration error", "mean gap between confidence and accuracy"),
    ]


def _headline(figures: Figures, key: str, name: str, meaning: str) -> Headline:
    interval = figures.intervals.get(key)
    return Headline(
        name, _text(key, getattr(figures, key)), _between(key, interval) if interval else "", meaning
    )


def _between(key: str, interval: tuple[float, float]) -> str:
    return f"{_text(key, interval[0])} to {_text(key, interval[1])}"


def _text(key: str, value: float | None) -> str:
    if value is None:
        return "undefined"
    return f"{value:.2%}" if key in SHARES else f"{value:.4f}"


def stage_one(report: HeadReport, features: Mapping[str, FeatureSet]) -> Facts:
    """Says what made the features."""
    spec = report.spec
    header = header_of(features.get(report.split))
    software = (header.software if header else None) or {}
    facts = {
        "backbone": spec.backbone,
        "filters": _filters(spec.weights, header.weights_label if header else ""),
        "cut": spec.layer + ("" if spec.pooling == "none" else f", {spec.pooling} pooled"),
        "image size": f"{spec.image_size} x {spec.image_size} pixels, {spec.resize}",
        "geometry": spec.geometry,
        "preprocessing": spec.preprocessing,
        "arithmetic": f"{spec.precision}, run by {spec.engine}",
        "stored as": spec.store,
        "augmented views": _views(spec.augmentation),
        "calibrated on": spec.calibration,
        "spec": spec.digest[:16],
    }
    for split, part in features.items():
        shape = " x ".join(map(str, part.feature_shape))
        size = len(part) * int(np.prod(part.feature_shape)) * part.features.dtype.itemsize
        facts[f"{split} features"] = f"{counted(len(part), 'row')} of {shape}, {size / 1e6:,.1f} MB"
    rates = {name.removesuffix(RATE): rate for name, rate in software.items() if name.endswith(RATE)}
    facts["measured speed"] = ", ".join(f"{name} {rate} images/s" for name, rate in rates.items())
    facts["software"] = _versions(
        {name: number for name, number in software.items() if not name.endswith(RATE)}
    )
    return {name: value for name, value in facts.items() if value}


def stage_two(head: TrainedHead) -> Facts:
    """Says what was trained, on what, and how long it took."""
    classes = sum(count > 0 for count in head.class_counts)
    return training(
        head,
        {
            "training rows": f"{head.train_rows:,} of {counted(classes, 'class')}",
            "classes": _balance(head),
            "calibrated": "" if head.temperature is None else head.temperature.line,
            "accuracy on val": "" if head.val_accuracy is None else f"{head.val_accuracy:.2%}",
        },
    )


def training(head: TrainedHead, own: Facts) -> Facts:
    """Says how a head was trained; what its kind alone has stands in the middle."""
    facts = {
        "head": head.name,
        "options": ", ".join(f"{name} = {value}" for name, value in head.options.items()),
        "seed": str(head.seed),
        **own,
        "training time": f"{head.seconds:,.2f} s"
        + (f" ({head.train_rows / head.seconds:,.0f} rows/s in all)" if head.seconds > 0 else ""),
        "software": _versions(head.versions),
    }
    return {name: value for name, value in facts.items() if value}


def seen_rows(report: HeadReport) -> Facts:
    """Says how many of the measured rows the head has seen."""
    if report.trained_on is None:
        return {"rows it has seen": "not known: an earlier version saved this head"}
    return {
        "rows it has seen": f"trained on {report.trained_on:,}, chosen on {report.validated_on:,} of these "
        f"{counted(report.rows_measured, 'row')}"
    }


def _views(augmentation: str) -> str:
    if not augmentation:
        return "none"
    try:
        ranges = parse_json(augmentation)
        return ", ".join(f"{name} {value}" for name, value in ranges.items())
    except (ValueError, AttributeError):
        return augmentation


def _balance(head: TrainedHead) -> str:
    seen = [count for count in head.class_counts if count]
    if not seen:
        return ""
    low, high = min(seen), max(seen)
    return f"{'' if low == high else f'{low:,} to '}{counted(high, 'row')} each"


def header_of(features: FeatureSet | None) -> Header | None:
    """Returns what the feature file says of itself; None where there is none."""
    if features is None:
        return None
    try:
        return open_feature_file(features.path).header
    except (PipelineError, OSError):  # rows that were never in a file, or are no longer
        return None


def _filters(weights: str, label: str) -> str:
    kind, _, value = weights.partition(":")
    short = f"{kind} {value[:DIGITS]}..." if len(value) > DIGITS else weights
    return f"{label} ({short})" if label and label != short else short


def _versions(versions: Mapping[str, str]) -> str:
    return ", ".join(f"{name} {number}" for name, number in versions.items())
