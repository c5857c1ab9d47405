from __future__ import annotations

import functools
import math

import numpy as np
import pytest
from sklearn import metrics as sk

from pipeline.errors import PipelineError, UsageError
from pipeline.evaluation.figures import Figures
from pipeline.evaluation.metrics import measure, wilson_interval

EXACT = {"rel": 0, "abs": 1e-12}


def names(k: int) -> list[str]:
    return [f"class{i}" for i in range(k)]


@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.float16])
@pytest.mark.parametrize(("k", "n"), [(2, 1), (2, 2), (2, 300), (3, 40), (10, 500), (50, 60), (200, 90)])
def test_every_figure_agrees_with_scikit_learn(predict, k, n, dtype):
    labels, probabilities = predict(k, n, dtype=dtype)
    figures = measure(labels, probabilities, names(k))
    predicted = probabilities.argmax(axis=1)
    scaled = probabilities.astype(np.float64)
    scaled /= scaled.sum(axis=1, keepdims=True)
    every, present = np.arange(k), np.unique(labels)

    assert figures.n == n
    assert figures.accuracy == pytest.approx(sk.accuracy_score(labels, predicted), **EXACT)
    macro = sk.f1_score(labels, predicted, labels=present, average="macro", zero_division=0)
    assert figures.macro_f1 == pytest.approx(macro, **EXACT)
    recall = sk.recall_score(labels, predicted, labels=present, average="macro")
    assert figures.balanced_accuracy == pytest.approx(recall, **EXACT)
    assert figures.log_loss == pytest.approx(sk.log_loss(labels, scaled, labels=every), **EXACT)
    np.testing.assert_array_equal(figures.confusion, sk.confusion_matrix(labels, predicted, labels=every))
    columns = sk.precision_recall_fscore_support(labels, predicted, labels=every, zero_division=0)
    ours = [(one.precision, one.recall, one.f1, one.support) for one in figures.per_class]
    np.testing.assert_allclose(np.array(ours).T, columns, rtol=0, atol=1e-12)


def test_balanced_accuracy_is_that_of_scikit_learn_where_it_is_defined(predict):
    labels, probabilities = predict(4, 200)
    expected = sk.balanced_accuracy_score(labels, probabilities.argmax(axis=1))
    assert measure(labels, probabilities, names(4)).balanced_accuracy == pytest.approx(expected, **EXACT)


@pytest.fixture
def by_hand() -> Figures:
    """Four classes: b is never predicted, c is absent from the truth, d lost its label."""
    labels = np.array([0, 0, 0, 1, -1])
    probabilities = np.array(
        [[0.5, 0.2, 0.2, 0.1], [0.7, 0.1, 0.1, 0.1], [0.2, 0.2, 0.5, 0.1], [0.4, 0.3, 0.2, 0.1], [0, 0, 0, 1]]
    )
    return measure(labels, probabilities, "abcd")


def test_figures_computed_by_hand(by_hand):
    assert (by_hand.n, by_hand.unlabelled) == (4, 1)
    assert by_hand.accuracy == 2 / 4
    assert by_hand.balanced_accuracy == pytest.approx((2 / 3 + 0) / 2, **EXACT)
    assert by_hand.macro_f1 == pytest.approx((2 * 2 / (3 + 3) + 0) / 2, **EXACT)
    assert by_hand.log_loss == pytest.approx(-math.log(0.5 * 0.7 * 0.2 * 0.3) / 4, **EXACT)
    assert by_hand.confusion.tolist() == [[2, 0, 1, 0], [1, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]]
    assert by_hand.confusion.dtype.kind == "i"
    assert by_hand.classes == tuple("abcd")


def test_absent_and_never_predicted_classes_have_zeros_and_say_why(by_hand):
    _, never_predicted, absent, neither = by_hand.per_class
    assert (never_predicted.precision, never_predicted.support, never_predicted.predicted) == (0, 1, 0)
    assert (absent.recall, absent.f1, absent.support, absent.predicted) == (0, 0, 0, 1)
    assert (neither.f1, neither.support, neither.predicted) == (0, 0, 0)


def test_headline_rests_on_the_labelled_rows(by_hand):
    assert by_hand.headline == "accuracy 50.00% (95% interval 15.00% to 85.00%), n = 4"


def test_a_single_row():
    figures = measure(np.array([1]), np.array([[0.25, 0.75]]), names(2))
    assert (figures.accuracy, figures.balanced_accuracy, figures.macro_f1) == (1, 1, 1)
    assert figures.log_loss == pytest.approx(-math.log(0.75), **EXACT)


def test_probability_zero_of_the_true_class_costs_much_but_not_infinitely_much():
    figures = measure(np.array([0, 1]), np.array([[0, 1], [0, 1]], np.float32), names(2))
    assert figures.log_loss == pytest.approx(-math.log(np.finfo(np.float64).eps) / 2, **EXACT)


def test_rows_that_do_not_quite_sum_to_one_are_scaled():
    odd = np.array([[0.2, 0.6], [3, 1]], np.float32)
    figures = measure(np.array([1, 0]), odd, names(2))
    assert figures.log_loss == pytest.approx(-math.log(0.75), abs=1e-7)


@pytest.mark.parametrize("labels", [[], [-1, -1]])
def test_no_label_at_all_is_one_clear_line(labels):
    with pytest.raises(UsageError, match=f"none of the {len(labels)} rows has a label") as caught:
        measure(np.array(labels, np.int32), np.full((len(labels), 2), 0.5), names(2))
    assert "\n" not in str(caught.value)


def test_one_class_is_refused():
    with pytest.raises(UsageError, match="at least two classes"):
        measure(np.array([0]), np.ones((1, 1)), names(1))


@pytest.mark.parametrize("bad", [[np.nan, 0.5], [np.inf, 0], [0, 0], [-1, 2]])
def test_what_is_no_probability_is_named(bad):
    with pytest.raises(PipelineError, match=r"no probabilities for 1 of 2 rows .* train-head"):
        measure(np.array([0, 1]), np.array([[0.5, 0.5], bad]), names(2))


@pytest.mark.parametrize(
    ("labels", "shape"), [([0, 1], (2, 3)), ([0], (2, 2)), ([2], (1, 2)), ([-2, 0], (2, 2))]
)
def test_what_does_not_belong_together_is_refused(labels, shape):
    with pytest.raises(ValueError, match="classes"):
        measure(np.array(labels), np.full(shape, 0.5), names(2))


@pytest.mark.parametrize(("correct", "n"), [(0, 1), (1, 1), (0, 50), (50, 50), (17, 20), (9_712, 10_000)])
def test_wilson_interval_is_the_one_of_the_paper(correct, n):
    z, share = 1.959963984540054, correct / n
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n))
    low, high = wilson_interval(correct, n)
    assert (low, high) == pytest.approx((middle - half, middle + half), **EXACT)
    assert 0 <= low <= share <= high <= 1


@pytest.mark.parametrize(("share", "n"), [(0.5, 100), (0.8, 250), (0.9, 1000), (0.97, 400)])
def test_wilson_interval_covers_the_truth_95_times_of_100(share, n):
    interval = functools.cache(wilson_interval)
    draws = np.random.default_rng(0).binomial(n, share, 4000).tolist()
    covered = np.mean([interval(draw, n)[0] <= share <= interval(draw, n)[1] for draw in draws])
    assert 0.93 <= covered <= 0.97


@pytest.mark.parametrize(("share", "n"), [(0.5, 200), (0.8, 500)])
def test_a_second_split_falls_inside_the_interval_of_the_first_about_83_times_of_100(share, n):
    """What the report page and docs/figures.md say of an interval."""
    interval = functools.cache(wilson_interval)
    first, second = np.random.default_rng(1).binomial(n, share, (2, 4000)).tolist()
    pairs = zip(first, second, strict=True)
    inside = np.mean([interval(one, n)[0] <= other / n <= interval(one, n)[1] for one, other in pairs])
    assert 0.80 <= inside <= 0.87
