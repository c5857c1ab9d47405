"""Which rows are used again, and which are not: whatever determines their numbers is in their spec."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest
from counting_engine import BACKBONE, CountingEngine
from photos import Photos
from PIL import Image

from pipeline.backbones.weights import Weights
from pipeline.extraction import Extraction, FeatureRequest
from pipeline.extraction.augment import Augmentation
from pipeline.extraction.engines import openvino as openvino_engine
from pipeline.spec import FeatureSpec

Run = Callable[..., list[Extraction]]

ASKED: dict[str, dict[str, Any]] = {
    "backbone": {"backbone": "vgg19"},
    "weights": {"weights": "random:1"},
    "layer": {"layers": ("block4_pool",)},
    "pooling": {"pooling": "avg"},
    "image_size": {"image_size": 33},
    "precision": {"precision": "bfloat16"},
    "store": {"store": "float32"},
    "engine": {"engine": "openvino"},
    "resize": {"resize": "bilinear-antialias"},
    "pixel_range": {"pixel_range": "0..4095"},
}
"""What to ask for, so that one field of the spec is another."""
SETTLED = {
    "preprocessing": "tf",
    "geometry": "square-64",
    "calibration": "0" * 64,
    "schema": FeatureSpec.schema + 1,
}
"""Fields that nobody asks for, with another value."""
AUGMENTED: dict[str, Any] = {
    "rotation": 10.0,
    "width_shift": 0.5,
    "height_shift": 0.5,
    "shear": 20.0,
    "zoom": 0.5,
    "flip": False,
    "seed": 1,
}


@pytest.fixture(autouse=True)
def deep_picture(photos: Photos, engine: CountingEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    """A grey picture of 16 bits; OpenVINO is played by the counting engine, too."""
    monkeypatch.setattr(openvino_engine, "load", engine.load)
    path = photos.root / "val" / "cats" / "0.png"
    path.parent.mkdir(parents=True)
    Image.fromarray(np.random.default_rng(0).integers(0, 65536, (32, 32), np.uint16)).save(path)


def test_every_field_is_looked_at() -> None:
    assert {*ASKED, *SETTLED, "augmentation"} == {field.name for field in fields(FeatureSpec)}
    assert {*AUGMENTED} == {field.name for field in fields(Augmentation)}


def test_rows_are_used_again_only_where_every_field_is_the_same(
    engine: CountingEngine, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    (first,) = run(precision="float32")
    for name in (*ASKED, *SETTLED):
        engine.forget()
        with monkeypatch.context() as patch:
            if name in SETTLED:
                settle(patch, name)
            (other,) = run(**({"precision": "float32"} | ASKED.get(name, {})))
        assert {*other.entry.spec.differences(first.entry.spec)} == {name}
        assert (name, other.computed, engine.computed) == (name, 1, 1)
    engine.forget()
    (again,) = run(precision="float32")
    assert (again.entry, again.computed, engine.loads) == (first.entry, 0, 0)


def settle(patch: pytest.MonkeyPatch, name: str) -> None:
    """Has stage one take another value for a field of the spec."""
    specs = FeatureRequest.specs

    def changed(request: FeatureRequest, weights: Weights) -> list[FeatureSpec]:
        return [replace(spec, **{name: SETTLED[name]}) for spec in specs(request, weights)]

    patch.setattr(FeatureRequest, "specs", changed)


@pytest.mark.parametrize("name", AUGMENTED)
def test_every_range_of_the_views_is_in_the_spec(name: str) -> None:
    request = FeatureRequest(**BACKBONE, views=1)
    other = replace(request, augmentation=Augmentation(**{name: AUGMENTED[name]}))
    weights = Weights("random:0", "random")
    ((before,), (after,)) = (one.specs(weights) for one in (request, other))
    assert {*after.differences(before)} == {"augmentation"}
    ((before,), (after,)) = (replace(one, views=0).specs(weights) for one in (request, other))
    assert before == after


def test_views_are_used_again_only_where_they_are_drawn_alike(
    photos: Photos, engine: CountingEngine, run: Run
) -> None:
    photos.add("train/cats")
    (first,) = run(precision="float32", views=2)
    assert engine.computed == 4
    for request, entry_stays, computed in (
        ({"views": 3, "batch_size": 1}, True, 1),
        ({"views": 2, "augmentation": Augmentation(seed=1)}, False, 2),
        ({"views": 2}, True, 0),
        ({"views": 0, "augmentation": Augmentation(seed=1)}, False, 0),
    ):
        engine.forget()
        (other,) = run(precision="float32", **request)
        assert (other.entry == first.entry, other.computed) == (entry_stays, computed)
        assert engine.computed == computed
