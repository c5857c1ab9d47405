"""What was measured is remembered for the same machine, versions and network, and for nothing else."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import pytest
from counting_engine import BACKBONE

from pipeline.backbones.weights import resolve_weights
from pipeline.extraction.measurements import FILE_NAME, Measurements, this_machine
from pipeline.extraction.request import FeatureRequest
from pipeline.spec import FeatureSpec

(SPEC,) = FeatureRequest(**BACKBONE, precision="float32").specs(resolve_weights("vgg16", "random", 32))
RATES = {"openvino float32": 20.5, "keras float32": 10.0}
QUESTION = "auto float32"
UNLIKE = {
    *("precision", "engine", "store", "augmentation", "calibration", "resize", "geometry"),
    *("pixel_range", "schema"),
}
"""Fields of a spec that say nothing of the network, or are what is measured."""


def machine(**changed: Any) -> dict[str, Any]:
    return {"processor": "A CPU", "cores": 2, "gpus": [], "versions": {"keras": "3"}} | changed


def known(cache: Path, spec: FeatureSpec = SPEC, **changed: Any) -> Measurements:
    return Measurements(cache, [spec], lambda: machine(**changed))


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    known(tmp_path / "cache").remember(QUESTION, RATES)
    return tmp_path / "cache"


def test_it_is_remembered(cache: Path) -> None:
    assert known(cache).rates(QUESTION, RATES) == RATES
    assert known(cache).rates("auto auto", RATES) == {}
    known(cache).remember("auto auto", {"keras float32": 1.0})
    assert known(cache).rates(QUESTION, RATES) == RATES


@pytest.mark.parametrize(
    "changed", [{"processor": "B"}, {"cores": 4}, {"gpus": ["A GPU"]}, {"versions": {"keras": "4"}}]
)
def test_another_machine_measures_itself(changed: dict[str, Any], cache: Path) -> None:
    assert known(cache, **changed).rates(QUESTION, RATES) == {}
    known(cache, **changed).remember(QUESTION, {"keras float32": 1.0})
    assert known(cache, **changed).rates(QUESTION, RATES) == {"keras float32": 1.0}
    assert known(cache).rates(QUESTION, RATES) == RATES


@pytest.mark.parametrize("name", [field.name for field in fields(FeatureSpec)])
def test_another_network_is_measured(name: str, cache: Path) -> None:
    value = getattr(SPEC, name)
    other = replace(SPEC, **{name: value + 1 if isinstance(value, int) else value + "x"})
    assert known(cache, other).rates(QUESTION, RATES) == (RATES if name in UNLIKE else {})


def test_what_is_to_be_forgotten_is_measured_again(cache: Path) -> None:
    again = replace(known(cache), forget=True)
    assert again.rates(QUESTION, RATES) == {}
    again.remember(QUESTION, {"keras float32": 3.0})
    assert known(cache).rates(QUESTION, RATES) == {"keras float32": 3.0}


@pytest.mark.parametrize(
    "text",
    [
        *("", "{", "[]", '{"measurements": 1}', '{"measurements": {"a": {"networks": 1}}}'),
        *('{"measurements": {"a": {"networks": {"b": 1}}}}', "x" * 2**21),
    ],
)
def test_a_damaged_file_is_as_none(text: str, cache: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (cache / FILE_NAME).write_text(text)
    assert known(cache).rates(QUESTION, RATES) == {}
    if len(text) < 2**20:
        assert f"{FILE_NAME} is damaged" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("before", "now"),
    [("20.5", '"fast"'), ("20.5", "-20.5"), ("20.5", "0.0"), ("keras float32", "keras f32")],
)
def test_rates_that_are_none_are_not_used(before: str, now: str, cache: Path) -> None:
    file = cache / FILE_NAME
    file.write_text(file.read_text().replace(before, now))
    assert known(cache).rates(QUESTION, RATES) == {}


def test_what_is_not_ours_stays(cache: Path) -> None:
    (cache / FILE_NAME).write_text("my own notes")
    known(cache).remember(QUESTION, RATES)
    assert (cache / FILE_NAME).read_text() == "my own notes"


def test_this_machine_is_described_in_json_types() -> None:
    described = this_machine()
    assert json.loads(json.dumps(described)) == described
    assert described["versions"]["keras"]
