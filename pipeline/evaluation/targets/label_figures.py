"""Figures of several labels an image; a label that is unknown of an image counts in none of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from pipeline.errors import UsageError
from pipeline.evaluation.targets.part_figures import ranking
from pipeline.evaluation.targets.resamples import Figure, intervals
from pipeline.images.targets import LABELS
from pipeline.wording import counted

BINS = 10


@dataclass(frozen=True)
class LabelFigures:
    """How one label fares.

    Attributes:
        name: The label.
        rows: Images of which it is known.
        support: Images that have it.
        predicted: Images that are said to have it.
        threshold: Probability from which that is said; the middle one where images have several.
        average_precision: Area under the precision-recall curve; None where all images are alike.
        roc_auc: Area under the ROC curve; None likewise.
        precision: Share of the images said to have it that do; 0 where none is.
        recall: Share of the images that have it that are said to; 0 where there are none.
        f1: Harmonic mean of the two; 0 where both are.
        calibration_error: Mean distance of probability and share in ten bins of equal width, by rows.
    """

    name: str
    rows: int
    support: int
    predicted: int
    threshold: float
    average_precision: float | None
    roc_auc: float | None
    precision: float
    recall: float
    f1: float
    calibration_error: float | None


@dataclass(frozen=True, eq=False, kw_only=True)
class LabelsFigures:
    """All figures of several labels.

    Attributes:
        n: Images of which at least one label is known.
        unknown: Images of which none is, left out.
        mean_average_precision: Mean over the labels that some images have and some have not; None where there
            is no such label.
        micro_f1: F1 of all decisions taken together.
        macro_f1: Mean F1 of the labels that some image has.
        exact_match: Share of images whose known labels are all right.
        hamming_loss: Share of decisions that are wrong.
        baseline: The same figures of always answering each label's share of these images, and of always
            answering the labels that most images have: what knowing nothing would give.
        never: The figures of never answering a label, without ``map``.
        always: The figures of answering every label of every image, without ``map``.
        intervals: Ends of the 95 % bootstrap interval of ``map``, ``micro_f1``, ``macro_f1`` and
            ``exact_match``.
        per_label: The figures of each label.
    """

    n: int
    unknown: int
    mean_average_precision: float | None
    micro_f1: float
    macro_f1: float
    exact_match: float
    hamming_loss: float
    baseline: dict[str, float | None]
    never: dict[str, float]
    always: dict[str, float]
    intervals: dict[str, tuple[float, float]]
    per_label: tuple[LabelFigures, ...]

    @property
    def lines(self) -> dict[str, tuple[float, tuple[float, float] | None]]:
        """The figures over all labels with their intervals, by their names for people."""
        ends, area = self.intervals, self.mean_average_precision
        return {
            **({} if area is None else {"mean average precision": (area, ends.get("map"))}),
            "micro F1": (self.micro_f1, ends.get("micro_f1")),
            "macro F1": (self.macro_f1, ends.get("macro_f1")),
            "exact match": (self.exact_match, ends.get("exact_match")),
            "Hamming loss": (self.hamming_loss, None),
        }

    def to_json(self) -> dict[str, Any]:
        """Returns the keys of the object that ``pipeline evaluate --json`` prints."""
        return {
            "n": self.n,
            "unknown": self.unknown,
            "map": self.mean_average_precision,
            "micro_f1": self.micro_f1,
            "macro_f1": self.macro_f1,
            "exact_match": self.exact_match,
            "hamming_loss": self.hamming_loss,
            "baseline": {**self.baseline, "never": self.never, "always": self.always},
            "intervals": {name: list(ends) for name, ends in self.intervals.items()},
            "per_label": [asdict(one) for one in self.per_label],
        }


def measure_labels(
    truth: np.ndarray,
    scores: np.ndarray,
    names: Sequence[str],
    thresholds: Sequence[float] | np.ndarray,
    groups: np.ndarray | None = None,
) -> LabelsFigures:
    """Measures answers.

    Args:
        truth: (n, k): 1, 0, or NaN where a label is unknown.
        scores: Probabilities, float (n, k).
        names: Of the k labels.
        thresholds: Probability from which each label is answered, (k,); or (n, k), of each image.
        groups: int (n,), images that belong together; None = each alone.

    Raises:
        UsageError: Nothing is known of any image.
    """
    known = ~np.isnan(truth)
    rows = known.any(axis=1)
    if not rows.any():
        raise UsageError(f"none of the labels is known of any of {counted(len(truth), 'image')}")
    unknown = int((~rows).sum())
    truth, scores, known = truth[rows], scores[rows], known[rows]
    groups = None if groups is None else groups[rows]
    has = np.where(known, truth, 0).astype(float)
    limits = np.broadcast_to(np.asarray(thresholds, float), (len(rows), len(names)))[rows]
    said = (scores >= limits) & known
    whole = _weighted(has, known, said, scores)
    ones = np.ones((1, len(truth)))
    total = _at(whole, ones)
    share = has.sum(axis=0) / np.maximum(known.sum(axis=0), 1)
    rates = np.broadcast_to(share, scores.shape)
    constant = {
        name: _at(_weighted(has, known, answered & known, rates), ones)
        for name, answered in (
            ("usual", np.broadcast_to(share >= 0.5, known.shape)),
            ("never", np.zeros_like(known)),
            ("always", np.ones_like(known)),
        )
    }
    never, always = (
        {name: value for name, value in constant[which].items() if value is not None and name != "map"}
        for which in ("never", "always")
    )
    return LabelsFigures(
        n=len(truth),
        unknown=unknown,
        mean_average_precision=total["map"],
        micro_f1=total["micro_f1"] or 0.0,
        macro_f1=total["macro_f1"] or 0.0,
        exact_match=total["exact_match"] or 0.0,
        hamming_loss=float((said != has.astype(bool))[known].mean()),
        baseline=constant["usual"],
        never=never,
        always=always,
        intervals=intervals(whole, len(truth), groups),
        per_label=tuple(
            _of_label(name, has[:, i], known[:, i], said[:, i], scores[:, i], float(np.median(limits[:, i])))
            for i, name in enumerate(names)
        ),
    )


def _weighted(has: np.ndarray, known: np.ndarray, said: np.ndarray, scores: np.ndarray) -> Figure:
    """Returns what computes the figures over all labels for weights of rows, see ``resamples.Figure``."""
    hits = has * said
    right = ((said == has.astype(bool)) | ~known).all(axis=1)
    mean_precision = ranking(LABELS, np.where(known, has, np.nan), scores)

    def figures(weights: np.ndarray) -> dict[str, np.ndarray]:
        true, answered, both = (weights @ one for one in (has, said.astype(float), hits))
        f1 = _share(2 * both, true + answered)
        present = true > 0
        return {
            **mean_precision(weights),
            "micro_f1": _share(2 * both.sum(axis=1), (true + answered).sum(axis=1)),
            "macro_f1": _share((f1 * present).sum(axis=1), present.sum(axis=1).astype(float)),
            "exact_match": (weights @ right.astype(float)) / weights.sum(axis=1),
        }

    return figures


def _of_label(
    name: str, has: np.ndarray, known: np.ndarray, said: np.ndarray, scores: np.ndarray, threshold: float
) -> LabelFigures:
    from sklearn.metrics import average_precision_score, roc_auc_score

    truth, answered, sure = has[known], said[known], scores[known]
    support, predicted, hits = int(truth.sum()), int(answered.sum()), float((truth * answered).sum())
    mixed = 0 < support < len(truth)
    return LabelFigures(
        name=name,
        rows=len(truth),
        support=support,
        predicted=predicted,
        threshold=threshold,
        average_precision=float(average_precision_score(truth, sure)) if mixed else None,
        roc_auc=float(roc_auc_score(truth, sure)) if mixed else None,
        precision=hits / predicted if predicted else 0.0,
        recall=hits / support if support else 0.0,
        f1=2 * hits / (support + predicted) if support + predicted else 0.0,
        calibration_error=_calibration_error(truth, sure) if len(truth) else None,
    )


def _calibration_error(truth: np.ndarray, scores: np.ndarray) -> float:
    bins = np.minimum((scores * BINS).astype(int), BINS - 1)
    apart = np.bincount(bins, weights=scores - truth, minlength=BINS)
    return float(np.abs(apart).sum() / len(truth))


def _share(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.divide(part, whole, out=np.zeros_like(part), where=whole != 0)


def _at(figures: Figure, weights: np.ndarray) -> dict[str, float | None]:
    """Returns the figures for one row of weights (1, n); None where one is not defined."""
    found = {name: float(value[0]) for name, value in figures(weights).items()}
    return {name: None if np.isnan(value) else value for name, value in found.items()}
