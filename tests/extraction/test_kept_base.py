"""Once a base is converted and kept, no later command needs TensorFlow for it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from photos import Photos

from pipeline.backbones.weights import resolve_weights
from pipeline.cache import open_features
from pipeline.cache.converted_bases import FOLDER
from pipeline.errors import UsageError
from pipeline.extraction import FeatureRequest, extract
from pipeline.extraction.engines import _networks

BASE = {"backbone": "mobilenet_v2_035", "weights": "random", "image_size": 32, "pooling": "avg"}
BLOCKED = """
import sys
sys.modules["tensorflow"] = None  # whoever imports it fails
from pipeline.cli import main
for words in sys.argv[1].split(";"):
    main(words.split(), standalone_mode=False)
"""


@pytest.fixture
def kept(photos: Photos, cache: Path) -> Path:
    """A cache that knows the base, and a data set in it."""
    photos.add("train/cats", 4)
    photos.add("train/dogs", 4)
    photos.add("test/cats", 2)
    extract(str(photos.root), FeatureRequest(**BASE), cache=cache)
    return cache


def test_another_data_set_and_new_images_need_no_tensorflow(
    kept: Path, photos: Photos, tmp_path: Path
) -> None:
    other = Photos(tmp_path / "other", made=50)
    other.add("train/cats", 3)
    other.add("val/dogs", 1)
    stage = "--backbone mobilenet_v2_035 --weights random --image-size 32 --pooling avg"
    commands = [
        f"extract --data {other.root} --cache {kept} {stage}",
        f"train-head --data {photos.root} --cache {kept} --runs {tmp_path}/runs --head logreg",
        f"predict {other.root} --data {photos.root} --cache {kept} --runs {tmp_path}/runs --head logreg",
        f"evaluate --data {photos.root} --cache {kept} --runs {tmp_path}/runs --head logreg --split test",
    ]
    ended = subprocess.run(
        [sys.executable, "-c", BLOCKED, ";".join(commands)], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
    assert "3 computed, 0 reused" in ended.stdout


def test_what_is_read_back_computes_the_same(kept: Path, photos: Photos, tmp_path: Path) -> None:
    (first,) = extract(str(photos.root), FeatureRequest(**BASE), cache=kept)
    assert first.computed == 0
    (kept / FOLDER).rename(tmp_path / FOLDER)
    spec = first.entry.spec  # ten images are too few for the fastest arithmetic to be the same twice
    same = FeatureRequest(**BASE, engine=spec.engine, precision=spec.precision)
    (again,) = extract(str(photos.root), same, cache=tmp_path)
    assert again.computed == 10
    for split in ("train", "test"):
        np.testing.assert_array_equal(
            open_features(again.entry, split).to_memory(), open_features(first.entry, split).to_memory()
        )


def test_a_base_that_does_not_convert_is_run_by_keras(
    photos: Photos, cache: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    import openvino

    def refuse(*_: object, **__: object) -> None:
        raise RuntimeError("no conversion rule for Foo\nand more")

    photos.add("train/cats", 2)
    monkeypatch.setattr(openvino, "convert_model", refuse)
    (report,) = extract(str(photos.root), FeatureRequest(**BASE), cache=cache)
    assert report.entry.spec.engine == "keras"
    assert "no conversion rule for Foo): choose --engine keras. Going on" in capsys.readouterr().err
    request = FeatureRequest(**BASE, engine="openvino", precision="float32")
    with pytest.raises(UsageError, match="cannot convert mobilenet_v2_035"):
        _networks.convert_base(request, resolve_weights("mobilenet_v2_035", "random", 32))
