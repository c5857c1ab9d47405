"""``auto`` takes what measures fastest; int8 never."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from counting_engine import BACKBONE

from pipeline.backbones.weights import Weights, resolve_weights
from pipeline.errors import UsageError
from pipeline.extraction import fastest
from pipeline.extraction.engines import BatchTooLargeError
from pipeline.extraction.engines import openvino as openvino_engine
from pipeline.extraction.fastest import (
    BATCHES,
    DEFAULT_BATCH,
    FEW_ROWS,
    WORTHWHILE_ROWS,
    forward_rate,
    settle_batch_size,
    settle_engine,
)
from pipeline.extraction.measurements import Measurements
from pipeline.extraction.request import FeatureRequest

RANDOM = resolve_weights("vgg16", "random", 32)
AUTO = replace(FeatureRequest(**BACKBONE), engine="auto")
PAGE = 4096
Figures = dict[tuple[str, str], float]
Free = Callable[[int], None]


@pytest.fixture
def rates(monkeypatch: pytest.MonkeyPatch) -> Figures:
    """Images per second of each engine and arithmetic, 0 where it cannot run; nothing is loaded."""
    figures = {("openvino", "float32"): 11.0, ("openvino", "bfloat16"): 20.0, ("keras", "float32"): 10.0}

    def load(request: FeatureRequest, weights: Weights) -> tuple[str, str]:
        if not figures[request.engine, request.precision]:
            raise UsageError(f"{request.engine} cannot run it")
        return request.engine, request.precision

    for name in ("keras", "openvino"):
        known = [precision for owner, precision in figures if owner == name]
        monkeypatch.setattr(f"pipeline.extraction.engines.{name}.load", load)
        monkeypatch.setattr(f"pipeline.extraction.engines.{name}.precisions", lambda known=known: known)
    monkeypatch.setattr(fastest, "forward_rate", lambda engine, *_, **__: figures[engine])
    monkeypatch.setattr(fastest, "gpus", list)
    return figures


@pytest.fixture
def chosen(tmp_path: Path) -> Callable[..., tuple[str, str, Mapping[str, float]]]:
    """Settles a request, and returns engine, arithmetic and what was measured."""

    def settle(
        request: FeatureRequest, *, rows: int = WORTHWHILE_ROWS, cache: str = ""
    ) -> tuple[str, str, Mapping[str, float]]:
        folder = tmp_path / cache if cache else tmp_path / str(time.perf_counter_ns())
        measurements = Measurements(folder, request.specs(RANDOM), dict, forget=request.remeasure)
        settled, measured = settle_engine(request, RANDOM, measurements, rows=rows)
        return settled.engine, settled.precision, measured

    return settle


Chosen = Callable[..., tuple[str, str, Mapping[str, float]]]


def test_the_fastest_pair_is_taken(rates: Figures, chosen: Chosen) -> None:
    engine, precision, measured = chosen(AUTO)
    assert (engine, precision) == ("openvino", "bfloat16")
    assert measured == {"openvino float32": 11.0, "openvino bfloat16": 20.0, "keras float32": 10.0}
    rates["keras", "float32"] = 21.0
    assert chosen(AUTO)[:2] == ("keras", "float32")


def test_it_is_the_default() -> None:
    assert FeatureRequest().engine == FeatureRequest().precision == "auto"


def test_what_was_named_stays(rates: Figures, chosen: Chosen) -> None:
    rates["keras", "float32"] = 15.0
    assert chosen(replace(AUTO, precision="float32"))[:2] == ("keras", "float32")
    assert chosen(replace(AUTO, engine="openvino"))[2] == {"float32": 11.0, "bfloat16": 20.0}
    assert chosen(replace(AUTO, engine="keras")) == ("keras", "float32", {})


def test_int8_is_for_the_one_engine_that_has_it(rates: Figures, chosen: Chosen) -> None:
    assert chosen(replace(AUTO, precision="int8")) == ("openvino", "int8", {})


def test_what_was_measured_is_not_measured_again(rates: Figures, chosen: Chosen) -> None:
    before = chosen(AUTO, cache="known")
    rates["keras", "float32"] = 99.0
    assert chosen(AUTO, cache="known") == before
    assert chosen(replace(AUTO, precision="float32"), cache="known")[0] == "keras"  # another question
    assert chosen(replace(AUTO, remeasure=True), cache="known")[0] == "keras"
    assert chosen(AUTO, cache="known")[0] == "keras"


@pytest.mark.parametrize(("gpus", "engine"), [([], "openvino"), (["A GPU"], "keras")])
def test_few_rows_take_the_first_engine_and_that_is_not_remembered(
    gpus: list[str], engine: str, rates: Figures, chosen: Chosen, monkeypatch: pytest.MonkeyPatch
) -> None:
    rates["keras", "float32"] = 15.0
    monkeypatch.setattr(fastest, "gpus", lambda: gpus)
    assert chosen(AUTO, rows=WORTHWHILE_ROWS - 1, cache="few")[0] == engine
    assert len(chosen(AUTO, cache="few")[2]) == 3


@pytest.mark.parametrize("rows", [1, WORTHWHILE_ROWS])
def test_an_engine_that_cannot_run_the_base_gives_way_and_is_named(
    rows: int, rates: Figures, chosen: Chosen, capsys: pytest.CaptureFixture[str]
) -> None:
    rates["openvino", "float32"] = rates["openvino", "bfloat16"] = 0.0
    assert chosen(AUTO, rows=rows)[:2] == ("keras", "float32")
    assert "note: openvino cannot run it. Going on without openvino" in capsys.readouterr().err
    rates["keras", "float32"] = 0.0
    with pytest.raises(UsageError, match="keras cannot run it"):
        chosen(AUTO, rows=rows)
    with pytest.raises(UsageError, match="openvino cannot run it"):
        chosen(replace(AUTO, engine="openvino"), rows=rows)


@pytest.mark.parametrize("broken", [None, "a library is missing"])
def test_without_openvino_keras_goes_on(
    broken: str | None, rates: Figures, chosen: Chosen, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    if broken:
        (tmp_path / "openvino.py").write_text(f"raise ImportError({broken!r})")
        monkeypatch.syspath_prepend(tmp_path)
        monkeypatch.delitem(sys.modules, "openvino", raising=False)
    else:
        monkeypatch.setitem(sys.modules, "openvino", None)
    monkeypatch.setattr(openvino_engine, "precisions", REAL_PRECISIONS)
    assert chosen(AUTO)[:2] == ("keras", "float32")
    with pytest.raises(UsageError, match=f"needs the package openvino.*{broken or ''}.*--engine keras"):
        chosen(replace(AUTO, engine="openvino"))


REAL_PRECISIONS = openvino_engine.precisions


def test_int8_is_never_offered() -> None:
    assert set(openvino_engine.precisions()) <= {"float32", "bfloat16"}


class Timed:
    """An engine that takes a given time, or does not fit, for each batch size; it has a clock of its own."""

    ahead, bytes_per_image = 1, PAGE

    def __init__(self, rates: Mapping[int, float], monkeypatch: pytest.MonkeyPatch) -> None:
        self.rates, self.now, self.tried = rates, 0.0, list[int]()
        monkeypatch.setattr(fastest.time, "perf_counter", lambda: self.now)

    def submit(self, images: np.ndarray) -> int:
        size = len(images)
        self.tried += [size] if size not in self.tried else []
        if size not in self.rates:
            raise BatchTooLargeError
        self.now += size / self.rates[size]
        return size

    def fetch(self, pending: int) -> list[Any]:
        return []


@pytest.fixture
def free(monkeypatch: pytest.MonkeyPatch) -> Free:
    """Says how many images fit the share of the free memory that a batch may take; at first a million."""

    def set_free(images: int) -> None:
        monkeypatch.setattr(fastest, "available_bytes", lambda: 4 * images * PAGE * (Timed.ahead + 1))

    set_free(10**6)
    return set_free


@pytest.mark.parametrize(
    ("rates", "chosen", "tried"),
    [
        ({1: 10, 2: 11, 4: 12, 8: 13, 16: 14, 32: 15, 64: 16, 128: 17}, 128, [*BATCHES]),
        ({1: 10, 2: 10.1, 4: 10.2, 8: 99}, 1, [1, 2, 4]),  # two in a row that gain nothing
        ({1: 10, 2: 10.1, 4: 12, 8: 12, 16: 11, 32: 99}, 4, [1, 2, 4, 8, 16]),
        ({1: 10, 2: 10.31, 4: 10.5, 8: 10.5}, 2, [1, 2, 4, 8]),
        ({1: 10, 2: 20}, 2, [1, 2, 4]),
        ({}, 1, [1]),
    ],
)
def test_a_larger_batch_must_be_worth_it(
    rates: Mapping[int, float], chosen: int, tried: list[int], free: Free, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = Timed(rates, monkeypatch)
    size, measured = settle_batch_size(FeatureRequest(**BACKBONE), engine, 10**7)
    assert (size, engine.tried) == (chosen, tried)
    assert measured == pytest.approx({str(size): rate for size, rate in rates.items() if size in tried})


@pytest.mark.parametrize("rows", [FEW_ROWS, 1_000, 4_000, 20_000, 100_000])
def test_the_search_costs_little_of_the_run(rows: int, free: Free, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Timed({size: 100 + size for size in BATCHES}, monkeypatch)
    size, rates = settle_batch_size(FeatureRequest(**BACKBONE), engine, rows)
    assert engine.now <= 0.03 * rows / engine.rates[size] * 1.05
    assert (size, rates) == (DEFAULT_BATCH, {}) or (rows > FEW_ROWS and len(rates) > 2)


@pytest.mark.parametrize(("images", "chosen"), [(0, 1), (1, 1), (31, 16), (32, 32), (127, 64), (128, 128)])
def test_what_the_free_memory_does_not_hold_is_not_tried(
    images: int, chosen: int, free: Free, monkeypatch: pytest.MonkeyPatch
) -> None:
    free(images)
    engine = Timed({size: 10.0 * size for size in BATCHES}, monkeypatch)
    size, rates = settle_batch_size(FeatureRequest(**BACKBONE), engine, 10**7)
    assert size == chosen == max(engine.tried)
    assert settle_batch_size(FeatureRequest(**BACKBONE), engine, 1, rates | {"128": 9999.0})[0] == chosen


def test_what_was_measured_before_is_not_measured(free: Free) -> None:
    known = {"1": 10.0, "4": 12.0, "8": 12.1}
    idle = SimpleNamespace(bytes_per_image=PAGE, ahead=1)
    assert settle_batch_size(FeatureRequest(**BACKBONE), idle, 10**6, known) == (4, known)


@pytest.mark.parametrize(("images", "chosen"), [(0, 1), (5, 5), (DEFAULT_BATCH + 1, DEFAULT_BATCH)])
def test_few_rows_are_not_timed(images: int, chosen: int, free: Free) -> None:
    free(images)
    idle = SimpleNamespace(bytes_per_image=PAGE, ahead=1)
    assert settle_batch_size(FeatureRequest(**BACKBONE), idle, FEW_ROWS - 1) == (chosen, {})


def test_a_size_that_is_asked_for_stays() -> None:
    request = FeatureRequest(**BACKBONE, batch_size=7)
    assert settle_batch_size(request, SimpleNamespace(), 10**6) == (7, {})


def test_pixels_are_not_timed(free: Free) -> None:
    request = FeatureRequest(backbone="pixels", image_size=8)
    idle = SimpleNamespace(bytes_per_image=1, ahead=1)
    assert settle_batch_size(request, idle, 10**6) == (DEFAULT_BATCH, {})


@pytest.mark.parametrize("largest", [8, 4, 1])
def test_an_engine_is_timed_with_the_batch_that_fits(
    largest: int, chosen: Chosen, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = Timed({largest: 10.0}, monkeypatch)
    for name in ("keras", "openvino"):
        monkeypatch.setattr(f"pipeline.extraction.engines.{name}.load", lambda *_: engine)
        monkeypatch.setattr(f"pipeline.extraction.engines.{name}.precisions", lambda: ["float32"])
    assert list(chosen(AUTO, cache="known")[2].values()) == pytest.approx([10.0, 10.0])
    engine.rates = {}
    with pytest.raises(UsageError, match="not even one image fits"):
        chosen(replace(AUTO, remeasure=True), cache="known")


def test_what_cannot_run_a_base_is_tried_again(rates: Figures, chosen: Chosen) -> None:
    rates["openvino", "float32"] = rates["openvino", "bfloat16"] = 0.0
    assert chosen(AUTO, cache="known")[0] == "keras"
    rates["openvino", "float32"] = rates["openvino", "bfloat16"] = 99.0
    assert chosen(AUTO, cache="known")[0] == "openvino"


def test_what_is_hopeless_is_timed_no_further(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Timed({8: 2.0}, monkeypatch)
    assert forward_rate(engine, 32, 8, hopeless=2.1) == pytest.approx(2.0)
    assert engine.now == pytest.approx(4.0)
    engine.now = 0.0
    assert forward_rate(engine, 32, 8, hopeless=1.9, least_s=9.0) == pytest.approx(2.0)
    assert engine.now >= 13.0


def test_a_short_warming_up_says_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    engine = Timed({8: 10.0}, monkeypatch)
    assert forward_rate(engine, 32, 8, hopeless=99.0) == pytest.approx(10.0)
    assert engine.now > 0.8
