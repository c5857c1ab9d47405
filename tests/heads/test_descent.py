"""Steps that are taken a block at a time are those of one row after the other."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import SGDClassifier

from pipeline.heads._sklearn import descent
from pipeline.heads._sklearn.descent import LogisticDescent


@pytest.mark.parametrize("block", [1, 2, 7, 64, 1000])
@pytest.mark.parametrize(
    ("classes", "alpha", "rate"), [(2, 1e-5, 0.1), (3, 1e-3, 0.1), (3, 1.0, 0.5), (3, 20.0, 0.1)]
)
def test_steps_are_those_of_sklearn(
    classes: int, alpha: float, rate: float, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(descent, "BLOCK", block)
    random = np.random.default_rng(0)
    labels = random.integers(0, classes, 150)
    rows = (random.normal(size=(150, 12)) + 0.5 * labels[:, None]).astype(np.float32)
    weights = random.uniform(0.5, 2, 150)
    of_scores = np.arange(classes) if classes > 2 else np.array([1])

    ours = LogisticDescent(12, len(of_scores), alpha, rate)
    order = np.concatenate([random.permutation(150) for _ in range(3)])
    for part in np.array_split(order, 4):
        ours.learn(rows, part, labels[part, None] == of_scores, weights[part])

    # All steps in one call, because between calls it forgets the bias; in double precision, because a strong
    # penalty makes it rescale its coefficients at every step.
    direct = SGDClassifier(alpha=alpha, loss="log_loss", learning_rate="constant", eta0=rate, average=True)
    direct.set_params(shuffle=False)
    direct.partial_fit(rows[order].astype(np.float64), labels[order], np.arange(classes), weights[order])
    assert ours.coef == pytest.approx(direct.coef_, abs=1e-4)
    assert ours.intercept == pytest.approx(direct.intercept_, abs=1e-4)
