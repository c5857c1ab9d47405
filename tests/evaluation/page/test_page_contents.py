from __future__ import annotations

import dataclasses
import functools
import os
from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import PipelineError
from pipeline.evaluation import evaluate
from pipeline.evaluation.calibrating import fit_on_val
from pipeline.evaluation.comparison import Comparison, Difference
from pipeline.evaluation.leaks import Finding, Leaks, Place
from pipeline.evaluation.ledger import Looks
from pipeline.evaluation.page import feature_map
from pipeline.evaluation.page.chapters import CHAPTERS, PARTS
from pipeline.evaluation.page.html import PAGE, SCRIPTS, STYLES, TEMPLATES
from pipeline.evaluation.page.pictures import Album, sheets
from pipeline.evaluation.page.rankings import compared_heads
from pipeline.images import open_images


def test_every_part_has_a_heading_and_a_link(make_case):
    text = make_case(("cats", "dogs")).write()
    for name, title in PARTS:
        assert f'<section id="{name}">' in text
        assert f'href="#{name}">{title}</a>' in text


def test_the_data_come_first_and_mistakes_before_the_tables(make_case):
    text = make_case(("cats", "dogs")).write()
    order = ["data", "leaks", "figures", "gallery", "thresholds", "classes", "confusion", "map", "advice"]
    places = [text.index(f'<section id="{name}">') for name in order]
    assert places == sorted(places)
    assert "<table" not in text[places[2] : places[4]]


def test_the_question_of_each_chapter_is_answered_at_the_top(make_case):
    case = make_case(("cats", "dogs"))
    top = case.write().partition("<main>")[0]
    for chapter in CHAPTERS:
        assert f'href="#{chapter.name}">{chapter.question}</a>' in top
    wrong = case.report.figures.n - round(case.report.figures.accuracy * case.report.figures.n)
    assert f"{wrong} mistakes in 60 rows" in top
    assert "60 test images; the splits were not compared" in top
    assert "first: Use trained filters" in top


def test_the_page_tells_what_was_run(make_case):
    case = make_case(("cats", "dogs"), n=60)
    text = case.write()
    spec = case.report.spec
    for fact in (
        spec.backbone,
        spec.layer,
        spec.digest[:16],
        "C = 0.5",
        "scikit-learn 1.9.1",
        "75.00%",
        "1.25 s",
    ):
        assert fact in text
    assert f"{case.report.figures.accuracy:.2%}" in text
    assert "60 images, 2 classes" in text
    assert "not trained in epochs" in text


@pytest.mark.parametrize(
    ("split", "weights", "words"),
    [
        ("test", "sha256:00", []),
        ("train", "sha256:00", ["this is the training split"]),
        ("test", "random:7", ["RANDOM FILTERS"]),
    ],
)
def test_figures_that_would_mislead_are_under_a_band(make_case, spec, split, weights, words):
    text = make_case(("a", "b"), split=split, spec=dataclasses.replace(spec, weights=weights)).write()
    assert text.count('class="band danger"') == len(words)
    assert all(word in text for word in words)


def test_a_class_of_which_nothing_is_found_is_told_at_the_top(make_case):
    labels = np.array([0] * 9 + [1])
    text = make_case(("a", "b"), answers=(labels, np.tile([0.7, 0.3], (10, 1)))).write()
    top = text.partition('id="figures"')[0]
    assert "nothing was found of b (1 row); always answering a gives an accuracy of 90.00%" in top


def test_leaking_rows_are_told_at_the_top_and_shown_below(make_case):
    case = make_case(("a", "b"))
    ids = case.report.rows.ids
    places = Place("train", "train/copy of it.jpg", "a"), Place("test", ids[3], "a")
    near = Finding("near", Place("train", "train/similar.jpg"), Place("test", ids[5]), 0.99)
    leaks = Leaks((Finding("exact", *places), near), checked={"train": 9, "test": 60}, repeated={"test": 2})
    text = case.write(leaks=leaks)
    top, _, bottom = text.partition('id="leaks"')
    assert "LEAK: 1 of 60 images stands in" in top
    assert "train/copy of it.jpg" in bottom
    assert "9 train, 60 test images" in " ".join(bottom.split())
    assert "2 images of test stand there twice" in bottom
    assert "LEAK" not in case.write(leaks=Leaks(checked={"test": 60}))
    assert "Nothing was found" in case.path.read_text()
    assert "pipeline check" in case.write(leaks=None)


def test_heads_that_were_compared_stand_with_their_tests(make_case):
    case = make_case(("a", "b"))
    others = [dataclasses.replace(case.report, head=name) for name in ("close", "far", "further")]
    tests = Difference(9, 5, 0.4, 0.42), Difference(40, 5, 1e-3, 0.003), Difference(90, 0, 1e-9, 2e-9)
    comparison = Comparison((case.report, *others), (None, *tests), {})
    found = compared_heads(comparison, head=case.report.head)
    assert [one.verdict for one in found] == [
        "the best",
        "may be chance, p = 0.4200",
        "worse, p = 0.0030",
        "worse, p < 0.0001",
    ]
    assert [one.current for one in found] == [True, False, False, False]
    text = case.write(comparison=comparison)
    assert "Compared on the same rows" in text
    assert "was chosen on test" in text
    assert "Compared on the same rows" not in case.write()
    assert "Compared on the same rows" not in case.write(comparison=Comparison((case.report,), (None,), {}))


def test_a_temperature_is_shown_with_what_it_changed(make_case, make_features, make_head, predict):
    case = make_case(("a", "b"))
    labels, probabilities = predict(2, 80, seed=5)
    val = make_features(probabilities, labels, split="val", classes=("a", "b"))
    temperature = fit_on_val(make_head(("a", "b")), val)
    case.report = evaluate(make_head(("a", "b"), temperature=temperature), case.features["test"])
    text = case.write()
    assert f"<strong>{case.report.calibration.temperature.value:.3f}</strong>" in text
    assert f"between {temperature.low:.3f} and {temperature.high:.3f}" in text
    assert f"{case.report.calibration.before.log_loss:.4f}" in text


def test_an_interval_is_not_said_to_hold_the_next_figure(make_case):
    text = " ".join(make_case(("a", "b")).write().split())
    assert "about 95 in 100 hold the figure over all images of this kind" in text
    assert "outside about one time in six" in text
    assert "19 times of 20" not in text


def test_how_often_the_split_was_looked_at_is_in_the_header(make_case):
    case = make_case(("a", "b"))
    case.report = dataclasses.replace(case.report, looks=Looks("test", 7, 3, 7))
    assert "this is evaluation 7 on the test split of this entry, 3 heads" in case.write()


def test_many_classes_are_cut_to_the_worst(make_case):
    text = make_case([f"species {i}" for i in range(300)], n=900).write()
    assert "The 30 classes with the lowest F1 of 300" in text
    assert "280 others are left out" in text
    assert "all others" in text
    assert len(text) < 1_200_000


def test_a_map_of_many_rows_says_that_it_is_a_sample(make_case, monkeypatch):
    few = functools.partial(feature_map.map_features, most=25)
    monkeypatch.setattr(feature_map, "map_features", few)
    case = make_case(("a", "b"), n=60)
    assert "25 of 60 images are drawn, chosen at random" in " ".join(case.write().split())


def test_without_the_features_there_is_no_map_and_no_data_for_one(make_case):
    text = make_case(("a", "b")).write(features={})
    assert "There is no map" in text
    assert 'id="map-data"' not in text


def test_two_rows_and_no_mistakes_make_a_page(make_case):
    case = make_case(("a", "b"), n=2)
    labels = case.report.probabilities.argmax(axis=1).astype(np.int32)
    features = case.features["test"]
    right = dataclasses.replace(features, rows=dataclasses.replace(features.rows, labels=labels))
    head = dataclasses.replace(case.head, val_accuracy=None, seconds=0.0, class_counts=(0, 0))
    assert head.train_rows == 0
    from pipeline.evaluation import measure

    figures = measure(labels, case.report.probabilities, ("a", "b"))
    case.report = dataclasses.replace(case.report, rows=right.rows, figures=figures)
    text = case.write(features={"test": right}, head=head)
    assert "There is no mistake on this split" in text
    assert "Not one row is taken for another class" in text


def test_a_page_replaces_an_older_one_and_leaves_no_draft(make_case):
    case = make_case(("a", "b"))
    case.write()
    assert case.write().startswith("<!DOCTYPE html>")
    assert [path.name for path in case.path.parent.iterdir() if path.is_file()] == ["report.html"]


def test_what_cannot_be_written_is_one_clear_line(make_case):
    case = make_case(("a", "b"))
    case.path.mkdir()
    with pytest.raises(PipelineError, match=r"report\.html is a folder; nothing was written"):
        case.write()
    assert not [path for path in case.path.parent.iterdir() if path.name.endswith(".tmp")]


def test_the_templates_are_those_of_the_package():
    names = {path.name for path in TEMPLATES.iterdir()}
    assert {f"{name}.html.j2" for name, _ in PARTS} <= names
    assert {*STYLES, *SCRIPTS, PAGE} <= names
    config = Path(TEMPLATES).parents[3] / "setup.cfg"
    assert f"{'.'.join(TEMPLATES.relative_to(config.parent).parts[:-1])} = templates/*" in config.read_text()


def test_thousand_real_photographs_fit_on_a_page_of_eight_megabytes(shared):
    source = open_images(os.fspath(shared / "data" / "cats_and_dogs_small"))
    ids = [item.id for item in source.items()[:64]]
    album = Album(source, {})
    found = album.read(ids, size=feature_map.THUMB)
    assert len(found) == 64
    assert album.note == ""
    bytes_each = sum(map(len, sheets(found.values(), size=feature_map.THUMB))) / 64
    assert bytes_each < 5000
