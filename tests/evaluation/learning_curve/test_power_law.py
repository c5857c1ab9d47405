"""The power law: a known one is found again, for many resamples at once."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.evaluation.learning_curve.power_law import fit_power_law

ROWS = np.geomspace(20, 2000, 10)


@pytest.mark.parametrize(("floor", "scale", "rate"), [(0.03, 1.2, 0.5), (0.0, 0.8, 0.3), (0.1, 0.0, 0.5)])
def test_a_law_is_found_again_and_goes_on(floor: float, scale: float, rate: float) -> None:
    law = fit_power_law(ROWS, floor + scale * ROWS**-rate, np.ones(10))
    assert law.at(8000.0)[0] == pytest.approx(floor + scale * 8000**-rate, abs=1e-6)


def test_many_are_fitted_as_each_by_itself() -> None:
    random = np.random.default_rng(0)
    errors = 0.05 + ROWS**-0.5 + random.normal(0, 0.02, (7, 10))
    together = fit_power_law(ROWS, errors, ROWS).at(4000.0)
    alone = [fit_power_law(ROWS, one, ROWS).at(4000.0) for one in errors]
    np.testing.assert_allclose(together, alone)


def test_errors_that_grow_are_no_law_that_falls_below_zero() -> None:
    law = fit_power_law(ROWS, np.linspace(0.1, 0.2, 10), np.ones(10))
    assert law.scale == 0
    assert law.at(1e6)[0] == pytest.approx(0.15)
    assert fit_power_law(ROWS, 0.5 - 0.05 * np.arange(10), np.ones(10)).floor >= 0
