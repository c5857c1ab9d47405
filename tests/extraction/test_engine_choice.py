"""``auto`` continues what stands in the cache, and otherwise takes what measures fastest; int8 never."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from counting_engine import BACKBONE, CountingEngine

from pipeline.backbones.weights import Weights, resolve_weights
from pipeline.cache.entries import Entry
from pipeline.extraction import precision as module
from pipeline.extraction.engines import openvino as openvino_engine
from pipeline.extraction.precision import settle_precision
from pipeline.extraction.request import FeatureRequest
from pipeline.spec import FeatureSpec

RANDOM = resolve_weights("vgg16", "random", 32)
AUTO = FeatureRequest(**BACKBONE, engine="auto")


@pytest.fixture
def rates(monkeypatch: pytest.MonkeyPatch, engine: CountingEngine) -> dict[tuple[str, str], float]:
    """Images per second of each engine and arithmetic; nothing is loaded or run."""
    figures = {("keras", "float32"): 10.0, ("openvino", "float32"): 11.0, ("openvino", "bfloat16"): 20.0}

    def load(request: FeatureRequest, weights: Weights) -> tuple[str, str]:
        return request.engine, request.precision

    for name in ("keras", "openvino"):
        known = [precision for owner, precision in figures if owner == name]
        monkeypatch.setattr(f"pipeline.extraction.engines.{name}.load", load)
        monkeypatch.setattr(f"pipeline.extraction.engines.{name}.precisions", lambda known=known: known)
    monkeypatch.setattr(module, "_images_per_second", lambda engine, *_, **__: figures[engine])
    return figures


def chosen(request: FeatureRequest, *existing: FeatureSpec) -> tuple[str, str, Mapping[str, float]]:
    entries = [Entry(Path("cache/photos") / spec.entry_name, spec, "", "") for spec in existing]
    settled, measured = settle_precision(request, RANDOM, entries)
    return settled.engine, settled.precision, measured


def test_the_fastest_pair_is_taken(rates: dict[tuple[str, str], float]) -> None:
    engine, precision, measured = chosen(AUTO)
    assert (engine, precision) == ("openvino", "bfloat16")
    assert measured == {"keras float32": 10.0, "openvino float32": 11.0, "openvino bfloat16": 20.0}
    rates["keras", "float32"] = 21.0
    assert chosen(AUTO)[:2] == ("keras", "float32")


def test_what_was_named_stays(rates: dict[tuple[str, str], float]) -> None:
    rates["keras", "float32"] = 15.0
    assert chosen(replace(AUTO, precision="float32"))[:2] == ("keras", "float32")
    assert chosen(replace(AUTO, engine="openvino"))[2] == {"float32": 11.0, "bfloat16": 20.0}
    assert chosen(replace(AUTO, engine="keras")) == ("keras", "float32", {})


def test_int8_is_for_the_one_engine_that_has_it(rates: dict[tuple[str, str], float]) -> None:
    assert chosen(replace(AUTO, precision="int8")) == ("openvino", "int8", {})


def test_an_existing_entry_is_continued(rates: dict[tuple[str, str], float]) -> None:
    (slow,) = replace(AUTO, engine="keras", precision="float16").specs(RANDOM)
    (other,) = replace(AUTO, engine="keras", precision="float32", store="float32").specs(RANDOM)
    (raw,) = FeatureRequest(backbone="pixels", image_size=32).specs(Weights("none", "none"))
    int8 = replace(slow, engine="openvino", precision="int8", calibration="0" * 64)
    assert chosen(AUTO, raw, int8, other, slow) == ("keras", "float16", {})
    assert chosen(AUTO, raw, int8, other)[:2] == ("openvino", "bfloat16")
    assert chosen(replace(AUTO, engine="openvino"), slow)[:2] == ("openvino", "bfloat16")
    assert chosen(replace(AUTO, precision="float16"), slow) == ("keras", "float16", {})
    assert chosen(replace(AUTO, precision="float32"), slow)[:2] == ("openvino", "float32")
    assert chosen(replace(AUTO, engine="keras", precision="float32"), slow)[:2] == ("keras", "float32")


def test_an_engine_that_is_not_installed_is_no_candidate(
    rates: dict[tuple[str, str], float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "openvino", None)
    assert chosen(AUTO) == ("keras", "float32", {})
    assert chosen(replace(AUTO, precision="int8"))[:2] == ("openvino", "int8")


def test_int8_is_never_offered() -> None:
    assert set(openvino_engine.precisions()) <= {"float32", "bfloat16"}
