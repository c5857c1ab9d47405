"""The one network of base and head, and what cannot be made into one."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import pipeline.heads
from pipeline import registry
from pipeline.cache.features import Selection
from pipeline.errors import CacheMismatchError, UsageError
from pipeline.heads import Temperature, TrainedHead, layered_heads
from pipeline.images import open_images
from pipeline.runtimes.keras import import_keras
from pipeline.serving.export import Sample, export_model, sample_rows
from pipeline.serving.export._format import find_format
from pipeline.serving.export._network import build_network

# Keras 3.15 converts its variables in a way that NumPy 2.4 has deprecated.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept:DeprecationWarning")

Train = Callable[..., tuple[TrainedHead, Selection]]


def expected(trained: TrainedHead, chosen: Selection) -> Sample:
    """Test images with the head's answers to their cached features."""
    sample = sample_rows(trained, chosen.open("test"), open_images(chosen.entries[0].source), count=16)
    assert sample is not None
    return sample


SHORT = {"epochs": 2, "head_epochs": 1}
PIXELS = {"backbone": "pixels", "weights": "none", "precision": "auto"}


@pytest.mark.parametrize(
    ("name", "request_", "options"),
    [
        ("logreg", {}, {}),
        ("logreg", {"pooling": "max"}, {}),
        ("logreg", {"store": "float32"}, {}),
        ("sgd", {"layers": ("stem:avg", "end")}, {}),
        ("dense-128", {"layers": ("stem:avg", "end:avg")}, {"epochs": 2}),
        ("finetune", {"layers": ("stem",)}, SHORT),
        ("finetune", PIXELS, {**SHORT, "backbone": "tiny", "weights": "random"}),
        ("ann", PIXELS, {"epochs": 2, "units": (8,)}),
        ("cnn", PIXELS, {"epochs": 2, "filters": (4,), "units": 8}),
        ("logreg", PIXELS, {}),
    ],
    ids=str,
)
def test_it_answers_as_from_the_cache(
    name: str, request_: dict[str, object], options: dict[str, object], train: Train, tmp_path: Path
) -> None:
    trained, chosen = train(name, options=options, **request_)
    sample = expected(trained, chosen)

    network = build_network(trained, None)

    assert [network.inputs[0].name, network.layers[-1].name] == ["images", "probabilities"]
    assert not network.trainable_variables
    answers = np.asarray(network(sample.images, training=False))
    np.testing.assert_allclose(answers, sample.probabilities, atol=1e-3)
    network.save(tmp_path / "again.keras")
    again = import_keras().saving.load_model(tmp_path / "again.keras")
    np.testing.assert_allclose(np.asarray(again(sample.images)), answers, atol=1e-6)


@pytest.mark.parametrize("value", [0.2, 4.0])
@pytest.mark.parametrize(
    ("name", "request_", "options"),
    [
        ("logreg", {}, {}),
        ("sgd", {"layers": ("stem:avg", "end")}, {}),
        ("dense-128", {"layers": ("stem:avg", "end:avg")}, {"epochs": 2}),
    ],
    ids=str,
)
def test_a_temperature_is_in_it(
    name: str, request_: dict[str, object], options: dict[str, object], value: float, train: Train
) -> None:
    trained, chosen = train(name, options=options, **request_)
    plain = expected(trained, chosen)
    temperature = Temperature(value=value, low=value, high=value, rows=100)
    calibrated = dataclasses.replace(
        trained,
        temperature=temperature,
        classes=("china", "fern", "flower"),
        class_counts=(12, 0, 12),
    )
    sample = expected(calibrated, chosen)
    assert np.abs(sample.probabilities[:, [0, 2]] - plain.probabilities).max() > 0.02

    network = build_network(calibrated, None)

    answers = np.asarray(network(sample.images, training=False))
    np.testing.assert_allclose(answers, sample.probabilities, atol=2e-3)
    assert not answers[:, 1].any()


def test_a_class_without_training_rows_has_probability_0(train: Train) -> None:
    trained, chosen = train("logreg")
    sample = expected(trained, chosen)
    three = dataclasses.replace(trained, classes=("china", "fern", "flower"), class_counts=(12, 0, 12))

    answers = np.asarray(build_network(three, None)(sample.images))

    np.testing.assert_allclose(answers[:, [0, 2]], sample.probabilities, atol=1e-3)
    assert not answers[:, 1].any()


@pytest.mark.parametrize("name", sorted({*registry.names(pipeline.heads)} - {*layered_heads()}))
def test_a_head_that_is_no_layers_is_refused_with_those_that_are(name: str, train: Train) -> None:
    trained, _ = train(name)

    with pytest.raises(UsageError, match=rf"head '{name}' cannot be exported: .*: ann, .*logreg, .*sgd"):
        export_model(trained, format="keras")


def test_filters_of_a_file_have_to_be_named_and_be_the_same(train: Train, tmp_path: Path) -> None:
    trained, _ = train("logreg")
    tiny = import_keras().applications.Tiny(weights=None, include_top=False, input_shape=(32, 32, 3))
    tiny.save_weights(tmp_path / "other.weights.h5")
    spec = dataclasses.replace(trained.spec, weights=f"sha256:{'0' * 64}")
    of_a_file = dataclasses.replace(trained, task=dataclasses.replace(trained.task, spec=spec))

    with pytest.raises(UsageError, match="in a file of yours: name it with `--weights PATH`"):
        build_network(of_a_file, None)
    with pytest.raises(CacheMismatchError, match=r"other.weights.h5' are .* but the features were made with"):
        build_network(of_a_file, str(tmp_path / "other.weights.h5"))


def test_a_name_tells_the_format(train: Train, tmp_path: Path) -> None:
    trained, _ = train("logreg")

    with pytest.raises(UsageError, match=r"model.onnx'.* of format keras ends with .keras"):
        export_model(trained, tmp_path / "model.onnx", format="keras")
    with pytest.raises(UsageError, match="unknown format 'pickle': choose from keras, litert"):
        export_model(trained, format="pickle")


def test_a_head_that_was_never_saved_has_no_place_of_its_own(train: Train) -> None:
    trained, _ = train("logreg")

    with pytest.raises(UsageError, match="say where to write the model"):
        export_model(dataclasses.replace(trained, folder=None), format="keras")


def test_folders_of_this_machine_stay_out(train: Train, tmp_path: Path) -> None:
    filters = tmp_path / "tiny.weights.h5"
    import_keras().applications.Tiny(weights=None, include_top=False, input_shape=(32, 32, 3)).save_weights(
        filters
    )
    trained, _ = train("finetune", options={**SHORT, "backbone": "tiny", "weights": str(filters)}, **PIXELS)

    exported = export_model(trained, format="keras")

    about = find_format("keras").read_about(exported.path)["about"]
    assert '"weights": "tiny.weights.h5"' in about
    assert str(tmp_path) not in about


def test_other_arithmetic_is_told_and_not_refused(train: Train, capsys: pytest.CaptureFixture[str]) -> None:
    trained, chosen = train("logreg", precision="bfloat16")
    sample = expected(trained, chosen)

    exported = export_model(trained, format="keras", sample=sample)

    assert "made in bfloat16, the exported model computes in float32" in capsys.readouterr().err
    assert 0 < exported.max_difference < 0.2
