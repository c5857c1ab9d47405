"""The check of labels as a whole: what it suspects, what it leaves alone, what it costs."""

from __future__ import annotations

import io
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from pipeline.cache import FeatureSet
from pipeline.cache.format import checksums
from pipeline.errors import UsageError
from pipeline.evaluation import labels as labels_module
from pipeline.evaluation.labels import LabelCheck, check_labels
from pipeline.evaluation.labels.effect import measure_effect
from pipeline.evaluation.labels.files import print_label_check, write_label_check
from pipeline.evaluation.labels.odd import OddImage
from pipeline.evaluation.pooled import pooled_images


@pytest.fixture
def check(splits: list[FeatureSet]) -> LabelCheck:
    return check_labels(splits)


def test_planted_errors_are_found_and_nothing_else(check: LabelCheck, wrong: tuple[int, ...]) -> None:
    assert sorted(one.row for one in check.suspects) == list(wrong)
    assert check.checked == 90
    scores = [one.score for one in check.suspects]
    assert scores == sorted(scores, reverse=True)
    for one in check.suspects:
        assert one.suggested == 1 - one.given
        assert one.row not in one.alike
        assert [check.rows.labels[row] for row in one.alike] == [0, 1]


def test_rows_are_counted_with_those_that_have_no_label(
    splits: list[FeatureSet], wrong: tuple[int, ...]
) -> None:
    train = splits[0]
    features, labels = train.to_memory().copy(), train.labels.copy()
    features[40] = 9 * np.random.default_rng(9).normal(size=features[40].shape)
    labels[:3] = -1
    rows = replace(train.rows, labels=labels)
    odd_one = replace(train, features=features, rows=rows, crc32=checksums(features))
    check = check_labels([odd_one, *splits[1:]])
    assert {one.row for one in check.odd} == {40, *wrong}  # a wrong label is unlike its class, too
    assert sorted(one.row for one in check.suspects if one.row != 40) == list(wrong)


def test_json_names_images_and_classes(check: LabelCheck, wrong: tuple[int, ...]) -> None:
    described = json.loads(json.dumps(check.to_json()))
    assert {one["id"] for one in described["labels"]} == {f"train/{row}.png" for row in wrong}
    first = described["labels"][0]
    assert {first["given"], first["suggested"]} == {"cats", "dogs"}
    assert set(first["alike"]) == {"cats", "dogs"}
    assert all(one["kind"] == "unlike" for one in described["odd"])
    effect = described["effect"]
    assert (effect["split"], effect["n"], effect["learnt"], effect["removed"]) == ("test", 30, 60, 3)
    assert effect["accuracy_without"] >= effect["accuracy"]


def test_the_check_learns_from_no_view_and_answers_none(
    splits: list[FeatureSet], wrong: tuple[int, ...]
) -> None:
    train = splits[0]
    views = np.zeros(len(train), np.uint8)
    views[1::2] = 1
    train = replace(train, rows=replace(train.rows, views=views))
    pooled = pooled_images(train)
    assert len(pooled) == 31
    np.testing.assert_allclose(pooled.features, train.features[::2].mean(axis=(1, 2)), rtol=1e-5)
    assert pooled.read(np.arange(31)).shape == (31, 40)
    assert check_labels([train, splits[1]]).checked == 60


def test_of_very_many_images_no_neighbours_are_asked(
    splits: list[FeatureSet], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(labels_module, "MOST_NEIGHBOURS", 50)
    assert check_labels(splits).notes == ("of more than 50 images no neighbours are asked",)


def test_without_enough_labels_it_says_what_it_takes(splits: list[FeatureSet]) -> None:
    bare = [replace(one, rows=replace(one.rows, labels=np.full(len(one), -1, np.int32))) for one in splits]
    with pytest.raises(UsageError, match="two groups of labelled images"):
        check_labels(bare)


def test_without_other_rows_there_is_no_effect(splits: list[FeatureSet]) -> None:
    pooled = pooled_images(splits[0])
    everything = np.ones(len(pooled), bool)
    split = np.repeat("train", len(pooled))
    assert measure_effect(pooled, split, everything, "prototype", {}) is None
    split[40:] = "val"
    assert measure_effect(pooled, split, everything, "prototype", {}) is None  # nothing is left to learn from


def test_without_images_the_files_say_what_is_missing(check: LabelCheck, tmp_path: Path) -> None:
    _, folder = write_label_check(check, None, tmp_path / "runs" / "toy" / "entry")
    assert sorted(path.name for path in folder.iterdir()) == ["labels.html", "labels.json"]
    page = (folder / "labels.html").read_text()
    assert "no longer where they were" in page
    assert "Save relabel.csv" not in page


def test_the_page_says_in_words_what_a_button_changes(check: LabelCheck, tmp_path: Path) -> None:
    _, folder = write_label_check(check, None, tmp_path / "runs" / "toy" / "entry")
    suggested = check.features.classes[check.suspects[0].suggested]
    assert f">Change to <bdi>{suggested}</bdi></button>" in (folder / "labels.html").read_text()


def test_the_terminal_names_the_surest_errors(check: LabelCheck) -> None:
    console = Console(width=120, record=True, file=io.StringIO())
    print_label_check(check, console=console)
    text = console.export_text()
    assert "3 labels of 90 images likely wrong" in text
    assert "train/11.png" in text
    assert "McNemar" in text


def test_the_terminal_says_in_words_what_is_odd(check: LabelCheck) -> None:
    console = Console(width=120, record=True, file=io.StringIO())
    print_label_check(replace(check, odd=(OddImage(20, "repeated", 4.0),)), console=console)
    assert "train/20.png: the same picture is there 4 times" in console.export_text()
