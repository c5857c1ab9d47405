"""Answers for raw images are those that the cached features give."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from counting_engine import CountingEngine
from photos import Photos
from PIL import Image

from pipeline.cache.features import Selection
from pipeline.errors import CacheMismatchError, PipelineError, UsageError
from pipeline.extraction import FeatureRequest, extract
from pipeline.extraction.engines import BatchTooLargeError
from pipeline.heads import TrainedHead, train_head
from pipeline.serving import Predictions, Predictor, gather_images

Trained = tuple[Selection, TrainedHead]
Train = Callable[..., Trained]

REQUESTS = {
    "one cut": {},
    "pooled": {"pooling": "avg"},
    "several cuts": {"layers": ("block1_pool", "block5_pool:avg")},
    "float32": {"store": "float32"},
    "pixels": {"backbone": "pixels"},
    "views": {"views": 2},
}


def answered(
    selection: Selection,
    head: TrainedHead,
    images: list[Path],
    *,
    weights: str | None = None,
    batch_size: int | None = None,
) -> Predictions:
    predictor = Predictor(selection, head, weights=weights)
    return predictor.predict(gather_images(images), batch_size=batch_size)


@pytest.mark.parametrize("request_", REQUESTS.values(), ids=REQUESTS)
def test_cached_and_raw_images_have_the_same_answer(
    request_: dict[str, object], trained: Train, photos: Photos
) -> None:
    selection, head = trained(**request_)
    test = selection.open("test")
    answers = answered(selection, head, [photos.root / "test"])
    assert answers.ids == [str(photos.root / name) for name in test.rows.ids]
    np.testing.assert_allclose(answers.probabilities, head.predict_proba(test), atol=1e-12)
    assert answers.failures == []


SMALL = {"backbone": "mobilenet_v2_035", "layers": ("block_1_expand_relu",)}
# The real engines on the smallest images they take; VGG16 ends at 1 x 1 x 512 there.
REAL = {
    "keras": {"backbone": "vgg16", "layers": ("block1_pool",)},
    "keras, two cuts": {"backbone": "vgg16", "layers": ("block1_pool:avg", "block2_pool:max")},
    "constants": SMALL,
    "openvino": SMALL | {"engine": "openvino"},
    "int8": SMALL | {"engine": "openvino", "precision": "int8"},
}


@pytest.mark.parametrize("options", REAL.values(), ids=REAL)
def test_features_of_the_real_engine_are_bit_equal_in_batches_of_the_same_size(
    options: dict[str, object], photos: Photos, cache: Path, tmp_path: Path
) -> None:
    for folder in ("train/cats", "train/dogs", "test/cats"):
        photos.add(folder, 3)
    wanted = FeatureRequest(
        **{"image_size": 32, "weights": "random:3", "batch_size": 4, "precision": "float32"} | options
    )
    entries = tuple(extraction.entry for extraction in extract(str(photos.root), wanted, cache=cache))
    selection = Selection(entries)
    head = train_head("prototype", selection.open("train"), None, runs=tmp_path / "runs")
    predictor = Predictor(selection, head, weights="random:3")
    answers = list(predictor.answer(gather_images([photos.root / "test"]), batch_size=4))
    test = selection.open("test")
    np.testing.assert_array_equal([answer.features for answer in answers], test.to_memory())
    assert [answer.digest for answer in answers] == [row.tobytes() for row in test.rows.digests]


def test_images_go_through_in_batches_and_one_alone_alone(
    trained: Train, photos: Photos, engine: CountingEngine
) -> None:
    selection, head = trained()
    engine.forget()
    answered(selection, head, [photos.root], batch_size=5)
    assert engine.batches == [5, 5, 5, 1]
    engine.forget()
    submitted = []
    whole, engine.submit = engine.submit, lambda images: submitted.append(len(images)) or whole(images)
    answered(selection, head, [photos.files("test")[0]])
    assert submitted == [1]


def test_bad_images_fail_alone_and_in_order(trained: Train, photos: Photos) -> None:
    selection, head = trained()
    places = photos.files("test")
    photos.spoil(places[1])
    places[3].unlink()
    os.mkfifo(places[3])
    (photos.root / "text.png").write_text("no image")
    answers = answered(selection, head, [*places, photos.root / "text.png"])
    good = [path for i, path in enumerate(places) if i not in (1, 3)]
    assert answers.ids == [str(path) for path in good]
    reasons = {Path(failure.id).name: failure.reason for failure in answers.failures}
    assert list(reasons) == [places[1].name, places[3].name, "text.png"]
    assert "damaged PNG" in reasons[places[1].name]
    assert reasons[places[3].name] == "not a regular file"
    assert reasons["text.png"].startswith("no image of a known format")


def test_where_nothing_can_be_read_nothing_is_answered(trained: Train, photos: Photos) -> None:
    selection, head = trained()
    (photos.root / "text.png").write_text("no image")
    answers = answered(selection, head, [photos.root / "text.png"])
    assert answers.probabilities.shape == (0, 2)
    assert len(answers.failures) == 1


def test_features_that_are_not_finite_fail_alone(
    trained: Train, photos: Photos, engine: CountingEngine
) -> None:
    selection, head = trained()
    with Image.open(photos.files("test")[2]) as image:
        engine.replace[np.asarray(image).tobytes()] = np.inf
    answers = answered(selection, head, [photos.root / "test"])
    assert len(answers.ids) == 7
    assert answers.failures[0].reason == "its features are not finite in float16"


def test_too_large_batches_are_halved(
    trained: Train, photos: Photos, engine: CountingEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    selection, head = trained()
    submit = engine.submit

    def small(images: np.ndarray) -> np.ndarray:
        if len(images) > limit:
            raise BatchTooLargeError
        return submit(images)

    monkeypatch.setattr(engine, "submit", small)
    limit = 2
    answers = answered(selection, head, [photos.root / "test"])
    assert answers.ids == [str(path) for path in photos.files("test")]
    limit = 0
    with pytest.raises(PipelineError, match="not even one image fits the memory"):
        answered(selection, head, [photos.root / "test"])


def test_other_filters_are_refused(trained: Train, photos: Photos) -> None:
    selection, head = trained()
    with pytest.raises(CacheMismatchError, match=r"weights 'random:1' are random:1\.\.\., but the features"):
        answered(selection, head, [photos.root], weights="random:1")
    with pytest.raises(UsageError, match=r"weights 'nowhere\.h5' is not a file"):
        answered(selection, head, [photos.root], weights="nowhere.h5")


@pytest.mark.parametrize("choice", [None, "auto", "random", "random:0"])
def test_a_label_that_told_entries_apart_is_no_file(
    choice: str | None, trained: Train, photos: Photos
) -> None:
    selection, head = trained()
    assert len(answered(selection, head, [photos.root], weights=choice).ids) == 16


@pytest.mark.parametrize("choice", [None, "auto", "imagenet"])
def test_imagenet_filters_are_found_where_keras_keeps_them(
    choice: str | None, trained: Train, photos: Photos, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    file = tmp_path / "keras/models/vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5"
    file.parent.mkdir(parents=True)
    file.write_bytes(b"filters")
    selection, head = trained(weights="imagenet")
    assert len(answered(selection, head, [photos.root], weights=choice).ids) == 16
    file.write_bytes(b"others")
    with pytest.raises(CacheMismatchError, match="weights 'imagenet' are sha256:"):
        answered(selection, head, [photos.root], weights=choice)


def test_a_spec_that_this_version_would_not_make_is_refused(trained: Train, photos: Photos) -> None:
    selection, head = trained()
    (entry,) = selection.entries
    older = replace(entry, spec=replace(entry.spec, preprocessing="none"))
    with pytest.raises(CacheMismatchError, match="preprocessing 'caffe' instead of 'none'"):
        answered(Selection((older,)), head, [photos.root])


def test_what_resized_the_images_of_a_head_resizes_new_ones(trained: Train, photos: Photos) -> None:
    selection, head = trained()
    (entry,) = selection.entries
    foreign = replace(entry, spec=replace(entry.spec, resize="nearest"))
    with pytest.raises(UsageError, match="unknown resize 'nearest'"):
        answered(Selection((foreign,)), head, [photos.root])


def test_a_network_in_int8_that_is_gone_is_told(photos: Photos, trained: Train) -> None:
    selection, head = trained()
    (entry,) = selection.entries
    quantised = replace(entry.spec, precision="int8", engine="openvino", calibration="0" * 64)
    with pytest.raises(CacheMismatchError, match="int8 network that made these features is not whole in"):
        answered(Selection((replace(entry, spec=quantised),)), head, [photos.root])
