"""Measured rows that a head has seen are counted, and the figures given without them."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from pipeline.cache import FeatureSet
from pipeline.evaluation import Report, comparison, evaluate, measure
from pipeline.evaluation.comparison import compare_heads
from pipeline.evaluation.leaks import Finding, Leaks, Place
from pipeline.evaluation.page.facts import seen_rows
from pipeline.evaluation.page.rankings import compared_heads
from pipeline.evaluation.rows import REMEMBERED, UNKNOWN
from pipeline.evaluation.tables import print_comparison, print_report
from pipeline.heads import SeenImages

NAMES = ("cats", "dogs")


@pytest.fixture
def rows(make_features: Callable[..., FeatureSet], predict: Callable) -> Callable[..., FeatureSet]:
    def make(split: str) -> FeatureSet:
        labels, probabilities = predict(2, 40)
        labels[38:] = -1
        return make_features(probabilities, labels, split=split, classes=NAMES)

    return make


def having_seen(
    features: FeatureSet, *, trained: slice = slice(0), validated: slice = slice(0)
) -> SeenImages:
    short = features.rows.digests[:, :8].copy().view("<u8").reshape(-1)
    return SeenImages(np.unique(short[trained]), np.unique(short[validated]))


def printed(report: Report) -> str:
    console = Console(file=io.StringIO(), width=300)
    print_report(report, console=console)
    return console.file.getvalue()


def test_of_new_rows_none_is_seen(rows: Callable, make_head: Callable) -> None:
    report = evaluate(make_head(NAMES), rows("test"))
    assert (report.to_json()["trained_on"], report.to_json()["validated_on"]) == (0, 0)
    assert report.without_leaks is None
    assert "of these rows the head was trained on 0 and chosen on 0" in printed(report)


def test_rows_it_was_trained_or_chosen_on_are_left_out(rows: Callable, make_head: Callable) -> None:
    test = rows("test")
    seen = having_seen(test, trained=slice(10), validated=slice(8, 15))
    report = evaluate(make_head(NAMES, seen=seen), test)
    described = report.to_json()
    assert (described["n"], described["trained_on"], described["validated_on"]) == (38, 10, 7)
    expected = measure(test.labels[15:], test.features[15:], NAMES)
    assert described["without_leaks"]["n"] == expected.n == 23
    assert described["without_leaks"]["accuracy"] == expected.accuracy
    (note,) = (note for note in report.notes if note.startswith("LEAK"))
    assert "the head was trained on 10 of 38 rows; the head was chosen on 7 of 38 rows" in note
    assert f"{expected.accuracy:.2%} on the 23 rows without" in note
    assert "trained on 10 and chosen on 7" in printed(report)
    assert seen_rows(report) == {"rows it has seen": "trained on 10, chosen on 7 of these 38 rows"}
    stored = json.loads((report.write() / "metrics.json").read_text())
    assert (stored["trained_on"], stored["validated_on"]) == (10, 7)


def test_where_all_rows_were_trained_on_no_figure_is_left(rows: Callable, make_head: Callable) -> None:
    test = rows("test")
    report = evaluate(make_head(NAMES, seen=SeenImages.of(test, None)), test)
    assert report.trained_on == 38
    assert report.without_leaks is None
    (note,) = (note for note in report.notes if note.startswith("LEAK"))
    assert "trained on 38 of 38 rows. No other row is left" in note


def test_rows_that_leak_in_another_form_are_left_out_with_them(rows: Callable, make_head: Callable) -> None:
    test = rows("test")
    pairs = [(Place("train", f"t{i}"), Place("test", test.rows.ids[i])) for i in (0, 20)]
    leaks = Leaks(tuple(Finding("perceptual", *pair) for pair in pairs), checked={"train": 9, "test": 40})
    report = evaluate(make_head(NAMES, seen=having_seen(test, trained=slice(5))), test, leaks=leaks)
    assert report.without_leaks.n == 38 - 6
    assert "2 of 38 rows stand in the training split, too; the head was trained on 5 of 38" in report.notes[0]


@pytest.mark.parametrize(
    ("count", "note"), [(40, REMEMBERED), (0, "trained on none of these rows"), (7, "LEAK")]
)
def test_a_training_split_is_judged_by_its_rows_and_not_by_its_name(
    count: int, note: str, rows: Callable, make_head: Callable
) -> None:
    train = rows("train")
    report = evaluate(make_head(NAMES, seen=having_seen(train, trained=slice(count))), train)
    assert note in report.notes[0]
    assert (report.without_leaks is not None) == (count == 7)


def test_on_val_rows_it_was_chosen_on_are_counted_only(rows: Callable, make_head: Callable) -> None:
    val = rows("val")
    seen = having_seen(val, trained=slice(3), validated=slice(40))
    report = evaluate(make_head(NAMES, seen=seen), val)
    assert (report.trained_on, report.validated_on, report.without_leaks.n) == (3, 38, 35)
    assert "chosen on" not in report.notes[0]


@pytest.mark.parametrize("split", ["train", "test"])
def test_an_older_head_says_once_that_it_does_not_know(
    split: str, rows: Callable, make_head: Callable
) -> None:
    features = rows(split)
    report = evaluate(make_head(NAMES, seen=None), features)
    assert report.notes.count(UNKNOWN) == 1
    assert (REMEMBERED in report.notes) == (split == "train")
    assert (report.to_json()["trained_on"], report.to_json()["validated_on"]) == (None, None)
    assert "the head was trained on" not in printed(report)
    assert "not known" in seen_rows(report)["rows it has seen"]


def test_the_comparison_tells_it_of_each_head(
    rows: Callable, make_head: Callable, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    test = rows("test")
    seen = {
        "new": having_seen(test),
        "swapped": having_seen(test, trained=slice(40)),
        "old": None,
        "elder": None,
    }
    folders = [tmp_path / "runs" / name for name in seen]

    monkeypatch.setattr(
        comparison,
        "load_head",
        lambda folder: make_head(NAMES, name=folder.name, folder=folder, seen=seen[folder.name]),
    )

    def compare(names: list[str]) -> str:
        result = compare_heads([folder for folder in folders if folder.name in names], test)
        console = Console(file=io.StringIO(), width=300)
        print_comparison(result, console=console)
        return result, console.file.getvalue()

    result, text = compare(list(seen))
    assert {row["head"]: row["trained_on"] for row in result.rows()} == {
        "new": 0,
        "swapped": 38,
        "old": None,
        "elder": None,
    }
    assert text.count(UNKNOWN) == 1
    assert text.count("trained on 38 rows") == 1
    assert text.count("trained on: not known") == 2
    told = {one.head: one.trained_on for one in compared_heads(result, head="new")}
    assert told["swapped"] == "trained on 38 of these rows"
    assert told["new"] == ""
    assert "not known" in told["old"]
    _, text = compare(["new"])
    assert "trained on" not in text
