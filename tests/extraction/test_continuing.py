"""What a request leaves open is taken from the features that are there, so that nothing is computed twice."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from counting_engine import BACKBONE, CountingEngine
from photos import Photos

from pipeline.backbones.weights import Weights, resolve_weights
from pipeline.cache.entries import Entry
from pipeline.cache.feature_file import open_feature_file
from pipeline.errors import UsageError
from pipeline.extraction import Extraction
from pipeline.extraction.command import extract_command
from pipeline.extraction.continuing import continued
from pipeline.extraction.request import FeatureRequest
from pipeline.images import open_images, resizing
from pipeline.images.manifest import scan
from pipeline.images.resizing import CYKOOZ, PILLOW
from pipeline.spec import FeatureSpec

Run = Callable[..., list[Extraction]]

RANDOM = resolve_weights("vgg16", "random", 32)
AUTO = FeatureRequest(**{**BACKBONE, "engine": "auto"}, resize=PILLOW)
OLD: dict[str, Any] = {"precision": "float32", "resize": PILLOW}
AS_IT_COMES: dict[str, Any] = {"precision": "float32"}


@pytest.fixture
def taken(photos: Photos) -> Callable[..., tuple[str, str, str]]:
    """Returns engine, precision and resize of a request beside entries of its data set."""
    photos.add("train/cats")
    manifest = scan(open_images(str(photos.root)))

    def taken(
        request: FeatureRequest, *existing: FeatureSpec, weights: Weights = RANDOM
    ) -> tuple[str, str, str]:
        entries = [Entry(Path("cache/photos") / spec.entry_name, spec, "", "") for spec in existing]
        found = continued(request, weights, entries, manifest, Path("cache/photos"))
        return found.engine, found.precision, found.resize

    return taken


@pytest.fixture
def without_package(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setitem(sys.modules, "cykooz_resizer", None)
    resizing._cykooz.cache_clear()
    yield
    resizing._cykooz.cache_clear()


def test_engine_and_precision_are_those_of_an_entry_that_differs_in_nothing_else(
    taken: Callable[..., tuple[str, str, str]],
) -> None:
    (slow,) = replace(AUTO, engine="keras", precision="float16").specs(RANDOM)
    (other,) = replace(AUTO, engine="keras", precision="float32", store="float32").specs(RANDOM)
    raw_request = FeatureRequest(backbone="pixels", image_size=32, resize=PILLOW)
    (raw,) = raw_request.specs(Weights("none", "none"))
    int8 = replace(slow, engine="openvino", precision="int8", calibration="0" * 64)
    as_asked = (AUTO.engine, AUTO.precision, PILLOW)
    assert taken(AUTO, raw, int8, other, slow) == ("keras", "float16", PILLOW)
    assert taken(AUTO, raw, int8, other) == as_asked
    assert taken(replace(AUTO, engine="openvino"), slow) == ("openvino", "auto", PILLOW)
    assert taken(replace(AUTO, precision="float16"), slow) == ("keras", "float16", PILLOW)
    assert taken(replace(AUTO, precision="float32"), slow) == ("auto", "float32", PILLOW)
    assert taken(replace(AUTO, engine="keras", precision="float32"), slow)[1] == "float32"
    assert taken(replace(AUTO, precision="int8"), int8) == ("openvino", "int8", PILLOW)


def test_so_is_the_resize_and_the_quickest_comes_first(taken: Callable[..., tuple[str, str, str]]) -> None:
    auto = replace(AUTO, resize="auto")
    (slow,) = replace(AUTO, engine="keras", precision="float16").specs(RANDOM)
    quick, foreign = replace(slow, resize=CYKOOZ), replace(slow, resize="nearest")
    assert taken(auto, foreign, slow) == ("keras", "float16", PILLOW)
    assert taken(auto, foreign, slow, quick) == taken(auto, quick, slow) == ("keras", "float16", CYKOOZ)
    assert taken(auto, foreign) == ("auto", "auto", "auto")
    assert taken(replace(auto, precision="float32"), slow) == ("auto", "float32", "auto")
    assert taken(replace(auto, resize=CYKOOZ), slow) == ("auto", "auto", CYKOOZ)
    int8 = replace(slow, engine="openvino", precision="int8", calibration="0" * 64)
    assert taken(replace(auto, engine="openvino", precision="int8"), int8)[2] == PILLOW


def test_raw_pixels_have_a_resize_and_nothing_else(taken: Callable[..., tuple[str, str, str]]) -> None:
    request, none = FeatureRequest(backbone="pixels", image_size=32), Weights("none", "none")
    (there,) = replace(request, resize=PILLOW).specs(none)
    assert taken(request, there, weights=none) == ("pixels", "auto", PILLOW)


def test_an_older_entry_goes_on_with_its_resize(photos: Photos, engine: CountingEngine, run: Run) -> None:
    photos.add("train/cats", 3)
    (older,) = run(**OLD)
    photos.add("train/cats")
    engine.forget()
    (again,) = run(**AS_IT_COMES)
    assert (again.entry, engine.computed) == (older.entry, 1)
    (quick,) = run(**AS_IT_COMES, resize=CYKOOZ)
    assert quick.entry != older.entry
    engine.forget()
    (now,) = run(**AS_IT_COMES)
    assert (now.entry, engine.computed) == (quick.entry, 0)
    words = {one.entry.spec.resize: extract_command([one.entry]) for one in (older, quick)}
    assert f"--resize {PILLOW}" in words[PILLOW]
    assert "--resize" not in words[CYKOOZ]


def test_a_new_entry_is_made_with_the_quickest(photos: Photos, run: Run) -> None:
    photos.add("train/cats")
    (made,) = run(**AS_IT_COMES)
    assert made.entry.spec.resize == CYKOOZ
    assert "cykooz-resizer" in open_feature_file(made.entry.file("train")).header.software


def test_a_new_name_goes_on_with_what_made_most_of_its_images(
    photos: Photos, engine: CountingEngine, run: Run, capsys: pytest.CaptureFixture[str]
) -> None:
    photos.add("train/cats", 3)
    (older,) = run(**OLD)
    photos.add("train/cats", 3)
    engine.forget()
    (renamed,) = run(name="renamed", **AS_IT_COMES)
    assert renamed.entry.spec == older.entry.spec
    assert engine.computed == 3
    assert f"resize {PILLOW}: as in {older.entry.full_name}" in capsys.readouterr().err
    photos.add("train/cats", 7)
    (larger,) = run(name="larger", **AS_IT_COMES)
    assert larger.entry.spec.resize == CYKOOZ


def test_without_the_package_pillow_resizes_and_it_is_said(
    photos: Photos, run: Run, without_package: None, capsys: pytest.CaptureFixture[str]
) -> None:
    photos.add("train/cats")
    (made,) = run(**AS_IT_COMES)
    assert made.entry.spec.resize == PILLOW
    assert "note: resize 'bilinear-antialias-cykooz' needs the package" in capsys.readouterr().err
    run(**AS_IT_COMES)
    assert "note: resize" not in capsys.readouterr().err


def test_rows_of_the_package_are_never_made_by_pillow(
    photos: Photos, run: Run, request: pytest.FixtureRequest
) -> None:
    photos.add("train/cats")
    (made,) = run(**AS_IT_COMES)
    request.getfixturevalue("without_package")
    (again,) = run(**AS_IT_COMES)
    assert (again.entry, again.computed) == (made.entry, 0)
    photos.add("train/cats")
    with pytest.raises(
        UsageError, match=r"pip install 'cykooz-resizer>=4.0.1,<5', or extract and train with --resize"
    ):
        run(**AS_IT_COMES)
