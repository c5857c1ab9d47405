"""Candidates: grids are spanned, checked and told apart."""

from __future__ import annotations

import pytest

from pipeline.errors import UsageError
from pipeline.sweeps.candidates import PRESETS, Candidate, candidates, parse_grid, preset


def test_a_grid_is_every_combination_in_order() -> None:
    found = candidates([("logreg", {"C": ["0.1", "1"], "max_iter": ["5", "6"]}), ("prototype", {})])
    assert [one.label for one in found] == [
        "logreg C=0.1 max_iter=5",
        "logreg C=0.1 max_iter=6",
        "logreg C=1 max_iter=5",
        "logreg C=1 max_iter=6",
        "prototype",
    ]
    assert len({one.key for one in found}) == 5


def test_what_is_named_twice_is_compared_once() -> None:
    assert len(candidates([("knn", {"k": ["1", "1"]}), ("knn", {"k": ["1"]})])) == 1


def test_a_key_does_not_depend_on_the_order_of_options() -> None:
    assert Candidate("a", {"x": "1", "y": "2"}).key == Candidate("a", {"y": "2", "x": "1"}).key


@pytest.mark.parametrize(
    ("grids", "message"),
    [
        ([], "nothing to compare: give --head NAME"),
        ([("logrec", {})], r"unknown head 'logrec' \(did you mean 'logreg'\?\)"),
        ([("knn", {"C": ["1"]})], "unknown option of head 'knn', 'C'"),
        ([("knn", {"k": ["none"]})], "option k=none of head 'knn' must be int at least 1"),
    ],
)
def test_what_cannot_be_made_is_refused_before_anything_is_fitted(grids: list, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        candidates(grids)


@pytest.mark.parametrize("name", PRESETS)
def test_presets_hold_heads_that_exist(name: str) -> None:
    assert len(preset(name)) > 5


def test_an_unknown_preset_is_refused() -> None:
    with pytest.raises(UsageError, match=r"unknown preset .quik.*quick, full"):
        preset("quik")


@pytest.mark.parametrize("text", ["C", "C=", "=1", "C=1,,2"])
def test_a_grid_of_another_form_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="is not OPTION=V1,V2"):
        parse_grid(text)
