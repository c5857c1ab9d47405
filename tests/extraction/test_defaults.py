"""Whoever names an executor or an engine and nothing else gets features: other options have defaults."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from photos import Photos

from pipeline import registry
from pipeline.cache import open_features
from pipeline.cli import main
from pipeline.extraction import FeatureRequest, engines, executors, extract
from pipeline.extraction.request import ENGINES
from pipeline.runtimes.openvino import openvino_installed

BASE = {
    "backbone": "mobilenet_v2_035",
    "weights": "random",
    "image_size": 32,
    "layers": ("block_1_expand_relu:avg",),
}


@pytest.fixture
def few(photos: Photos) -> Photos:
    photos.add("train/cats", 6)
    photos.add("val/dogs", 2)
    return photos


def test_nothing_new_is_left_out() -> None:
    assert registry.names(executors) == ["local", "ray"]
    assert set(ENGINES) - {"auto"} <= set(registry.names(engines))


@pytest.mark.parametrize("engine", sorted(set(ENGINES) - {FeatureRequest.engine}))
def test_an_engine_alone(engine: str, few: Photos, cache: Path) -> None:
    if engine == "openvino" and not openvino_installed():
        pytest.skip("openvino is not installed")
    (report,) = extract(str(few.root), FeatureRequest(**BASE, engine=engine), cache=cache)
    assert report.computed == 8
    assert engine in ("auto", report.entry.spec.engine)
    assert open_features(report.entry, "train").to_memory().any()


def assert_alone_it_suffices(executor: str, few: Photos, cache: Path) -> None:
    command = ["extract", "--data", few.root, "--cache", cache, "--json", "--executor", executor]
    command += ["--backbone", BASE["backbone"], "--weights", "random", "--image-size", 32]
    command += ["--layer", *BASE["layers"]]
    ended = CliRunner().invoke(main, [str(word) for word in command])
    assert ended.exit_code == 0, ended.stderr
    answer = json.loads(ended.stdout)
    assert answer["splits"]["train"]["computed"] == 6
    assert answer["engine"] in ENGINES[1:]
    assert answer["precision"] == "float32" or answer["measured"]


def test_the_local_executor_alone(few: Photos, cache: Path) -> None:
    assert_alone_it_suffices("local", few, cache)


@pytest.mark.usefixtures("cluster")
def test_the_ray_executor_alone(few: Photos, cache: Path) -> None:
    assert_alone_it_suffices("ray", few, cache)
