"""Heads of several labels and of numbers in every format: what the model answers, carries and prints."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx_files import TOML, convnet, save
from PIL import Image

from pipeline import registry
from pipeline.cache.features import Selection
from pipeline.errors import PipelineError, UsageError
from pipeline.extraction import FeatureRequest, extract
from pipeline.heads import TrainedHead, train_head
from pipeline.images import open_images
from pipeline.images.source_options import SourceOptions
from pipeline.images.targets import LABELS, NUMBER
from pipeline.serving import export
from pipeline.serving.export import Exported, Sample, export_model, sample_rows
from pipeline.serving.export._format import find_format

# Keras 3.15 converts its variables in a way that NumPy 2.4 has deprecated.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept:DeprecationWarning")

FORMATS = [
    pytest.param(
        name,
        marks=pytest.mark.skipif(
            name == "litert" and find_spec("ai_edge_litert") is None, reason="ai-edge-litert is not installed"
        ),
    )
    for name in registry.names(export)
]
KINDS = [LABELS, NUMBER]
NAMES = {LABELS: ("bright", "ünlike | any", "left"), NUMBER: ("light, in lux", "side")}
SIZE = 8

Known = dict[str, tuple[TrainedHead, Selection]]
Learn = Callable[[str], tuple[TrainedHead, Selection]]


@pytest.fixture(scope="module")
def squares(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Grey squares whose left and right halves tell the targets; of some rows one is unknown."""
    folder = tmp_path_factory.mktemp("squares")
    random = np.random.default_rng(0)
    tables = {kind: ["path," + ",".join(f'"{name}"' for name in NAMES[kind])] for kind in KINDS}
    for number in range(150):
        left, right = random.integers(40, 200, 2)
        pixels = random.integers(0, 40, (SIZE, SIZE)) + np.where(np.arange(SIZE) < SIZE / 2, left, right)
        Image.fromarray(pixels.astype(np.uint8)).convert("RGB").save(folder / f"{number}.png")
        marks = [left + right > 240, number % 2, left > right]
        values = [1000 + 10 * (left + right), "" if number % 9 == 0 else (left - right) / 1000]
        tables[LABELS].append(",".join([f"{number}.png", *(str(int(mark)) for mark in marks)]))
        tables[NUMBER].append(",".join([f"{number}.png", *map(str, values)]))
    for kind, lines in tables.items():
        (folder / f"{kind}.csv").write_text("\n".join(lines) + "\n")
    return folder


@pytest.fixture(scope="module")
def learn(squares: Path, tmp_path_factory: pytest.TempPathFactory) -> Learn:
    """Extracts the squares with targets of a kind and trains ridge on them, once for all tests."""
    known: Known = {}

    def learn(kind: str) -> tuple[TrainedHead, Selection]:
        if kind not in known:
            folder = tmp_path_factory.mktemp(kind)
            options = SourceOptions(target_column=NAMES[kind], target=kind)
            request = FeatureRequest(backbone="pixels", image_size=SIZE)
            done = extract(
                str(squares / f"{kind}.csv"), request, cache=folder / "cache", source_options=options
            )
            chosen = Selection(tuple(one.entry for one in done))
            train, val = chosen.open("train"), chosen.open("val")
            known[kind] = train_head("ridge", train, val, runs=folder / "runs"), chosen
        return known[kind]

    return learn


@pytest.fixture(scope="module")
def models(learn: Learn) -> Callable[[str, str], tuple[Exported, Sample]]:
    """The exported models, each written and checked once, and what each was checked on."""
    known: dict[tuple[str, str], tuple[Exported, Sample]] = {}

    def model(form: str, kind: str) -> tuple[Exported, Sample]:
        if (form, kind) not in known:
            trained, chosen = learn(kind)
            sample = rows_of_test(trained, chosen)
            known[form, kind] = export_model(trained, format=form, sample=sample, features=chosen), sample
        return known[form, kind]

    return model


Models = Callable[[str, str], tuple[Exported, Sample]]


def rows_of_test(trained: TrainedHead, chosen: Selection) -> Sample:
    entry = chosen.entries[0]
    source = open_images(entry.source, entry.source_options)
    sample = sample_rows(trained, chosen.open("test"), source, count=12)
    assert sample is not None
    return sample


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("form", FORMATS)
def test_it_answers_what_the_head_answers(form: str, kind: str, models: Models, learn: Learn) -> None:
    exported, sample = models(form, kind)
    trained, chosen = learn(kind)
    assert trained.val_figure is not None
    assert trained.val_figure[1] > 0.8  # a head would have learnt nothing worth comparing

    given = find_format(form).open_answers(exported.path)(sample.images)[exported.output]

    assert exported.output == {LABELS: "probabilities", NUMBER: "numbers"}[kind]
    assert given.dtype == np.float32
    np.testing.assert_allclose(given, sample.answers, rtol=1e-4, atol=1e-4)
    deviations = 1.0 if kind == LABELS else np.nanstd(chosen.open("test").targets, axis=0)
    np.testing.assert_allclose(sample.units, deviations, rtol=1e-5)
    assert exported.max_difference is not None
    assert exported.max_difference < 1e-3


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("form", FORMATS)
def test_names_kind_and_thresholds_are_inside(form: str, kind: str, models: Models, learn: Learn) -> None:
    exported, _ = models(form, kind)
    trained, _ = learn(kind)

    texts = {name: json.loads(text) for name, text in find_format(form).read_about(exported.path).items()}

    assert "classes" not in texts
    assert texts[{LABELS: "labels", NUMBER: "numbers"}[kind]] == list(NAMES[kind])
    assert texts.get("thresholds") == (list(trained.thresholds) if kind == LABELS else None)
    about = texts["about"]
    assert (about["target"], about["output"]) == (kind, exported.output)
    assert ("threshold" if kind == LABELS else "unit") in about["meaning"]
    assert about[{LABELS: "val_map", NUMBER: "val_r2"}[kind]] == trained.val_figure[1]
    assert not {"val_accuracy", "temperature"} & about.keys()


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("form", FORMATS)
def test_the_example_of_the_card_prints_the_answer(
    form: str,
    kind: str,
    models: Models,
    learn: Learn,
    squares: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    exported, _ = models(form, kind)
    trained, _ = learn(kind)
    monkeypatch.chdir(tmp_path)
    assert exported.example in exported.card.read_text()
    found = []
    for number in range(8):
        pixels = np.asarray(Image.open(squares / f"{number}.png"))
        Image.fromarray(pixels).save("photo.jpg", format="png")
        printed: list[Any] = []
        exec(exported.example, {"print": printed.append})  # noqa: S102
        (row,) = trained.new_targets(pixels[None])
        expected: Any = dict(zip(NAMES[kind], row.tolist(), strict=True))
        if kind == LABELS:
            expected = [name for i, name in enumerate(NAMES[kind]) if row[i] >= trained.answered_from[i]]
        assert printed == [expected if kind == LABELS else pytest.approx(expected, rel=1e-4, abs=1e-4)]
        found.append(printed[0])
    assert any(one != found[0] for one in found)


@pytest.mark.parametrize("kind", KINDS)
def test_the_card_counts_images_and_names_the_commands(kind: str, models: Models, learn: Learn) -> None:
    trained, chosen = learn(kind)
    body = models("keras", kind)[0].card.read_text()
    splits = {split: chosen.open(split) for split in ("train", "val", "test")}
    for place in (0, 2) if kind == LABELS else (0, 1):
        columns = [part.targets[:, place] for part in splits.values()]
        counts = [int(np.nansum(one) if kind == LABELS else (~np.isnan(one)).sum()) for one in columns]
        assert f"| {NAMES[kind][place]} | {counts[0]} | {' | '.join(map(str, counts))} |" in body
    sizes = " | ".join(str(len(part)) for part in splits.values())
    assert f"| all | {trained.train_rows} | {sizes} |" in body
    assert "has changed since" not in body
    assert f"pipeline extract --data {kind}.csv " in body
    assert "--target-column" in body
    assert f"train-head --entry {kind}/" in body


@pytest.mark.parametrize("kind", KINDS)
def test_an_onnx_model_tells_familiarity_beside_them(kind: str, models: Models, learn: Learn) -> None:
    exported, sample = models("onnx", kind)
    trained, _ = learn(kind)
    module = find_format("onnx")
    outputs = module.open_answers(exported.path)(sample.images)
    assert list(outputs) == [exported.output, "familiarity"]
    np.testing.assert_allclose(outputs["familiarity"], sample.familiarity, rtol=0, atol=2e-5)
    said = json.loads(module.read_about(exported.path)["familiarity"])
    assert said["threshold"] == trained.familiarity.threshold
    assert f"its {kind}" in said["meaning"]
    alone = models("keras", kind)[0]
    assert f"{exported.output} alone" in alone.without_familiarity


@pytest.mark.parametrize("kind", KINDS)
def test_they_stand_behind_a_base_in_a_file_too(kind: str, squares: Path, tmp_path: Path) -> None:
    network = str(save(convnet(), tmp_path / "mine.onnx", config=TOML))
    request = FeatureRequest(backbone=network, layers=("map", "vector"), precision="float32")
    options = SourceOptions(target_column=NAMES[kind], target=kind)
    done = extract(str(squares / f"{kind}.csv"), request, cache=tmp_path / "cache", source_options=options)
    chosen = Selection(tuple(one.entry for one in done))
    trained = train_head("ridge", chosen.open("train"), chosen.open("val"), runs=tmp_path / "runs")

    exported = export_model(
        trained, format="onnx", weights=network, sample=rows_of_test(trained, chosen), features=chosen
    )

    assert exported.max_difference is not None
    assert exported.max_difference < 5e-3  # of features that were rounded to float16
    assert exported.familiarity is not None


@pytest.mark.parametrize("kind", KINDS)
def test_a_model_that_answers_otherwise_is_not_published(kind: str, learn: Learn, tmp_path: Path) -> None:
    trained, chosen = learn(kind)
    sample = rows_of_test(trained, chosen)
    wrong = dataclasses.replace(sample, answers=sample.answers + 0.02 * np.asarray(sample.units))
    words = r"differs by 0\.0\d+" + (" standard deviations" if kind == NUMBER else r"\.")

    with pytest.raises(PipelineError, match=words):
        export_model(trained, tmp_path / "model.keras", format="keras", sample=wrong)

    assert not (tmp_path / "model.keras").exists()


@pytest.mark.parametrize("kind", KINDS)
def test_a_head_that_is_no_layers_names_those_that_are(kind: str, learn: Learn) -> None:
    _, chosen = learn(kind)
    near = train_head("knn", chosen.open("train"), chosen.open("val"), runs=chosen.entries[0].cache / "runs")

    with pytest.raises(UsageError, match=r"head 'knn' cannot be exported: .* can: ann, .*ridge") as refused:
        export_model(near, format="keras")

    assert ("logreg" in str(refused.value)) == (kind == LABELS)


def test_json_tells_thresholds_of_labels_and_no_classes(models: Models, learn: Learn) -> None:
    labels, numbers = (models("keras", kind)[0].to_json() for kind in KINDS)
    for told in (labels, numbers):
        assert not {"classes", "temperature"} & told.keys()
        json.dumps(told)
    assert (labels["target"], labels["labels"]) == (LABELS, NAMES[LABELS])
    assert labels["thresholds"] == learn(LABELS)[0].thresholds
    assert (numbers["target"], numbers["numbers"]) == (NUMBER, NAMES[NUMBER])
    assert "thresholds" not in numbers
    assert numbers["output"] == {"name": "numbers", "dtype": "float32", "shape": [None, 2]}
