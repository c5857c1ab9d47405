"""Learning curves: what is learnt from, what is measured, and what is said of more rows."""

from __future__ import annotations

import io
import itertools
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from pipeline.cache import FeatureSet
from pipeline.errors import UsageError
from pipeline.evaluation import learning_curve as module
from pipeline.evaluation.learning_curve import LearningCurve, learning_curve
from pipeline.evaluation.learning_curve.files import print_learning_curve, write_learning_curve
from pipeline.heads import row_groups

Make = Callable[..., FeatureSet]


@pytest.fixture
def rows(make_features: Make) -> Make:
    def make(n: int, split: str) -> FeatureSet:
        """Makes noisy maps of three classes, the last of them rare."""
        draw = np.random.default_rng(n)
        labels = np.minimum(np.arange(n) % 5 // 2, 2)
        features = draw.normal(size=(n, 2, 2, 12)).astype(np.float32)
        features[np.arange(n), :, :, labels] += 0.7
        return make_features(features, labels, split=split, classes=("a", "b", "c"))

    return make


@pytest.fixture
def curve(rows: Make) -> LearningCurve:
    return learning_curve(rows(150, "train"), rows(90, "val"), head="prototype", draws=3)


def test_it_goes_from_twenty_rows_to_all_and_rises(curve: LearningCurve) -> None:
    assert (curve.sizes[0], curve.sizes[-1]) == (20, 150)
    assert (np.diff(curve.sizes) > 0).all()
    assert curve.hits.shape == (len(curve.sizes), 3, 90)
    assert (curve.hits[-1] == curve.hits[-1, 0]).all()
    assert curve.accuracy[-1] > curve.accuracy[0]
    assert (curve.band[0] <= curve.accuracy).all()
    assert (curve.band[1] >= curve.accuracy).all()


def test_a_draw_keeps_groups_together_and_classes_in_their_shares(
    rows: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    train, learnt = rows(200, "train"), []
    groups = [f"g{i // 10}" if i < 40 else "" for i in range(200)]
    train = replace(train, rows=replace(train.rows, groups=groups))
    numbers, fit = row_groups(train), module.fit_on

    def watched(data: module.TrainingData, *rest: object, **more: object) -> object:
        learnt.append(data.examples.index)
        return fit(data, *rest, **more)

    monkeypatch.setattr(module, "fit_on", watched)
    curve = learning_curve(train, rows(60, "val"), head="prototype", draws=2)
    first_draw = learnt[: len(curve.sizes)]
    assert [len(one) for one in first_draw] == curve.sizes.tolist()
    for smaller, larger in itertools.pairwise(first_draw):
        assert set(smaller) < set(larger)
    for one in learnt:
        others = np.setdiff1d(np.arange(200), one)
        assert (
            len(np.intersect1d(numbers[one], numbers[others])) <= 1
        )  # the group at the end of the beginning
        shares = np.bincount(train.labels[one], minlength=3) / len(one)
        np.testing.assert_allclose(shares, [0.4, 0.4, 0.2], atol=0.15)


def test_twice_as_many_rows_are_said_with_a_band(curve: LearningCurve) -> None:
    one = curve.forecast
    assert one.rows == 300
    assert one.accuracy_ci[0] <= one.accuracy <= one.accuracy_ci[1]
    assert one.gain_ci[0] <= one.gain <= one.gain_ci[1]
    assert 0 <= one.gain < 0.2
    assert curve.line.startswith(f"twice as many images would bring about {100 * one.gain:+.1f} points (")
    assert set(curve.of_classes) == {"a", "b", "c"}
    gains = [one.gain for one in curve.of_classes.values()]
    assert gains == sorted(gains, reverse=True)


@pytest.mark.parametrize(("learnt", "measured"), [(30, 60), (150, 0)])
def test_too_few_rows_are_refused(rows: Make, learnt: int, measured: int) -> None:
    asked = rows(60, "val")
    labels = np.where(np.arange(60) < measured, asked.labels, -1).astype(np.int32)
    asked = replace(asked, rows=replace(asked.rows, labels=labels))
    with pytest.raises(UsageError, match="takes 40 labelled training rows of two classes"):
        learning_curve(rows(learnt, "train"), asked, head="prototype")


def test_files_and_terminal_say_the_same(curve: LearningCurve, tmp_path: Path) -> None:
    folder = write_learning_curve(curve, tmp_path / "runs" / "toy" / "entry")
    record = json.loads((folder / "learning-curve.json").read_text())
    assert record["rows"] == curve.sizes.tolist()
    assert record["twice"]["gain"] == curve.forecast.gain
    assert (folder / "learning-curve.png").read_bytes().startswith(b"\x89PNG")
    assert write_learning_curve(curve, tmp_path / "runs" / "toy" / "entry") == folder
    console = Console(width=100, record=True, file=io.StringIO())
    print_learning_curve(curve, console=console)
    assert curve.line in console.export_text()
