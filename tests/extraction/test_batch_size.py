"""How many images go through the base at once: as asked for, else the fastest of a few that fit."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from types import SimpleNamespace

import numpy as np
import pytest
from counting_engine import BACKBONE

from pipeline.extraction import precision
from pipeline.extraction.engines import BatchTooLargeError
from pipeline.extraction.precision import DEFAULT_BATCH, WORTHWHILE_ROWS, settle_batch_size
from pipeline.extraction.request import FeatureRequest

REQUEST = FeatureRequest(**BACKBONE)
PAGE = 4096
Free = Callable[[int], None]


@pytest.fixture
def free(monkeypatch: pytest.MonkeyPatch) -> Free:
    """Says how many images fit the share of the free memory that a batch may take; at first a million."""

    def set_free(images: int) -> None:
        monkeypatch.setattr(precision, "available_bytes", lambda: 4 * images * PAGE)

    set_free(10**6)
    return set_free


def settled(
    rates: Mapping[int, float], monkeypatch: pytest.MonkeyPatch, *, rows: int = WORTHWHILE_ROWS
) -> tuple[int, list[int]]:
    """Returns the batch size, and what was timed; a size without a rate does not fit the memory."""
    timed = []

    def images_per_second(engine: object, image_size: int, batch_size: int, *, trials: int) -> float:
        timed.append(batch_size)
        if batch_size not in rates:
            raise BatchTooLargeError
        return rates[batch_size]

    monkeypatch.setattr(precision, "_images_per_second", images_per_second)
    return settle_batch_size(REQUEST, SimpleNamespace(bytes_per_image=PAGE), rows), timed


@pytest.mark.parametrize(
    ("rates", "chosen", "timed"),
    [
        ({16: 10, 32: 11, 64: 12, 128: 13}, 128, [16, 32, 64, 128]),
        ({16: 10, 32: 11, 64: 11.3, 128: 99}, 32, [16, 32, 64]),  # not worth its memory
        ({16: 10, 32: 10.3, 64: 9, 128: 9}, 32, [16, 32, 64]),
        ({16: 10, 32: 11}, 32, [16, 32, 64]),
        ({}, 16, [16]),
    ],
)
def test_a_larger_batch_must_be_worth_it(
    rates: Mapping[int, float], chosen: int, timed: list[int], free: Free, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert settled(rates, monkeypatch) == (chosen, timed)


@pytest.mark.parametrize(("images", "chosen"), [(1, 16), (31, 16), (32, 32), (127, 64), (128, 128)])
def test_what_the_free_memory_does_not_hold_is_not_tried(
    images: int, chosen: int, free: Free, monkeypatch: pytest.MonkeyPatch
) -> None:
    free(images)
    assert settled({16: 10, 32: 20, 64: 30, 128: 40}, monkeypatch)[0] == chosen


@pytest.mark.parametrize(("images", "chosen"), [(0, 1), (5, 5), (DEFAULT_BATCH + 1, DEFAULT_BATCH)])
def test_few_rows_are_not_timed(
    images: int, chosen: int, free: Free, monkeypatch: pytest.MonkeyPatch
) -> None:
    free(images)
    assert settled({}, monkeypatch, rows=WORTHWHILE_ROWS - 1) == (chosen, [])


def test_a_size_that_is_asked_for_stays() -> None:
    assert settle_batch_size(FeatureRequest(**BACKBONE, batch_size=7), None, 10**6) == 7


def test_pixels_are_not_timed(free: Free) -> None:
    request = FeatureRequest(backbone="pixels", image_size=8)
    assert settle_batch_size(request, SimpleNamespace(bytes_per_image=1), 10**6) == DEFAULT_BATCH


def test_the_best_trial_counts_after_one_that_warms_up(monkeypatch: pytest.MonkeyPatch) -> None:
    seconds = iter([50.0, 4.0, 2.0, 8.0])
    now = 0.0

    def fetch(images: np.ndarray) -> None:
        nonlocal now
        assert (images.shape, images.dtype) == ((16, 8, 8, 3), np.uint8)
        now += next(seconds)

    monkeypatch.setattr(time, "perf_counter", lambda: now)
    engine = SimpleNamespace(submit=lambda images: images, fetch=fetch)
    assert precision._images_per_second(engine, 8, 16, trials=3) == 16 / 2.0
