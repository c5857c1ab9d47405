"""The transformer of scikit-learn: any images in any order, and each of them computed once."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from photos import Photos
from PIL import Image
from sklearn.base import clone
from sklearn.exceptions import SkipTestWarning
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.utils import estimator_checks
from target_photos import target_photos

from pipeline import CachedFeatures, FeatureRequest, extract, find_entries, open_features
from pipeline.errors import CacheMismatchError, UnreadableImagesError, UsageError

SIDE = 8


@pytest.fixture
def images(photos: Photos) -> list[Path]:
    """Twelve photographs."""
    return photos.add("a", 12)


@pytest.fixture
def features(tmp_path: Path) -> CachedFeatures:
    """Raw pixels, into a cache of its own."""
    return CachedFeatures("pixels", image_size=SIDE, cache=tmp_path / "cache")


def stored(cache: Path | str) -> int:
    """Counts the rows of a cache, which holds none twice where none was computed or copied twice."""
    return sum(len(open_features(entry, split)) for entry in find_entries(cache) for split in entry.splits)


def test_features_are_those_of_stage_one(
    images: list[Path], features: CachedFeatures, tmp_path: Path
) -> None:
    found = features.fit_transform(images)
    request = FeatureRequest(backbone="pixels", image_size=SIDE)
    (report,) = extract(images[0].parents[1], request, cache=tmp_path / "other")
    rows = {
        Path(name).name: values
        for split in report.entry.splits
        for part in [open_features(report.entry, split)]
        for name, values in zip(part.rows.ids, part.to_memory(), strict=True)
    }
    assert found.dtype == np.float32
    for path, row in zip(images, found, strict=True):
        assert np.array_equal(row, rows[path.name].ravel())


def test_rows_of_stage_one_are_found(images: list[Path], features: CachedFeatures) -> None:
    extract(images[0].parents[1], FeatureRequest(backbone="pixels", image_size=SIDE), cache=features.cache)
    features.fit(images)
    assert features.n_computed_ == 0
    assert stored(features.cache) == len(images)


@pytest.mark.parametrize("target", ["labels", "number"])
def test_rows_of_images_with_targets_are_found(target: str, photos: Photos, features: CachedFeatures) -> None:
    selection = target_photos(photos, target, Path(features.cache), side=SIDE)
    images = photos.files("val")
    found = features.fit_transform(images)
    assert features.n_computed_ == 0
    np.testing.assert_array_equal(found, selection.open("val").to_memory().reshape(len(images), -1))


def test_stage_one_finds_its_rows(images: list[Path], features: CachedFeatures) -> None:
    features.fit(images)
    request = FeatureRequest(backbone="pixels", image_size=SIDE)
    (report,) = extract(images[0].parents[1], request, cache=features.cache)
    assert report.computed == 0


@pytest.mark.parametrize(
    "given",
    [
        lambda path: path,
        lambda path: str(path),
        lambda path: path.read_bytes(),
        Image.open,
        lambda path: np.asarray(Image.open(path)),
    ],
    ids=["Path", "str", "bytes", "Pillow", "array"],
)
def test_images_are_taken_in_any_form(
    given: Callable[[Path], Any], images: list[Path], features: CachedFeatures
) -> None:
    features.fit(images)
    expected = features.transform(images[3:6])
    assert np.array_equal(features.transform([given(path) for path in images[3:6]]), expected)


def test_one_array_is_as_good_as_a_list(images: list[Path], features: CachedFeatures) -> None:
    stack = np.stack([np.asarray(Image.open(path)) for path in images])
    assert np.array_equal(features.fit_transform(stack), features.fit_transform(images))


def test_a_column_of_a_table_is_as_good_as_a_list(images: list[Path], features: CachedFeatures) -> None:
    names = np.array([str(path) for path in images])
    assert np.array_equal(features.fit_transform(names), features.fit_transform(images))
    assert np.array_equal(features.transform(names[:, None]), features.transform(images))
    assert features.n_computed_ == 0


def test_any_order_and_repeats(images: list[Path], features: CachedFeatures) -> None:
    found = features.fit_transform(images)
    order = [5, 1, 1, 11, 5]
    assert np.array_equal(features.transform([images[i] for i in order]), found[order])
    assert features.n_computed_ == 0


def test_folds_compute_no_image_twice(images: list[Path], features: CachedFeatures) -> None:
    model = make_pipeline(features, LogisticRegression(max_iter=1000))
    labels = [0, 1] * 6
    cross_val_score(model, images, labels, cv=3)
    assert stored(features.cache) == len(images)
    cross_val_score(model, images, labels, cv=6, error_score="raise")
    GridSearchCV(model, {"logisticregression__C": [0.1, 1]}, cv=3).fit(images, labels)
    assert stored(features.cache) == len(images)


def test_only_what_is_new_is_computed(photos: Photos, images: list[Path], features: CachedFeatures) -> None:
    features.fit(images)
    assert features.n_computed_ == 12
    features.transform([*photos.add("a", 2), *images])
    assert features.n_computed_ == 2


def test_two_at_once_share_the_work(images: list[Path], features: CachedFeatures) -> None:
    with ThreadPoolExecutor(2) as pool:
        both = list(pool.map(lambda model: model.fit(images), [features, clone(features)]))
    assert sorted(one.n_computed_ for one in both) == [0, 12]
    assert stored(features.cache) == len(images)


def test_several_cuts_stand_side_by_side(images: list[Path], tmp_path: Path) -> None:
    both = CachedFeatures(
        "mobilenet_v2_035", image_size=32, weights="random:0", layer=["block_1_project:avg", "out_relu"],
        cache=tmp_path / "cache", engine="openvino", precision="float32",
    )  # fmt: skip
    found = both.fit_transform(images[:3])
    names = both.get_feature_names_out()
    assert found.shape == (3, both.n_features_out_) == (3, len(names))
    assert names[0] == "block_1_project_0"
    assert names[-1] == "out_relu_1279"
    alone = clone(both).set_params(layer="out_relu").fit_transform(images[:3])
    assert np.array_equal(found[:, -1280:], alone)


def test_columns_have_names_for_pandas(images: list[Path], features: CachedFeatures) -> None:
    table = features.set_output(transform="pandas").fit_transform(images)
    assert list(table.columns[:2]) == ["pixels_0", "pixels_1"]
    assert len(table) == 12


def test_a_pickle_holds_the_options_alone(images: list[Path], features: CachedFeatures) -> None:
    found = features.fit_transform(images)
    packed = pickle.dumps(features)
    assert len(packed) < found.nbytes
    assert np.array_equal(pickle.loads(packed).transform(images), found)  # noqa: S301


def test_a_damaged_row_is_computed_again(images: list[Path], features: CachedFeatures) -> None:
    found = features.fit_transform(images)
    (entry,) = find_entries(features.cache)
    file = entry.file("test")
    raw = bytearray(file.read_bytes())
    place = raw.find(found[4].astype(np.uint8).tobytes())
    raw[place] ^= 1
    file.write_bytes(raw)
    assert np.array_equal(features.transform(images), found)
    assert features.n_computed_ == 1


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ("photo.png", "this is one image (str): give a list"),
        (np.zeros((4, 4, 3), np.uint8), "this is one image (4, 4, 3): give a list"),
        (7, "int is no list of images"),
        ([7], "images[0] is of type int: give paths, bytes, Pillow images"),
        ([np.zeros((2, 4, 4, 3), np.uint8)], "row 0 is an array (2, 4, 4, 3): every row is one image"),
        (["nowhere.png"], "'nowhere.png' does not exist"),
        ([], "no image in nothing"),
    ],
    ids=lambda value: "" if isinstance(value, str) else type(value).__name__,
)
def test_what_is_no_list_of_images_is_refused(rows: Any, message: str, features: CachedFeatures) -> None:
    with pytest.raises(UsageError) as error:
        features.fit(rows)
    assert message in str(error.value)


def test_a_folder_is_no_row(photos: Photos, images: list[Path], features: CachedFeatures) -> None:
    with pytest.raises(UsageError, match="row 1 is a folder"):
        features.fit([images[0], photos.root])


def test_an_unreadable_image_costs_nobody_the_others(
    photos: Photos, images: list[Path], features: CachedFeatures
) -> None:
    bad = photos.root / "bad.png"
    bad.write_bytes(b"no picture")
    with pytest.raises(UnreadableImagesError, match=r"bad\.png.*kept: leave these out"):
        features.fit([*images, bad])
    features.fit(images)
    assert features.n_computed_ == 0


def test_other_options_than_those_of_the_fit_are_refused(
    photos: Photos, images: list[Path], features: CachedFeatures
) -> None:
    features.fit(images)
    features.set_params(image_size=SIDE * 2)
    with pytest.raises(CacheMismatchError, match="image_size 8 -> 16"):
        features.transform(photos.add("b"))


def test_int8_belongs_to_a_data_set(images: list[Path], tmp_path: Path) -> None:
    model = CachedFeatures("mobilenet_v2", weights="random:0", precision="int8", cache=tmp_path)
    with pytest.raises(UsageError, match="int8 is calibrated on the training images of a data set"):
        model.fit(images)


def test_deep_pixels_need_a_range_where_the_fit_had_none(
    tmp_path: Path, images: list[Path], features: CachedFeatures
) -> None:
    features.fit(images)
    deep = tmp_path / "deep.png"
    Image.fromarray((np.arange(1024, dtype=np.uint16) * 60).reshape(32, 32)).save(deep)
    with pytest.raises(UsageError, match="say what is black and white with pixel_range"):
        features.transform([deep])
    stated = clone(features).set_params(pixel_range="0..65535")
    assert stated.fit_transform([deep, images[0]]).shape == (2, SIDE * SIDE * 3)
    assert np.array_equal(stated.transform(images), features.transform(images))


WITHOUT_NUMBERS = (
    "check_estimator_cloneable",
    "check_estimator_repr",
    "check_estimator_tags_renamed",
    "check_valid_tag_types",
    "check_mixin_order",
    "check_no_attributes_set_in_init",
    "check_parameters_default_constructible",
    "check_get_params_invariance",
    "check_set_params",
)
"""The checks of scikit-learn that hand no numbers to ``fit``: all others take rows for columns of numbers."""


@pytest.mark.parametrize("name", WITHOUT_NUMBERS)
def test_it_is_an_estimator_as_far_as_images_allow(name: str) -> None:
    getattr(estimator_checks, name)("CachedFeatures", CachedFeatures())


def test_scikit_learn_knows_that_rows_are_no_numbers() -> None:
    with pytest.warns(SkipTestWarning, match="two_d_array=False"):
        (outcome,) = estimator_checks.check_estimator(CachedFeatures(), on_skip="warn")
    assert outcome["status"] == "passed"
