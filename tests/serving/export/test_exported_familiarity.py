"""The second output of an ONNX model is what ``pipeline predict`` says, for every head that is exported."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx_files import TOML, convnet, save

from pipeline.cache.descriptions import Descriptions
from pipeline.cache.features import Selection
from pipeline.errors import PipelineError
from pipeline.extraction import FeatureRequest, extract
from pipeline.heads import TrainedHead, describe_head, layered_heads, train_head
from pipeline.images import open_images
from pipeline.runtimes.keras import import_keras
from pipeline.serving.export import Sample, export_model, sample_rows
from pipeline.serving.export._familiarity import _described
from pipeline.serving.predictor import Predictor

# Keras 3.15 converts its variables in a way that NumPy 2.4 has deprecated.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept:DeprecationWarning")

CLOSE = 2e-5
"""Features that were kept in float16, and the graph does not round, differ in the sixth digit."""
EXACT = 1e-6
"""Those that were kept in float32 do not."""

DIGITS = "sample:240:builtin:digits"
PIXELS = {"backbone": "pixels", "weights": "none", "precision": "auto"}
MAPS = {"layers": ("stem",)}
CUTS = {"layers": ("stem:avg", "end")}
REQUESTS = {
    **dict.fromkeys(("ann", "cnn", "cnn-cifar"), PIXELS),
    **dict.fromkeys(("finetune", "gap-bn-dense", "gap-softmax"), MAPS),
    "ensemble": CUTS,
}
QUICK = {"epochs": 2, "head_epochs": 1, "filters": (4, 8), "members": "2*logreg@stem:avg + ridge@end"}

Fit = Callable[..., tuple[TrainedHead, Selection]]


@pytest.fixture(scope="module")
def extracted() -> dict[str, Selection]:
    """Features that tests of this file have made, by what was asked for."""
    return {}


@pytest.fixture
def fit(
    extracted: dict[str, Selection], tmp_path: Path, tmp_path_factory: pytest.TempPathFactory, tiny_base: None
) -> Fit:
    """Trains a head on features of scanned digits, val among them, so that it has familiarity."""

    def fit(name: str, **request: object) -> tuple[TrainedHead, Selection]:
        asked = repr(request)
        if asked not in extracted:
            base = {"backbone": "tiny", "weights": "random", "image_size": 32, "precision": "float32"}
            wanted = FeatureRequest(**(base | {"batch_size": 8} | request))
            cache = tmp_path_factory.mktemp("features")
            extracted[asked] = Selection(tuple(one.entry for one in extract(DIGITS, wanted, cache=cache)))
        chosen = extracted[asked]
        options = {key: QUICK[key] for key in {one.name for one in describe_head(name).options} & {*QUICK}}
        train, valid = chosen.open("train"), chosen.open("val")
        return train_head(name, train, valid, options=options, runs=tmp_path / "runs"), chosen

    return fit


def rows_of_test(trained: TrainedHead, chosen: Selection) -> Sample:
    """All test images with what the head says of their cached features."""
    rows = chosen.open("test")
    sample = sample_rows(trained, rows, open_images(DIGITS), count=len(rows))
    assert sample is not None
    assert len(sample.images) == len(rows) > 20
    return sample


def run(path: Path, images: np.ndarray) -> list[np.ndarray]:
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    assert [one.name for one in session.get_outputs()] == ["probabilities", "familiarity"]
    return session.run(None, {"images": images})


@pytest.mark.parametrize("name", layered_heads())
def test_it_equals_what_predict_says(name: str, fit: Fit) -> None:
    trained, chosen = fit(name, **REQUESTS.get(name, {}))
    sample = rows_of_test(trained, chosen)
    predictions = Predictor(chosen, trained).predict(open_images(DIGITS))
    said = dict(zip(predictions.ids, predictions.familiarity, strict=True))
    expected = np.array([said[one] for one in chosen.open("test").rows.ids])
    assert np.ptp(expected) > 1e-3

    exported = export_model(trained, format="onnx", sample=sample)

    probabilities, familiarity = run(exported.path, sample.images)
    assert (familiarity.dtype, familiarity.shape) == (np.float32, (len(expected),))
    np.testing.assert_allclose(familiarity, expected, rtol=0, atol=CLOSE)
    np.testing.assert_allclose(probabilities, sample.probabilities, atol=5e-3)
    assert exported.familiarity_difference <= CLOSE


@pytest.mark.parametrize("request_", [{}, {"pooling": "max"}, MAPS, CUTS, PIXELS], ids=str)
def test_it_is_exact_where_features_were_not_rounded(request_: dict[str, object], fit: Fit) -> None:
    trained, chosen = fit("prototype", **(request_ | ({} if request_ is PIXELS else {"store": "float32"})))
    sample = rows_of_test(trained, chosen)

    exported = export_model(trained, format="onnx")

    _, familiarity = run(exported.path, sample.images)
    np.testing.assert_allclose(familiarity, sample.familiarity, rtol=0, atol=EXACT)


@pytest.mark.parametrize(
    "shapes", [((7,),), ((3, 5, 70),), ((19, 40, 2),), ((9, 3),), ((9, 66),), ((4, 4, 8), (70,))], ids=str
)
def test_layers_describe_features_as_the_head_does(shapes: tuple[tuple[int, ...], ...]) -> None:
    keras = import_keras()
    flat = np.random.default_rng(0).normal(size=(6, sum(int(np.prod(one)) for one in shapes)))
    flat = np.concatenate([flat, np.zeros((1, flat.shape[1]))]).astype(np.float32)
    features = flat.reshape(7, *shapes[0]) if len(shapes) == 1 else flat
    given = keras.Input(features.shape[1:])
    network = keras.Model(given, _described(given, shapes))
    expected = Descriptions(shapes).describe(features)
    np.testing.assert_allclose(np.asarray(network(features)), expected, rtol=0, atol=EXACT)


def test_threshold_and_meaning_stand_in_the_model(fit: Fit) -> None:
    trained, _ = fit("logreg")

    exported = export_model(trained, format="onnx")

    properties = {one.key: one.value for one in onnx.load(exported.path).metadata_props}
    assert json.loads(properties["classes"]) == list(trained.classes)
    said = json.loads(properties["familiarity"])
    assert said.pop("output") == "familiarity"
    assert "unlike anything" in said.pop("meaning")
    assert said == trained.familiarity.rule
    assert exported.familiarity == trained.familiarity.rule
    described = exported.to_json()["familiarity"]
    assert described == {
        "name": "familiarity",
        "dtype": "float32",
        "shape": [None],
        **trained.familiarity.rule,
    }
    card = exported.card.read_text()
    assert f"The threshold is {trained.familiarity.threshold:.4f}" in card
    assert "Look at `familiarity` first" in card


def test_without_it_there_is_one_output_as_before(fit: Fit, tmp_path: Path) -> None:
    trained, _ = fit("logreg")
    unknown = dataclasses.replace(trained, familiarity=None)

    exported = export_model(unknown, tmp_path / "model.onnx", format="onnx")

    model = onnx.load(exported.path)
    assert [one.name for one in model.graph.output] == ["probabilities"]
    assert {one.key for one in model.metadata_props} == {"classes", "about"}
    assert exported.familiarity is None
    assert "val had fewer than 19 images" in exported.without_familiarity
    assert exported.without_familiarity in exported.card.read_text()


def test_formats_of_one_output_say_so(fit: Fit) -> None:
    exported = export_model(fit("logreg")[0], format="keras")

    assert exported.familiarity is None
    assert "--format onnx gives both" in exported.without_familiarity


def test_a_model_whose_familiarity_is_wrong_is_not_published(fit: Fit) -> None:
    trained, chosen = fit("logreg")
    sample = rows_of_test(trained, chosen)
    wrong = dataclasses.replace(sample, familiarity=sample.familiarity - 0.02)

    with pytest.raises(
        PipelineError, match=r"the familiarity of the .* differs by 0\.02.*Nothing was written"
    ):
        export_model(trained, format="onnx", sample=wrong)

    assert not list(trained.folder.glob("export/*"))


def test_it_stands_behind_a_base_in_a_file_too(tmp_path: Path) -> None:
    network = str(save(convnet(), tmp_path / "mine.onnx", config=TOML))
    request = FeatureRequest(backbone=network, layers=("map", "vector"), store="float32", precision="float32")
    chosen = Selection(tuple(one.entry for one in extract(DIGITS, request, cache=tmp_path / "cache")))
    trained = train_head("logreg", chosen.open("train"), chosen.open("val"), runs=tmp_path / "runs")
    sample = rows_of_test(trained, chosen)

    exported = export_model(trained, format="onnx", weights=network, sample=sample)

    _, familiarity = run(exported.path, sample.images)
    np.testing.assert_allclose(familiarity, sample.familiarity, rtol=0, atol=CLOSE)
