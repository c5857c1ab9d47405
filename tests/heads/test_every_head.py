"""What every head promises; a new file in the folder is tested here without a change."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest

import pipeline.heads
from pipeline import registry
from pipeline.cache import FeatureSet
from pipeline.errors import CacheMismatchError, PipelineError, UsageError
from pipeline.evaluation.evidence import Evidence
from pipeline.heads import TrainedHead, describe_head, fit_head, load_head, make_head, train_head
from pipeline.heads._keras.keras_head import PIXELS
from pipeline.options import describe_type

NAMES = registry.names(pipeline.heads)

QUICK = {"epochs": 15, "head_epochs": 5, "learning_rate": 0.01, "filters": (8, 16)}
"""Given to the heads that know them, so that a toy set is learnt in a few steps."""

IN_STEPS = "hist-gradient-boosting"
"""Its trees agree so far on a toy set that no place alone changes an answer."""

pytestmark = [
    pytest.mark.parametrize("name", NAMES),
    # Keras 3.15 converts its variables in a way that NumPy 2.4 has deprecated.
    pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept:DeprecationWarning"),
]


def quick(name: str, **changes: object) -> dict[str, object]:
    known = {option.name for option in describe_head(name).options}
    return {key: value for key, value in (QUICK | changes).items() if key in known}


@pytest.fixture
def saved(
    name: str,
    train: FeatureSet,
    valid: FeatureSet,
    kept: dict[str, TrainedHead],
    tmp_path_factory: pytest.TempPathFactory,
) -> TrainedHead:
    """The head, trained with seed 5 and saved."""
    if name not in kept:
        runs = tmp_path_factory.mktemp(name)
        kept[name] = train_head(name, train, valid, options=quick(name), seed=5, runs=runs)
    return kept[name]


def test_learns_a_separable_set(
    name: str, saved: TrainedHead, train: FeatureSet, make_toy: Callable[..., FeatureSet]
) -> None:
    test = make_toy("test", rows=31)
    proba = saved.predict_proba(test)

    assert proba.shape == (31, 3)
    assert proba.dtype == np.float64
    assert proba.sum(axis=1) == pytest.approx(1, abs=1e-12)
    assert np.mean(proba.argmax(axis=1) == test.labels) >= 0.9
    assert saved.val_accuracy >= 0.9
    assert saved.train_rows == 60
    assert saved.folder.parts[-3:] == ("toy", train.spec.entry_name, name)


def test_same_seed_gives_the_same_scores(
    name: str, saved: TrainedHead, train: FeatureSet, valid: FeatureSet
) -> None:
    again = fit_head(name, train, valid, options=quick(name), seed=5)

    assert np.array_equal(again.predict_proba(valid), saved.predict_proba(valid))
    assert again.history == saved.history


def test_loaded_head_gives_the_same_scores(name: str, saved: TrainedHead, valid: FeatureSet) -> None:
    loaded = load_head(saved.folder)

    assert np.array_equal(loaded.predict_proba(valid), saved.predict_proba(valid))
    for field in {field.name for field in dataclasses.fields(saved)} - {
        "model",
        "seen",
        "not_found",
        "balance",
        "familiarity",
    }:
        assert getattr(loaded, field) == getattr(saved, field)
    assert loaded.seen.to_bytes() == saved.seen.to_bytes()
    assert loaded.familiarity.to_json() == saved.familiarity.to_json()
    assert loaded.familiarity.to_bytes() == saved.familiarity.to_bytes()


def test_shows_what_spoke_for_a_class(name: str, saved: TrainedHead, train: FeatureSet) -> None:
    row = train.to_memory()[0]

    found = Evidence.of(saved, train).of_class(row, int(train.labels[0]))

    assert found.shape == row.shape[:2]
    assert np.isfinite(found).all()
    assert found.any() or name == IN_STEPS


def test_learns_uint8_features(
    name: str, kind: str, train: FeatureSet, make_features: Callable[..., FeatureSet]
) -> None:
    if kind == PIXELS:
        pytest.skip("pixels are of this type in every other test")
    features = np.clip(train.features * 16 + 64, 0, 255).astype(np.uint8)
    rows = make_features(features, train.labels, spec=train.spec)

    trained = fit_head(name, rows, options=quick(name, epochs=1, head_epochs=1))

    assert trained.predict_proba(rows).shape == (60, 3)


def test_refuses_features_of_another_spec(name: str, saved: TrainedHead, valid: FeatureSet) -> None:
    other = dataclasses.replace(valid.spec, image_size=999, precision="bfloat16")

    with pytest.raises(CacheMismatchError, match=r"image_size 999 instead of \d+, precision 'bfloat16'"):
        saved.predict_proba(dataclasses.replace(valid, spec=other))


def test_refuses_validation_rows_of_other_classes(name: str, train: FeatureSet, valid: FeatureSet) -> None:
    other = dataclasses.replace(valid, classes=("ant", "dog", "cat"))

    with pytest.raises(CacheMismatchError, match=r"classes .*: only one of the two has bee, dog\."):
        fit_head(name, train, other, options=quick(name, epochs=1))


def test_refuses_one_class(name: str, make_features: Callable[..., FeatureSet]) -> None:
    lonely = make_features(np.zeros((4, 2, 2, 8), np.float16), [1, 1, -1, 1], classes=("ant", "bee"))

    with pytest.raises(UsageError, match=r"every labelled row \(3 in all\) is of .*'bee'.*at least two"):
        fit_head(name, lonely)


def test_refuses_features_that_are_no_numbers(
    name: str, kind: str, train: FeatureSet, make_features: Callable[..., FeatureSet]
) -> None:
    if kind == PIXELS:
        pytest.skip("pixels are stored as integers, which are always numbers")
    features = train.features.copy()
    features[[17, 40], 1, 0, 3] = np.nan, np.inf
    broken = make_features(features, train.labels, spec=train.spec)

    with pytest.raises(PipelineError, match=r"row 17 \(train/image17.png\) hold NaN or infinity \(2 such"):
        fit_head(name, broken, options=quick(name, epochs=1))


def test_learns_float32_features_of_labelled_rows_of_the_seen_classes(
    name: str,
    train: FeatureSet,
    make_features: Callable[..., FeatureSet],
    capsys: pytest.CaptureFixture[str],
) -> None:
    # "bee" has no training row at all, and what is unlabelled holds noise.
    labels = np.where(train.labels == 1, -1, train.labels)
    features = train.features.astype(np.float32)
    partly, whole = (
        make_features(features, some, classes=train.classes, spec=train.spec)
        for some in (labels, train.labels)
    )

    trained = fit_head(name, partly, whole, options=quick(name))
    proba = trained.predict_proba(whole)

    assert trained.class_counts == (20, 0, 20)
    assert (proba[:, 1] == 0).all()
    assert np.mean(proba.argmax(axis=1) == train.labels) == pytest.approx(2 / 3, abs=0.05)
    captured = capsys.readouterr()
    assert "no training rows of class bee" in captured.err
    assert captured.out == ""


def test_predicts_no_rows(saved: TrainedHead, make_toy: Callable[..., FeatureSet], name: str) -> None:
    assert saved.predict_proba(make_toy("test", rows=0)).shape == (0, 3)


def test_describes_itself(name: str) -> None:
    info = describe_head(name)

    assert info.name == name
    assert len(info.description) > 20
    assert info.description.endswith(".")
    for option in info.options:
        assert option.default is not dataclasses.MISSING
        assert describe_type(option.type) in str(option)
    defaults = {option.name: option.default for option in info.options}
    assert dataclasses.asdict(make_head(name, defaults)) == defaults


def test_reads_its_own_defaults_as_text(name: str) -> None:
    written = dict(str(option).split(" = ") for option in describe_head(name).options)
    as_text = {key.partition(":")[0]: value for key, value in written.items()}

    assert make_head(name, as_text) == make_head(name, {})


def test_unknown_option_lists_the_valid_ones(name: str, train: FeatureSet) -> None:
    with pytest.raises(UsageError, match=f"unknown option of head '{name}', 'colour'") as caught:
        fit_head(name, train, options={"colour": "red"})

    for option in describe_head(name).options:
        assert str(option) in str(caught.value)
