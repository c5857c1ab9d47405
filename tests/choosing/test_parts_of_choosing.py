"""The parts: quick scores, predictions of time, ensembles and what they gain."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from pipeline.backbones.at_hand import BaseAtHand
from pipeline.cache import FeatureSet
from pipeline.cache.entries import Entry
from pipeline.choosing import quick_score as quick_score_module
from pipeline.choosing.budget import Pace
from pipeline.choosing.contender import Contender, Extracted
from pipeline.choosing.ensembles import Gain, measure_gain, select_members
from pipeline.choosing.quick_score import clearly_larger, quick_score
from pipeline.errors import UsageError
from pipeline.heads import fit_head

Make = Callable[..., FeatureSet]
BASE = BaseAtHand("mobilenet_v2", "imagenet", (150, 224))


@pytest.fixture
def rows(make_features: Make) -> Make:
    """Makes rows of three classes that overlap."""

    def make(
        n: int, *, columns: int = 6, apart: float = 1.0, seed: int = 0, split: str = "train"
    ) -> FeatureSet:
        random = np.random.default_rng(seed)
        labels = np.arange(n) % 3
        features = random.normal(size=(n, columns)) + apart * np.eye(3, columns)[labels]
        return make_features(features.astype(np.float32), labels, split=split)

    return make


@pytest.mark.parametrize("columns", [6, 40])
def test_the_quick_score_is_that_of_fits_without_each_row(
    columns: int, rows: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(quick_score_module, "PENALTIES", (1.0,))
    features = rows(24, columns=columns, apart=2.5)

    score = quick_score([features])

    # Each fit without a row is scaled without it, too, so a row at the edge may differ.
    assert score.score == pytest.approx(_left_out(features), abs=1.5 / 24)
    assert len(score.losses) == 24


def _left_out(features: FeatureSet) -> float:
    """Returns the accuracy of 24 fits, each on all rows but the one that is asked."""
    right = []
    for row in range(len(features)):
        labels = features.labels.copy()
        labels[row] = -1
        others = replace(features, rows=replace(features.rows, labels=labels))
        answers = fit_head("ridge", others).predict_proba(features)
        right.append(answers[row].argmax() == features.labels[row])
    return float(np.mean(right))


def test_better_features_score_better(rows: Make) -> None:
    weak, strong = (quick_score([rows(90, apart=apart)]) for apart in (0.5, 3.0))

    assert weak.clearly_worse(strong)
    assert not strong.clearly_worse(weak)
    assert strong.score > weak.score


def test_of_a_group_and_of_equal_images_one_row_is_scored(rows: Make) -> None:
    features = rows(30)
    groups = [f"patient {i // 3}" if i < 15 else "" for i in range(30)]
    digests = features.rows.digests.copy()
    digests[20:24] = digests[20]
    grouped = replace(features, rows=replace(features.rows, groups=groups, digests=digests))

    assert len(quick_score([grouped]).losses) == 5 + 15 - 3


def test_train_and_val_are_scored_together(rows: Make) -> None:
    assert len(quick_score([rows(30), rows(12, seed=1, split="val")]).losses) == 42


def test_too_few_classes_are_refused(rows: Make) -> None:
    with pytest.raises(UsageError, match="two classes"):
        quick_score([rows(4)])


def test_what_is_clearly_larger() -> None:
    noise = np.random.default_rng(0).normal(size=200)

    assert clearly_larger(noise + 1, noise)
    assert clearly_larger(noise + 0.5, np.roll(noise, 7))
    assert not clearly_larger(noise, np.roll(noise, 7))
    assert not clearly_larger(noise, noise)
    assert not clearly_larger(noise[:1] + 1, noise[:1])


def found(contender: Contender, *, seconds: float, computed: int, image_s: float | None) -> Extracted:
    entry = Entry(Path("cache/photos/entry"), None, "photos", "imagenet")  # type: ignore[arg-type]
    return Extracted(contender, (entry,), seconds, computed, image_s)


def test_time_is_predicted_from_what_passes_took() -> None:
    small, large = (Contender(BASE, size) for size in BASE.sizes)
    pace = Pace()
    assert pace.predicted(small, 100) is None

    pace.learn(found(small, seconds=7.0, computed=100, image_s=0.05))

    assert pace.predicted(small, 1000) == pytest.approx(2 + 50)
    assert pace.predicted(large, 1000) == pytest.approx(2 + 50 * (224 / 150) ** 2)
    assert pace.predicted(Contender(BaseAtHand("vgg16", "imagenet", (150,)), 150), 10) is None


def test_loading_is_what_it_took_when_nothing_was_new() -> None:
    contender = Contender(BASE, 150)
    pace = Pace()
    for seconds in (20.0, 3.0, 5.0):
        pace.learn(found(contender, seconds=seconds, computed=0, image_s=None))

    assert pace.fixed_s["mobilenet_v2"] == 3.0


def answers(random: np.random.Generator, labels: np.ndarray, right: float) -> np.ndarray:
    """Makes probabilities of three classes that are right for a share of rows, in rows of their own."""
    found = random.dirichlet(np.ones(3), len(labels)).astype(np.float32)
    hit = random.random(len(labels)) < right
    found[hit] = 0.2
    found[hit, labels[hit]] = 0.6
    return found


def test_an_ensemble_of_unlike_heads_gains() -> None:
    random = np.random.default_rng(0)
    labels = random.integers(0, 3, 600)
    several = np.stack([answers(random, labels, 0.7) for _ in range(6)])

    votes = select_members(several, labels)
    gain = measure_gain(several, labels, np.arange(600), seed=0)

    assert np.count_nonzero(votes) > 2
    assert gain.is_more_than_noise
    assert gain.accuracy > 0.05
    assert gain.rows == 600


def test_an_ensemble_of_one_head_many_times_gains_nothing() -> None:
    random = np.random.default_rng(0)
    labels = random.integers(0, 3, 200)
    same = np.repeat(answers(random, labels, 0.7)[None], 4, axis=0)

    assert np.count_nonzero(select_members(same, labels)) == 1
    assert not measure_gain(same, labels, np.arange(200), seed=0).is_more_than_noise


def test_of_classes_only_the_proportions_of_probabilities_count() -> None:
    random = np.random.default_rng(2)
    labels = random.integers(0, 3, 200)
    one = answers(random, labels, 0.7)

    assert select_members(np.stack([one, 2 * one]), labels).tolist() == [1, 0]


def test_a_group_is_never_selected_and_measured_on() -> None:
    random = np.random.default_rng(1)
    labels = np.repeat(random.integers(0, 3, 20), 10)
    # Each head knows some groups by heart, and nothing of any other.
    several = np.full((10, 200, 3), 1 / 3, np.float32) + 1e-4 * random.random((10, 200, 3), np.float32)
    for head in range(10):
        known = slice(20 * head, 20 * head + 20)
        several[head, known] = np.eye(3, dtype=np.float32)[labels[known]]

    single = measure_gain(several, labels, np.arange(200), seed=0)
    grouped = measure_gain(several, labels, np.repeat(np.arange(20), 10), seed=0)

    assert single.rows == grouped.rows == 200
    assert grouped.won + grouped.lost <= 200


@pytest.mark.parametrize(
    ("won", "lost", "more"), [(0, 0, False), (5, 3, False), (6, 0, True), (3, 30, False)]
)
def test_what_is_more_than_noise(won: int, lost: int, more: bool) -> None:
    assert Gain(won, lost, 100).is_more_than_noise == more
