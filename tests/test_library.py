"""The package as a library: its public names alone lead from a folder of images to answers."""

from __future__ import annotations

import re
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
    answered = report.to_frame()
    assert list(answered.columns) == ["id", "label", "predicted", "right", "p(cats)", "p(dogs)"]
    assert answered["right"].mean() == report.figures.accuracy
    board = pipeline.sweep(["ridge", "knn"], train, val, runs=kind(runs))
    assert {row.head for row in board.results} == {"ridge", "knn"}
    assert board.to_frame()["head"].tolist() == [row.head for row in board.results]
    image = photos.files("test")[0]
    answers = pipeline.predict(kind(head.folder), kind(image), cache=kind(cache))
    assert answers.ids == [str(image)]


README = Path(__file__).parents[1] / "README.md"
BASE = 'backbone="mobilenet_v2", image_size=224'
"""What the README names, and a test has no filters of."""


def lines_of_readme(first: str) -> str:
    """Returns the block of Python in the README that begins with some words."""
    blocks = re.findall(r"```python\n(.*?)```", README.read_text(), re.DOTALL)
    (block,) = [block for block in blocks if block.startswith(first)]
    return str(block)


def test_ten_lines_of_the_readme_lead_from_a_folder_to_a_figure(
    photos: Photos, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for split, count in (("train", 6), ("val", 3), ("test", 3)):
        for label in ("cats", "dogs"):
            photos.add(f"{split}/{label}", count)
    monkeypatch.chdir(photos.root.parent)
    block = lines_of_readme("import pipeline\n")
    assert len(block.splitlines()) <= 10
    assert set(re.findall(r"pipeline\.(\w+)", block)) <= set(pipeline.__all__)
    assert 'extract("photos/"' in block
    assert BASE in block
    exec(block.replace(BASE, f'backbone="pixels", image_size={SIDE}'), {})  # noqa: S102 (our own README)
    assert re.search(r"accuracy \d\.\d{4}, 95 % interval \d\.\d{4} to \d\.\d{4}", capsys.readouterr().out)


def test_the_transformer_of_the_readme(photos: Photos, monkeypatch: pytest.MonkeyPatch) -> None:
    names = {"paths": [*photos.add("cats", 6), *photos.add("dogs", 6)], "labels": [0] * 6 + [1] * 6}
    monkeypatch.chdir(photos.root.parent)
    block = lines_of_readme("from sklearn")
    made = 'CachedFeatures("mobilenet_v2", image_size=224)'
    assert made in block
    exec(block.replace(made, f'CachedFeatures("pixels", image_size={SIDE})').replace("cv=10", "cv=3"), names)  # noqa: S102
    assert len(names["scores"]) == 3
