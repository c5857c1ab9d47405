"""Every format, with the runtime it is for: written models answer what the head answers."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from PIL import Image

from pipeline import registry
from pipeline.cache.features import Selection
from pipeline.errors import PipelineError, UsageError
from pipeline.heads import Temperature, TrainedHead, load_head, save_temperature, train_head
from pipeline.images import open_images
from pipeline.serving import export
from pipeline.serving.export import Exported, Sample, _exporting, export_model, sample_rows
from pipeline.serving.export._format import find_format

FORMATS = [
    pytest.param(
        name,
        marks=pytest.mark.skipif(
            name == "litert" and find_spec("ai_edge_litert") is None, reason="ai-edge-litert is not installed"
        ),
    )
    for name in registry.names(export)
]

# Keras 3.15 converts its variables in a way that NumPy 2.4 has deprecated.
pytestmark = [
    pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept:DeprecationWarning"),
    pytest.mark.parametrize("form", FORMATS),
]

Train = Callable[..., tuple[TrainedHead, Selection]]
CLOSE = 1e-3


@pytest.fixture(scope="module")
def models() -> dict[str, Exported]:
    """The models of one plain head that tests of this file have written, by format."""
    return {}


@pytest.fixture
def model(form: str, train: Train, models: dict[str, Exported]) -> Exported:
    """That head in the format under test, written once; who changes the model copies it."""
    if form not in models:
        models[form] = export_model(train("logreg")[0], format=form)
    return models[form]


@pytest.fixture
def older(form: str, model: Exported, tmp_path: Path) -> Path:
    """A copy of that model in a folder of its own."""
    path = tmp_path / "out" / f"model{find_format(form).SUFFIX}"
    path.parent.mkdir()
    (shutil.copytree if model.path.is_dir() else shutil.copyfile)(model.path, path)
    return path


def every_row(trained: TrainedHead, chosen: Selection) -> Sample:
    """All test images with the head's answers to their cached features."""
    features = chosen.open("test")
    sample = sample_rows(trained, features, open_images(chosen.entries[0].source), count=len(features))
    assert sample is not None
    assert len(sample.images) == len(features) == 16
    np.testing.assert_array_equal(sample.probabilities, trained.predict_proba(features))
    return sample


def test_a_real_base_answers_as_from_the_cache(form: str, train: Train, tmp_path: Path) -> None:
    trained, chosen = train("logreg", backbone="mobilenet_v2_035", pooling="avg")
    sample = every_row(trained, chosen)

    exported = export_model(trained, format=form, sample=sample)

    assert exported.checked == 16
    assert exported.max_difference < CLOSE
    answers = find_format(form).open_answers(exported.path)(sample.images)["probabilities"]
    assert answers.dtype == np.float32
    np.testing.assert_allclose(answers, sample.probabilities, atol=CLOSE)
    np.testing.assert_allclose(answers.sum(axis=1), 1, atol=1e-5)
    assert np.ptp(sample.probabilities) > 0.5  # or the head would have learnt nothing worth comparing


def test_a_keras_head_with_scaling_and_dropout(form: str, train: Train) -> None:
    trained, chosen = train("dense", options={"units": 8, "epochs": 3})
    sample = every_row(trained, chosen)

    exported = export_model(load_head(trained.folder), format=form, sample=sample)

    assert exported.max_difference < CLOSE


def test_any_number_of_images_at_once(form: str, train: Train, model: Exported) -> None:
    sample = every_row(*train("logreg"))
    answers = find_format(form).open_answers(model.path)

    one_by_one = np.concatenate([answers(image[None])["probabilities"] for image in sample.images[:5]])

    np.testing.assert_allclose(answers(sample.images[:5])["probabilities"], one_by_one, atol=1e-6)


def test_the_example_runs(
    form: str, train: Train, crops: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained, _ = train("logreg")
    monkeypatch.chdir(tmp_path)
    path = Path('it\'s "quoted" and ünïcode') / f"my model{find_format(form).SUFFIX}"
    exported = export_model(trained, path, format=form)
    file = next(crops.glob("test/flower/*"))
    with Image.open(file) as photo:
        photo.save("photo.jpg", quality=100)
        pixels = np.asarray(Image.open("photo.jpg").resize((32, 32), Image.Resampling.BILINEAR))
    printed: list[Any] = []

    assert exported.example.count("\n") == 2
    exec(exported.example, {"print": printed.append})  # noqa: S102

    (answer,) = printed
    while isinstance(answer, dict | list):
        (answer,) = answer.values() if isinstance(answer, dict) else answer
    answers = find_format(form).open_answers(path)
    np.testing.assert_allclose(np.asarray(answer), answers(pixels[None])["probabilities"], atol=1e-5)


def test_names_of_classes_and_origin_are_inside(form: str, train: Train, model: Exported) -> None:
    trained, chosen = train("logreg")

    about = {name: json.loads(text) for name, text in find_format(form).read_about(model.path).items()}

    assert about["classes"] == ["china", "flower"]
    assert about["about"]["head"] == "logreg"
    assert about["about"]["spec"]["backbone"] == "tiny"
    for folder in (trained.folder.parents[3], Path(chosen.entries[0].source)):
        assert str(folder) not in json.dumps(about)


def test_an_older_model_gives_way_to_a_whole_new_one(
    form: str, train: Train, older: Path, tmp_path: Path
) -> None:
    _, chosen = train("logreg")
    other = train_head("logreg", chosen.open("train"), None, options={"C": 1e-6}, runs=tmp_path / "others")

    export_model(other, older, format=form)

    assert json.loads(find_format(form).read_about(older)["about"])["options"]["C"] == 1e-6
    assert {*older.parent.iterdir()} == {older, older.with_name(f"{older.name}.md")}


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()], ids=repr)
def test_what_fails_leaves_the_older_model_and_nothing_else(
    form: str, error: BaseException, train: Train, older: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained, _ = train("logreg")
    module = find_format(form)
    write, before = module.write, module.read_about(older)

    def broken(*arguments: Any, **options: Any) -> None:
        write(*arguments, **options)
        raise error

    monkeypatch.setattr(module, "write", broken)
    expected = PipelineError if isinstance(error, OSError) else KeyboardInterrupt
    with pytest.raises(expected):
        export_model(trained, older, format=form)

    assert module.read_about(older) == before
    assert list(older.parent.iterdir()) == [older]


def test_a_model_that_answers_otherwise_is_not_published(form: str, train: Train, tmp_path: Path) -> None:
    trained, chosen = train("logreg")
    sample = every_row(trained, chosen)
    wrong = Sample(sample.split, sample.images, sample.probabilities[:, ::-1])
    path = tmp_path / "out" / f"model{find_format(form).SUFFIX}"

    with pytest.raises(
        PipelineError, match=r"does not answer what head 'logreg' answers.*Nothing was written"
    ):
        export_model(trained, path, format=form, sample=wrong)

    assert not list(path.parent.iterdir())


@pytest.mark.parametrize("kind", ["file", "folder"])
def test_something_else_is_never_replaced(form: str, kind: str, train: Train, tmp_path: Path) -> None:
    trained, _ = train("logreg")
    path = tmp_path / f"thesis{find_format(form).SUFFIX}"
    if kind == "folder":
        path.mkdir()
    (path / "chapter" if kind == "folder" else path).write_text("the only copy")

    with pytest.raises(UsageError, match=rf"thesis.* exists and is no {form} model: choose another place"):
        export_model(trained, path, format=form)

    assert (path / "chapter" if kind == "folder" else path).read_text() == "the only copy"


def test_a_place_that_cannot_be_written_is_named(form: str, train: Train, tmp_path: Path) -> None:
    trained, _ = train("logreg")
    (tmp_path / "file").write_text("")

    with pytest.raises(PipelineError, match=r"cannot be written to .*file.*Choose another place with --out"):
        export_model(trained, tmp_path / "file" / f"model{find_format(form).SUFFIX}", format=form)


def test_missing_packages_are_named(
    form: str, train: Train, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    trained, _ = train("logreg")
    monkeypatch.setattr(find_format(form), "PACKAGES", ("no_such_package",))
    monkeypatch.setattr(_exporting, "build_network", lambda *_: pytest.fail("the base was loaded"))

    with pytest.raises(
        UsageError, match=rf"'{form}' needs no_such_package: pip install 'two-stage-pipeline\[export\]'"
    ):
        export_model(trained, format=form)


def test_a_calibrated_head_answers_as_it_does_here(form: str, train: Train, tmp_path: Path) -> None:
    trained, chosen = train("logreg", own=True)
    temperature = Temperature(value=2.5, low=2.0, high=3.0, rows=200)
    calibrated = save_temperature(trained, temperature)
    sample = sample_rows(calibrated, chosen.open("test"), open_images(chosen.entries[0].source), count=16)

    exported = export_model(calibrated, format=form, sample=sample)

    assert exported.max_difference < 1e-3
    assert exported.to_json()["temperature"] == 2.5
    about = json.loads(find_format(form).read_about(exported.path)["about"])
    assert about["temperature"] == temperature.to_json()
    answers = find_format(form).open_answers(exported.path)(sample.images[:1])["probabilities"]
    np.testing.assert_allclose(answers, sample.probabilities[:1], atol=1e-3)
    uncalibrated = sample_rows(trained, chosen.open("test"), open_images(chosen.entries[0].source), count=16)
    assert np.abs(uncalibrated.probabilities - sample.probabilities).max() > 0.02


def test_a_card_stands_beside_the_model(form: str, model: Exported, train: Train) -> None:
    text = model.card.read_text()
    assert model.card == model.path.with_name(f"{model.path.name}.md")
    _, front, body = text.split("---\n", 2)
    head = yaml.safe_load(front)
    assert head["pipeline_tag"] == "image-classification"
    assert head["library_name"] == form
    assert "model-index" not in head
    assert "Not evaluated on test yet" in body
    assert model.example in body
    assert all(f"| {name} | " in body for name in model.classes)
    assert f"| base | {train('logreg')[0].spec.backbone} |" in body


def test_a_file_of_yours_in_the_place_of_the_card_stays(
    form: str, model: Exported, older: Path, train: Train
) -> None:
    card = older.with_name(f"{older.name}.md")
    card.write_text("mine")
    with pytest.raises(PipelineError, match=re.escape(card.name)):
        export_model(train("logreg")[0], older, format=form)
    assert card.read_text() == "mine"
