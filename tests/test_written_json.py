"""JSON as it is written: what every reader understands, and nothing else."""

from __future__ import annotations

import json

import numpy as np
import pytest

from pipeline.plain_json import json_text


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (float("nan"), None),
        ([1.5, float("inf"), (float("-inf"), 0)], [1.5, None, [None, 0]]),
        (np.int64(3), 3),
        (np.float32("nan"), None),
        (np.array([[1, 2]]), [[1, 2]]),
        ({"a": np.bool_(True), "b": {"c": np.float64(0.5)}}, {"a": True, "b": {"c": 0.5}}),
    ],
)
def test_every_reader_understands_it(value, expected):
    assert json.loads(json_text(value), parse_constant=pytest.fail) == expected


def test_what_json_does_not_know_is_refused():
    with pytest.raises(TypeError):
        json_text({"a": object()})
