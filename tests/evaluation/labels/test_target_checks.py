"""The check of several labels an image, and of numbers: what it suspects, and the table that it writes."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from photos import Photos
from rich.console import Console

from pipeline.cache import FeatureSet
from pipeline.cache.format import checksums
from pipeline.evaluation.labels import LabelCheck, check_labels
from pipeline.evaluation.labels.files import print_label_check, write_label_check
from pipeline.evaluation.labels.target_suspects import LabelSuspect, NumberSuspect
from pipeline.images import open_images
from pipeline.images.source_options import SourceOptions
from pipeline.images.targets import LABELS, NUMBER, same_targets

Splits = Callable[..., list[FeatureSet]]


@pytest.fixture
def labels(target_splits: Splits) -> LabelCheck:
    return check_labels(target_splits(LABELS))


@pytest.fixture
def numbers(target_splits: Splits) -> LabelCheck:
    return check_labels(target_splits(NUMBER))


def test_planted_labels_are_found_each_by_itself(labels: LabelCheck, wrong: tuple[int, ...]) -> None:
    found = {(one.row, one.part) for one in labels.suspects if isinstance(one, LabelSuspect)}
    assert found == {(row, 0) for row in wrong}
    scores = [one.score for one in labels.suspects]
    assert scores == sorted(scores, reverse=True)
    for one in labels.suspects:
        assert isinstance(one, LabelSuspect)
        assert one.given == bool(labels.features.targets[one.row, 0])
        assert one.row not in one.alike
        assert [labels.features.targets[row, 0] for row in one.alike] == [0, 1]


def test_numbers_far_from_every_answer_are_found(numbers: LabelCheck, wrong: tuple[int, ...]) -> None:
    assert sorted(one.row for one in numbers.suspects) == list(wrong)
    for one in numbers.suspects:
        assert isinstance(one, NumberSuspect)
        assert one.score > 3
        assert abs(one.given - one.predicted) > 5
        assert one.alike[0] not in (one.row, -1)


@pytest.mark.parametrize("kind", [LABELS, NUMBER])
def test_without_errors_nothing_is_suspected(kind: str, target_splits: Splits) -> None:
    assert check_labels(target_splits(kind, planted=False)).suspects == ()


@pytest.mark.parametrize(("kind", "figure"), [(LABELS, "map"), (NUMBER, "r2")])
def test_json_tells_the_figure_without_the_suspects(
    kind: str, figure: str, target_splits: Splits, wrong: tuple[int, ...]
) -> None:
    check = check_labels(target_splits(kind))
    described = json.loads(json.dumps(check.to_json()))
    assert {one["id"] for one in described["labels"]} == {f"train/{row}.png" for row in wrong}
    first = described["labels"][0]
    if kind == LABELS:
        assert (first["label"], first["suggested"]) == ("=red", not first["given"])
    else:
        assert "suggested" not in first, "what is predicted is no truth"
        assert first["number"] == "size"
    effect = described["effect"]
    assert (effect["split"], effect["n"], effect["learnt"], effect["removed"]) == ("test", 30, 60, 3)
    assert effect[f"{figure}_without"] >= effect[figure]
    assert check.effect is not None
    assert "of the difference" in check.effect.line


@pytest.mark.parametrize("kind", [LABELS, NUMBER])
def test_odd_images_are_odd_among_all(kind: str, target_splits: Splits) -> None:
    splits = target_splits(kind)
    digests = splits[0].rows.digests.copy()
    digests[40:45] = digests[40]
    rows = replace(splits[0].rows, digests=digests, groups=())
    check = check_labels([replace(splits[0], rows=rows), splits[1]])
    assert {one.row for one in check.odd if one.kind == "repeated"} == set(range(40, 45))
    assert check.to_json()["odd"][0]["label"] == check.features.told(check.odd[0].row)


@pytest.mark.parametrize("kind", [LABELS, NUMBER])
def test_the_terminal_shows_what_is_given(kind: str, target_splits: Splits) -> None:
    console = Console(width=140, record=True, file=io.StringIO())
    check = check_labels(target_splits(kind))
    print_label_check(check, console=console)
    text = console.export_text()
    assert f"3 {'labels' if kind == LABELS else 'numbers'} of 90 images likely wrong" in text
    assert "train/11.png" in text
    assert ("suggested" if kind == LABELS else "predicted") in text


def test_labels_with_all_alike_are_passed_over(target_splits: Splits) -> None:
    splits = []
    for part in target_splits(LABELS):
        targets = part.targets.copy()
        targets[:, 0] = np.where(np.isnan(targets[:, 0]), np.nan, 1)
        splits.append(replace(part, rows=replace(part.rows, targets=targets)))
    assert check_labels(splits).suspects == ()


def test_labels_that_features_do_not_tell_are_not_checked_and_named(target_splits: Splits) -> None:
    splits = []
    for seed, part in enumerate(target_splits(LABELS)):
        targets = part.targets.copy()
        drawn = np.random.default_rng(seed).random(len(targets)) < 0.2
        targets[:, 1] = np.where(np.isnan(targets[:, 1]), np.nan, drawn)
        splits.append(replace(part, rows=replace(part.rows, targets=targets)))
    check = check_labels(splits)
    assert {one.part for one in check.suspects if isinstance(one, LabelSuspect)} == {0}
    assert "tell too little of them: <b>round</b>" in " ".join(check.notes)


def test_pictures_are_told_apart_by_where_their_pixels_are(target_splits: Splits) -> None:
    splits = []
    for part in target_splits(LABELS):
        pixels = np.zeros((len(part), 4, 5, 3), np.float32)
        pixels[:] = part.features.reshape(len(part), 4, 5, 1)
        splits.append(replace(part, features=pixels, crc32=checksums(pixels)))
    check = check_labels(splits)
    assert check.features.features.shape == (91, 60)
    assert not check.odd
    assert not check.notes


FORMS = {
    "list": (LABELS, SourceOptions(label_separator="|"), True),
    "columns": (LABELS, SourceOptions(target_column=("<b>round</b>", "=red")), True),
    "partly known": (LABELS, SourceOptions(label_separator="|"), False),
    "numbers": (NUMBER, SourceOptions(label_column="size", target=NUMBER), True),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("names", [("<b>round</b>", "=red"), ("odd", "path")])
def test_the_table_is_read_back_as_the_set(
    form: str, names: tuple[str, str], target_splits: Splits, photos: Photos, tmp_path: Path
) -> None:
    kind, options, whole = FORMS[form]
    splits = [replace(one, classes=names) for one in target_splits(kind, whole=whole)]
    check = check_labels(splits)
    for name in check.rows.ids:
        photos.write(name)
    entry = tmp_path / "runs" / "toy" / "entry"
    for _ in range(2):  # the second replaces the first
        _, folder = write_label_check(check, open_images(photos.root), entry, options=options)
    with (folder / "relabel.csv").open(newline="") as file:
        head = next(csv.reader(file))
    meta = ("path_", "split", "group") if "path" in head and "path_" in head else ("path", "split", "group")
    if form == "list":
        own = SourceOptions(label_separator="|")
    else:
        own = SourceOptions(target_column=names, target=kind, path_column=meta[0])
    table = open_images(folder / "relabel.csv", own)
    items = list(table.items())
    assert [item.split for item in items] == check.split.tolist()
    assert table.targets is not None
    assert table.targets.names == names
    read = table.targets.of(np.array([item.label for item in items]))
    assert same_targets(read, check.features.targets)
    page = (folder / "labels.html").read_text()
    assert ("--label-separator" if form == "list" else "--target-column") in page


def test_all_labels_and_numbers_of_an_image_are_read_on_the_page(
    tmp_path: Path, target_splits: Splits
) -> None:
    train, test = target_splits(NUMBER)
    names = ("how many there are of them in the picture", "how old they are")
    check = check_labels([replace(train, classes=names), replace(test, classes=names)])
    _, folder = write_label_check(check, None, tmp_path / "runs" / "toy" / "entry")
    first = check.features.told(check.suspects[0].row)
    assert first is not None
    assert f"labelled {first}" in (folder / "labels.html").read_text()
