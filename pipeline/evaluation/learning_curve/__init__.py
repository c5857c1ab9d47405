"""Learning curves: the figure of a head at more and more training rows, and what still more would bring."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from pipeline.cache import FeatureSet
from pipeline.errors import UsageError
from pipeline.evaluation.learning_curve.figure import CurveFigure
from pipeline.evaluation.learning_curve.measured import Errors, Measured, MeasuredClasses, measured_of
from pipeline.evaluation.learning_curve.orders import draw_order
from pipeline.evaluation.learning_curve.power_law import PowerLaw, fit_power_law
from pipeline.evaluation.metrics import CONFIDENCE
from pipeline.evaluation.pooled import note_on_channels, pooled_images
from pipeline.heads import TrainingData, fit_on, keep_labels, row_groups
from pipeline.heads._core.examples import select_all
from pipeline.images.targets import CLASS, NOUNS, NUMBER, count_targets
from pipeline.progress import progress, say
from pipeline.wording import counted

FEWEST = 20
"""Training rows at which a curve begins; two a class or label where that is more."""
SIZES = 10
DRAWS = 6
ENDS = ((1 - CONFIDENCE) / 2, (1 + CONFIDENCE) / 2)


@dataclass(frozen=True)
class Forecast:
    """What so many training rows would bring, with 95 % bands.

    Attributes:
        rows: Training rows.
        value: The figure there: accuracy, mean average precision, or R2.
        value_ci: Its band.
        gain: How much more that is than now.
        gain_ci: Its band.
    """

    rows: int
    value: float
    value_ci: tuple[float, float]
    gain: float
    gain_ci: tuple[float, float]

    @property
    def accuracy(self) -> float:
        """What ``value`` is where images have classes."""
        return self.value

    @property
    def accuracy_ci(self) -> tuple[float, float]:
        """What ``value_ci`` is the band of where images have classes."""
        return self.value_ci


@dataclass(frozen=True, eq=False, kw_only=True)
class LearningCurve:
    """A head measured on the same rows after learning from more and more others.

    Attributes:
        head: Name of the head.
        dataset: Name of the data set.
        classes: k names of the classes, labels or numbers.
        split: What it was measured on.
        sizes: int (s,), training rows, ascending; the last is all.
        measured: What the fits came to; all draws of the last size are the same fit.
        class_rows: int (k,), training rows of each class or label, or in which each number is known.
    """

    head: str
    dataset: str
    classes: tuple[str, ...]
    split: str
    sizes: np.ndarray
    measured: Measured
    class_rows: np.ndarray
    _errors: dict[int | None, Errors] = field(default_factory=dict, init=False, repr=False)

    @property
    def figure(self) -> CurveFigure:
        """What is measured."""
        return self.measured.figure

    @property
    def value(self) -> np.ndarray:
        """Mean figure at each size, float (s,)."""
        return self.measured.mean

    @property
    def by_draw(self) -> np.ndarray:
        """Figure of each draw, float (s, draws)."""
        return self.measured.by_draw

    @property
    def accuracy(self) -> np.ndarray:
        """What ``value`` is where images have classes, float (s,)."""
        return self._of_classes.mean

    @property
    def hits(self) -> np.ndarray:
        """Right answers, bool (s, draws, m), where images have classes."""
        return self._of_classes.hits

    @cached_property
    def band(self) -> np.ndarray:
        """Ends of the 95 % interval of the figure at each size, over draws and measured rows, (2, s)."""
        return 1 - np.quantile(self._errors_of(None).resampled, ENDS[::-1], axis=0)

    @cached_property
    def law(self) -> PowerLaw:
        """The law through the mean errors."""
        return fit_power_law(self.sizes, 1 - self.value, self._weights(self._errors_of(None)))

    def at(self, rows: int, part: int | None = None) -> Forecast:
        """Forecasts the figure, over all or of one class, label or number, after learning from so many rows.

        Every resample of draws and of measured rows (of whole groups) gets a law of its own; the band of the
        figure has what a single draw of training rows strays on top.
        """
        errors, least = self._errors_of(part), self.figure.least
        weights, variance = self._weights(errors), self._draw_variance(errors.by_draw)
        law = fit_power_law(self.sizes, errors.by_draw.mean(axis=1), weights)
        laws = fit_power_law(self.sizes, errors.resampled, weights)
        now, then = (laws.at(n, most=1 - least)[:, 0] for n in (self.sizes[-1], rows))
        own_now, own_then = (float(law.at(n, most=1 - least)[0]) for n in (self.sizes[-1], rows))
        random = np.random.default_rng(rows)
        strayed = then + random.normal(size=len(then)) * np.sqrt(variance / rows)
        low, high = np.quantile(1 - strayed, ENDS).clip(least, 1).tolist()
        gain = np.quantile(now - then, ENDS).tolist()
        return Forecast(rows, 1 - own_then, (low, high), own_now - own_then, (gain[0], gain[1]))

    @cached_property
    def forecast(self) -> Forecast:
        """What twice as many rows would bring."""
        return self.at(2 * int(self.sizes[-1]))

    @cached_property
    def of_classes(self) -> dict[str, Forecast]:
        """What twice as many rows would bring each class, label or number, the most gain first.

        It takes ten measured rows of one, and some to learn it from.
        """
        enough = [part for part in self.measured.parts() if self.class_rows[part] > 0]
        found = {self.classes[part]: self.at(2 * int(self.sizes[-1]), part) for part in enough}
        return dict(sorted(found.items(), key=lambda item: -item[1].gain))

    @property
    def line(self) -> str:
        """The forecast in words."""
        one, figure = self.forecast, self.figure
        name = "" if figure.is_share else f"{figure.words} "
        return (
            f"twice as many images would bring about {figure.written_gain(one.gain, one.gain_ci)}: "
            f"{name}{figure.written(one.value)} at {counted(one.rows, 'row')}"
        )

    def to_json(self) -> dict[str, Any]:
        """Returns the object that ``pipeline learning-curve --json`` prints."""
        law, figure = self.law, self.figure
        noun = NOUNS[figure.kind]
        return {
            "head": self.head,
            "dataset": self.dataset,
            "split": self.split,
            "n": self.measured.rows,
            "rows": self.sizes.tolist(),
            figure.name: self.value.tolist(),
            f"{figure.name}_low": self.band[0].tolist(),
            f"{figure.name}_high": self.band[1].tolist(),
            "by_draw": self.by_draw.tolist(),
            "law": {"floor": float(law.floor), "scale": float(law.scale), "rate": float(law.rate)},
            "twice": self._described(self.forecast),
            figure.parts: [{noun: name, **self._described(one)} for name, one in self.of_classes.items()],
        }

    def _described(self, one: Forecast) -> dict[str, Any]:
        return {
            "rows": one.rows,
            self.figure.name: one.value,
            f"{self.figure.name}_ci": list(one.value_ci),
            "gain": one.gain,
            "gain_ci": list(one.gain_ci),
        }

    @property
    def _of_classes(self) -> MeasuredClasses:
        if not isinstance(self.measured, MeasuredClasses):
            raise UsageError(
                f"a curve of {self.figure.parts} tells no accuracy, but {self.figure.words}: take its `value`"
            )
        return self.measured

    def _errors_of(self, part: int | None) -> Errors:
        if part not in self._errors:
            self._errors[part] = self.measured.errors(part)
        return self._errors[part]

    def _draw_variance(self, by_draw: np.ndarray) -> float:
        """Returns the variance of a draw's error times its rows: all draws of the last size are one."""
        return self.figure.middle(by_draw[:-1].var(axis=1, ddof=1) * self.sizes[:-1])

    def _weights(self, errors: Errors) -> np.ndarray:
        """Returns what each size counts: one by the variance over draws and over measured rows."""
        of_draws = self._draw_variance(errors.by_draw) / self.sizes / errors.by_draw.shape[1]
        return 1 / (of_draws + errors.of_rows)


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

    A draw is one order of all rows, stratified by class, by labels or by quantile bins of numbers, whole
    groups together; the head learns from the first 20 rows of it, from more, and so on. Features are averaged
    over their positions.

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
    for note in note_on_channels(train):
        say(f"note: {note}")
    train, measured = pooled_images(train), pooled_images(measured)
    asked, known, first = select_all(measured), np.flatnonzero(train.known), _fewest(train)
    if len(known) < 2 * first or not _can_be_learnt(train) or not len(asked):
        raise UsageError(
            f"a learning curve takes {counted(2 * first, 'labelled training row')}{_of_what(train)}, "
            f"and labelled rows to measure on: there are {len(known):,} and {len(asked):,}"
        )
    sizes = np.unique(np.geomspace(first, len(known), SIZES).round().astype(int))
    random = np.random.default_rng(seed)
    found = measured_of(asked, row_groups(measured)[asked.index], len(sizes), draws)
    with progress("learning curve", (len(sizes) - 1) * draws + 1, "fits") as advance:
        for draw in range(draws):
            order = draw_order(train, known, random)
            for place, size in enumerate(sizes):
                if draw and place == len(sizes) - 1:
                    found.repeat(place, draw)
                    continue
                data = TrainingData.of(keep_labels(train, order[:size]))
                found.record(place, draw, fit_on(data, head, options=options, seed=seed).answer(asked))
                advance(1)
    return LearningCurve(
        head=head,
        dataset=train.dataset,
        classes=train.classes,
        split=measured.split,
        sizes=sizes,
        measured=found,
        class_rows=_counts(train),
    )


def _counts(train: FeatureSet) -> np.ndarray:
    """Returns the rows of each class or label, or in which each number is known, int (k,)."""
    if train.target == CLASS:
        return np.bincount(train.labels[train.known], minlength=len(train.classes))
    return count_targets(train.targets, train.target)[0]


def _fewest(train: FeatureSet) -> int:
    """Returns at how many rows a curve begins: numbers have no classes to tell apart."""
    return FEWEST if train.target == NUMBER else max(FEWEST, 2 * int((_counts(train) > 0).sum()))


def _can_be_learnt(train: FeatureSet) -> bool:
    return int((_counts(train) > 0).sum()) >= (2 if train.target == CLASS else 1)


def _of_what(train: FeatureSet) -> str:
    return " of two classes" if train.target == CLASS else ""
