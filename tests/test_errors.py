"""Errors: each kind with its exit code, and messages that name the way out."""

from __future__ import annotations

import pytest

from pipeline.errors import (
    CacheMismatchError,
    PipelineError,
    UnreadableImagesError,
    UsageError,
    unknown,
)


@pytest.mark.parametrize(
    ("kind", "code"),
    [(PipelineError, 1), (UsageError, 2), (UnreadableImagesError, 3), (CacheMismatchError, 4)],
)
def test_each_kind_has_its_exit_code(kind: type[PipelineError], code: int) -> None:
    assert kind("message").exit_code == code
    assert issubclass(kind, PipelineError)


def test_a_near_name_is_suggested() -> None:
    error = unknown("head", "logrg", ["dense", "logreg"], next_step="Run `pipeline heads`")
    assert isinstance(error, UsageError)
    assert str(error) == (
        "unknown head 'logrg' (did you mean 'logreg'?): choose from dense, logreg. Run `pipeline heads`"
    )


def test_a_far_name_is_not() -> None:
    assert str(unknown("head", "zzz", iter(["a", "b"]))) == "unknown head 'zzz': choose from a, b"


@pytest.mark.parametrize("value", ["", "\n", "\udcff", "x" * 1000])
def test_odd_values_are_quoted(value: str) -> None:
    assert repr(value) in str(unknown("layer", value, ["block1_pool"]))
