"""The figures over all classes, in words."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.evaluation.metrics import Figures

SHARES = {"accuracy", "balanced_accuracy"}


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
