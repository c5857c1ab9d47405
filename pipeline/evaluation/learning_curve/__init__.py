"""Learning curves: accuracy at more and more training rows, and what still more would bring."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from pipeline.cache import FeatureSet
from pipeline.errors import UsageError
from pipeline.evaluation.learning_curve.power_law import PowerLaw, fit_power_law
from pipeline.evaluation.metrics import CONFIDENCE
from pipeline.evaluation.pooled import pooled_images
from pipeline.heads import TrainingData, fit_on, keep_labels, row_groups
from pipeline.heads._core.examples import select
from pipeline.images import UNLABELLED
from pipeline.progress import progress
from pipeline.wording import counted

FEWEST = 20
"""Training rows at which a curve begins; two a class where that is more."""
SIZES = 10
DRAWS = 6
RESAMPLES = 300
FEWEST_OF_CLASS = 10
"""Measured rows of a class below which nothing is said of it."""
ENDS = ((1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2)


@dataclass(frozen=True)
class Forecast:
    """What so many training rows would bring, in shares, with 95 % bands.

    Attributes:
        rows: Training rows.
        accuracy: Accuracy there.
        accuracy_ci: Its band.
        gain: How much more that is than now.
        gain_ci: Its band.
    """

    rows: int
    accuracy: float
    accuracy_ci: tuple[float, float]
    gain: float
    gain_ci: tuple[float, float]


@dataclass(frozen=True, eq=False, kw_only=True)
class LearningCurve:
    """A head measured on the same rows after learning from more and more others.

    Attributes:
        head: Name of the head.
        dataset: Name of the data set.
        classes: k class names.
        split: What it was measured on.
        sizes: int (s,), training rows, ascending; the last is all.
        hits: bool (s, draws, m), right answers; all draws of the last size are the same fit.
        labels: int (m,), of the measured rows.
        groups: int (m,), what is drawn together.
        class_rows: int (k,), training rows of each class.
    """

    head: str
    dataset: str
    classes: tuple[str, ...]
    split: str
    sizes: np.ndarray
    hits: np.ndarray
    labels: np.ndarray
    groups: np.ndarray
    class_rows: np.ndarray

    @property
    def accuracy(self) -> np.ndarray:
        """Mean accuracy at each size, float (s,)."""
        return self.hits.mean(axis=(1, 2))

    @property
    def by_draw(self) -> np.ndarray:
        """Accuracy of each draw, float (s, draws)."""
        return self.hits.mean(axis=2)

    @cached_property
    def band(self) -> np.ndarray:
        """Ends of the 95 % interval of the accuracy at each size, over draws and measured rows, (2, s)."""
        return 1 - np.quantile(self._resampled(None), ENDS[::-1], axis=0)

    @cached_property
    def law(self) -> PowerLaw:
        """The law through the mean errors."""
        return fit_power_law(self.sizes, 1 - self.accuracy, self._weights(1 - self.by_draw, len(self.labels)))

    def at(self, rows: int, label: int | None = None) -> Forecast:
        """Forecasts accuracy, of all rows or the recall of a class, after learning from so many rows.

        Every resample of draws and of measured rows (of whole groups) gets a law of its own; the band of the
        accuracy has what a single draw of training rows strays on top.
        """
        mask = np.ones(len(self.labels), bool) if label is None else self.labels == label
        by_draw = 1 - self.hits[:, :, mask].mean(axis=2)
        weights, variance = self._weights(by_draw, mask.sum()), self._draw_variance(by_draw)
        law = fit_power_law(self.sizes, by_draw.mean(axis=1), weights)
        laws = fit_power_law(self.sizes, self._resampled(label), weights)
        now, then = (laws.at(n)[:, 0] for n in (self.sizes[-1], rows))
        own_now, own_then = (float(law.at(n)[0]) for n in (self.sizes[-1], rows))
        random = np.random.default_rng(rows)
        strayed = then + random.normal(size=len(then)) * np.sqrt(variance / rows)
        low, high = np.quantile(1 - strayed, ENDS).clip(0, 1).tolist()
        gain = np.quantile(now - then, ENDS).tolist()
        return Forecast(rows, 1 - own_then, (low, high), own_now - own_then, (gain[0], gain[1]))

    @cached_property
    def forecast(self) -> Forecast:
        """What twice as many rows would bring."""
        return self.at(2 * int(self.sizes[-1]))

    @cached_property
    def of_classes(self) -> dict[str, Forecast]:
        """What twice as many rows would bring for each class with ten measured rows, the most gain first."""
        count = np.bincount(self.labels, minlength=len(self.classes))
        enough = np.flatnonzero((count >= FEWEST_OF_CLASS) & (self.class_rows > 0))
        found = {self.classes[i]: self.at(2 * int(self.sizes[-1]), int(i)) for i in enough}
        return dict(sorted(found.items(), key=lambda item: -item[1].gain))

    @property
    def line(self) -> str:
        """The forecast in words."""
        one = self.forecast
        low, high = one.gain_ci
        return (
            f"twice as many images would bring about {100 * one.gain:+.1f} points "
            f"({100 * low:.1f} to {100 * high:.1f}): {one.accuracy:.1%} at {counted(one.rows, 'row')}"
        )

    def to_json(self) -> dict[str, Any]:
        """Returns the object that ``pipeline learning-curve --json`` prints."""
        law = self.law
        return {
            "head": self.head,
            "dataset": self.dataset,
            "split": self.split,
            "n": len(self.labels),
            "rows": self.sizes.tolist(),
            "accuracy": self.accuracy.tolist(),
            "accuracy_low": self.band[0].tolist(),
            "accuracy_high": self.band[1].tolist(),
            "by_draw": self.by_draw.tolist(),
            "law": {"floor": float(law.floor), "scale": float(law.scale), "rate": float(law.rate)},
            "twice": _described(self.forecast),
            "classes": [{"class": name, **_described(one)} for name, one in self.of_classes.items()],
        }

    def _resampled(self, label: int | None) -> np.ndarray:
        """Returns the mean error at each size of every resample, float (b, s)."""
        random = np.random.default_rng(0)
        mask = np.ones(len(self.labels), bool) if label is None else self.labels == label
        wrong = (~self.hits[:, :, mask]).astype(np.float32)
        units = np.unique(self.groups[mask], return_inverse=True)[1]
        count, draws = int(units.max()) + 1, wrong.shape[1]
        found = np.empty((RESAMPLES, len(self.sizes)))
        for b in range(RESAMPLES):
            times = np.bincount(random.integers(0, count, count), minlength=count)[units].astype(np.float32)
            some = random.integers(0, draws, draws)
            found[b] = (wrong @ (times / times.sum()))[:, some].mean(axis=1)
        return found

    def _draw_variance(self, by_draw: np.ndarray) -> float:
        """Returns the variance of a draw's error times its rows: all draws of the last size are one."""
        return float((by_draw[:-1].var(axis=1, ddof=1) * self.sizes[:-1]).mean())

    def _weights(self, by_draw: np.ndarray, measured: int) -> np.ndarray:
        """Returns what each size counts: one by the variance over draws and over measured rows."""
        mean = by_draw.mean(axis=1)
        of_rows = np.maximum(mean * (1 - mean), 1 / (measured + 2)) / measured
        return 1 / (self._draw_variance(by_draw) / self.sizes / by_draw.shape[1] + of_rows)


def learning_curve(
    train: FeatureSet,
    measured: FeatureSet,
    *,
    head: str = "logreg",
    options: Mapping[str, object] = {},
    draws: int = DRAWS,
    seed: int = 0,
) -> LearningCurve:
    """Trains a head on more and more training rows, several times over, and measures it on other rows.

    A draw is one order of all rows, stratified by class, whole groups together; the head learns from the
    first 20 rows of it, from more, and so on. Features are averaged over their positions.

    Args:
        train: Rows to learn from.
        measured: Rows to measure on.
        head: Name of the head.
        options: Its options.
        draws: How many orders, 2 or more.
        seed: Seed of the orders and of the fits.

    Raises:
        UsageError: There are too few rows for a curve, or nothing to measure on.
    """
    train, measured = pooled_images(train), pooled_images(measured)
    asked = select(measured, np.arange(len(measured.classes)))
    labelled = np.flatnonzero(train.labels != UNLABELLED)
    learnt = len(np.unique(train.labels[labelled]))
    first = max(FEWEST, 2 * learnt)
    if len(labelled) < 2 * first or learnt < 2 or not len(asked):
        raise UsageError(
            f"a learning curve takes {counted(2 * first, 'labelled training row')} of two classes, "
            f"and labelled rows to measure on: there are {len(labelled):,} and {len(asked):,}"
        )
    sizes = np.unique(np.geomspace(first, len(labelled), SIZES).round().astype(int))
    random = np.random.default_rng(seed)
    hits = np.zeros((len(sizes), draws, len(asked)), bool)
    with progress("learning curve", (len(sizes) - 1) * draws + 1, "fits") as advance:
        for draw in range(draws):
            order = _order(train, labelled, random)
            for place, size in enumerate(sizes):
                if draw and place == len(sizes) - 1:
                    hits[place, draw] = hits[place, 0]
                    continue
                data = TrainingData.of(keep_labels(train, order[:size]))
                answers = fit_on(data, head, options=options, seed=seed).predict_examples(asked)
                hits[place, draw] = answers.argmax(axis=1) == asked.labels
                advance(1)
    return LearningCurve(
        head=head,
        dataset=train.dataset,
        classes=train.classes,
        split=measured.split,
        sizes=sizes,
        hits=hits,
        labels=asked.labels,
        groups=row_groups(measured)[asked.index],
        class_rows=np.bincount(train.labels[labelled], minlength=len(train.classes)),
    )


def _order(train: FeatureSet, labelled: np.ndarray, random: np.random.Generator) -> np.ndarray:
    """Draws an order of labelled rows, int (n,), in which each beginning has the classes in their shares."""
    labels, groups = train.labels[labelled], row_groups(train)[labelled]
    chance = random.random(int(groups.max()) + 1)[groups] + 1e-9 * random.random(len(labels))
    place = np.empty(len(labels))
    for label in np.unique(labels):
        own = np.flatnonzero(labels == label)
        place[own[np.argsort(chance[own])]] = (np.arange(len(own)) + random.random()) / len(own)
    of_group = np.bincount(groups, weights=place) / np.maximum(np.bincount(groups), 1)
    return labelled[np.lexsort((chance, groups, of_group[groups]))]


def _described(one: Forecast) -> dict[str, Any]:
    return {
        "rows": one.rows,
        "accuracy": one.accuracy,
        "accuracy_ci": list(one.accuracy_ci),
        "gain": one.gain,
        "gain_ci": list(one.gain_ci),
    }
