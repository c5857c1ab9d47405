"""Averages over positions: where they tell little it is said."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from pipeline.cache import FeatureSet
from pipeline.evaluation.pooled import FEWEST_CHANNELS, note_on_channels


@pytest.mark.parametrize(
    ("shape", "told"),
    [((4, 4, 3), True), ((3,), False), ((4, 4, FEWEST_CHANNELS), False)],
)
def test_maps_of_few_channels_tell_little_once_they_are_averaged(
    shape: tuple[int, ...], told: bool, make_features: Callable[..., FeatureSet]
) -> None:
    features = make_features(np.zeros((2, *shape), np.float16), np.zeros(2, int))
    notes = note_on_channels(features)
    assert bool(notes) == told
    assert all("3 channels" in note and "averaged" in note for note in notes)
