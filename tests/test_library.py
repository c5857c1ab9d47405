"""The package as a library: its public names alone lead from a folder of images to answers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from photos import Photos

import pipeline

SIDE = 8
Kind = Callable[[Path], str | Path]


@pytest.fixture(params=[str, Path], ids=["str", "Path"])
def kind(request: pytest.FixtureRequest) -> Kind:
    """How paths are given."""
    return request.param


def test_the_public_names_are_listed() -> None:
    assert dir(pipeline) == sorted(pipeline.__all__)
    wanted = {"extract", "train_head", "sweep", "evaluate", "predict", "open_features", "find_entries"}
    assert wanted | {"FeatureRequest", "Augmentation", "make_executor"} <= {*dir(pipeline)}


@pytest.mark.parametrize("name", sorted({*pipeline.__all__} - {"__version__"}))
def test_every_function_shows_how_it_is_used(name: str) -> None:
    documented = getattr(pipeline, name).__doc__ or ""
    assert isinstance(getattr(pipeline, name), type) or ">>> " in documented


def test_from_images_to_answers(kind: Kind, photos: Photos, tmp_path: Path) -> None:
    for split, count in (("train", 6), ("val", 3), ("test", 3)):
        for label in ("cats", "dogs"):
            photos.add(f"{split}/{label}", count)
    cache, runs = tmp_path / "cache", tmp_path / "runs"
    request = pipeline.FeatureRequest(backbone="pixels", image_size=SIDE)
    (extraction,) = pipeline.extract(
        kind(photos.root), request, cache=kind(cache), executor=pipeline.make_executor("local")
    )
    (entry,) = pipeline.find_entries(kind(cache))
    assert entry == extraction.entry
    train, val, test = (pipeline.open_features(kind(entry.folder), one) for one in ("train", "val", "test"))
    assert train.features[0].shape == train.read(np.array([0]))[0].shape == (SIDE, SIDE, 3)
    head = pipeline.train_head("ridge", train, val, runs=kind(runs))
    assert pipeline.load_head(kind(head.folder)).classes == ("cats", "dogs")
    report = pipeline.evaluate(kind(head.folder), test)
    assert report.figures.accuracy == pipeline.evaluate(head, test).figures.accuracy
    board = pipeline.sweep(["ridge", "knn"], train, val, runs=kind(runs))
    assert {row.head for row in board.results} == {"ridge", "knn"}
    image = photos.files("test")[0]
    answers = pipeline.predict(kind(head.folder), kind(image), cache=kind(cache))
    assert answers.ids == [str(image)]
