from __future__ import annotations

import csv
import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pipeline.errors import PipelineError, UsageError
from pipeline.evaluation import evaluate, measure
from pipeline.evaluation.files import write_json
from pipeline.plain_json import unsealed

HISTORY = {"loss": [1.0, 0.5], "val_loss": [1.0, 0.7]}


def read_csv(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_all_files_are_written_and_parse_back(make_report, spec):
    report = make_report(("a", "b", "c"), n=50, dtype=np.float32, history=HISTORY)
    folder = report.write()
    assert folder == report.folder
    assert {file.name for file in folder.iterdir()} == {
        "metrics.json",
        "predictions.csv",
        "confusion_matrix.png",
        "curves.png",
        "reliability.png",
    }
    assert [entry.name for entry in folder.parent.iterdir()] == ["test"]

    record = json.loads((folder / "metrics.json").read_text())
    assert record.items() >= report.to_json().items()
    assert record["dataset"] == "toy"
    assert record["classes"] == ["a", "b", "c"]
    assert record["spec"] == json.loads(spec.to_json())
    assert record["notes"] == list(report.notes)
    assert np.sum(record["confusion_matrix"]) == record["n"] == 50
    assert [one["name"] for one in record["per_class"]] == ["a", "b", "c"]
    assert {"pipeline", "python", "numpy", "scipy", "scikit-learn"} <= record["software"].keys()
    assert record["created_at"].endswith("+00:00")
    assert {"unlabelled", "balanced_accuracy"} <= record.keys()

    for name in ("confusion_matrix.png", "curves.png"):
        with Image.open(folder / name) as image:
            assert len(np.unique(np.asarray(image.convert("L")))) > 10


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_figures_can_be_computed_again_from_the_predictions(make_report, dtype):
    report = make_report(("a", "b", "c"), n=80, dtype=dtype)
    rows = read_csv(report.write() / "predictions.csv")
    assert list(rows[0]) == ["id", "label", "predicted", "probability", "p(a)", "p(b)", "p(c)"]
    labels = np.array(["abc".index(row["label"]) for row in rows])
    probabilities = np.array([[row[f"p({name})"] for name in "abc"] for row in rows], dtype)
    again = measure(labels, probabilities, "abc")
    np.testing.assert_array_equal(probabilities, report.probabilities)
    assert again.log_loss == pytest.approx(report.figures.log_loss, rel=0, abs=1e-12)
    assert [row["predicted"] for row in rows] == ["abc"[i] for i in probabilities.argmax(axis=1)]
    assert [dtype(row["probability"]) for row in rows] == probabilities.max(axis=1).tolist()
    assert [row["id"] for row in rows] == list(report.rows.ids)


def test_of_more_than_100_classes_the_five_most_probable_are_named(make_report):
    report = make_report(tuple(f"c{i}" for i in range(101)), n=8)
    rows = read_csv(report.write() / "predictions.csv")
    assert len(rows[0]) == 4 + 2 * 5
    for row, probabilities in zip(rows, report.probabilities, strict=True):
        order = np.argsort(probabilities)[::-1][:5]
        assert [row[f"top{i}"] for i in range(1, 6)] == [f"c{i}" for i in order]
        assert [float(row[f"p(top{i})"]) for i in range(1, 6)] == probabilities[order].tolist()
        assert row["predicted"] == row["top1"]
        assert row["probability"] == row["p(top1)"]


def test_unlabelled_rows_have_an_empty_label(make_report):
    report = make_report(("a", "b"), n=4)
    unlabelled = dataclasses.replace(report.rows, labels=np.array([0, -1, 1, -1], np.int32))
    rows = read_csv(dataclasses.replace(report, rows=unlabelled).write() / "predictions.csv")
    assert [row["label"] for row in rows] == ["a", "", "b", ""]
    assert all(row["predicted"] in ("a", "b") for row in rows)


def test_hostile_names_reach_the_files_unharmed(make_features, make_head, hostile):
    k = len(hostile)
    features = make_features(np.eye(k) * 0.5 + 0.5 / k, np.arange(k), split="test", classes=hostile)
    features = dataclasses.replace(features, rows=dataclasses.replace(features.rows, ids=hostile))
    head = make_head(hostile, history=HISTORY, name="$x^")
    folder = evaluate(head, features).write()

    assert json.loads((folder / "metrics.json").read_text())["classes"] == list(hostile)
    rows = read_csv(folder / "predictions.csv")
    for column in ("id", "label", "predicted"):
        cells = [row[column] for row in rows]
        assert not any(cell.startswith(("=", "+", "-", "@", "\t", "\r", "\n")) for cell in cells)
        plain = [cell.removeprefix("'").replace("\\udce9", "\udce9") for cell in cells]
        assert plain == list(hostile)


@pytest.mark.parametrize("text", ["=1+1", "+1+1", "-1-1", "@SUM(A1)", "\tx", "\rx", "\nx", "'quoted'"])
def test_what_a_spreadsheet_would_run_is_led_by_an_apostrophe(make_report, text):
    report = make_report(("a", "b"), n=1)
    report = dataclasses.replace(report, rows=dataclasses.replace(report.rows, ids=[text]))
    (row,) = read_csv(report.write() / "predictions.csv")
    assert row["id"] == f"'{text}"


def test_classes_that_are_numbers_come_back_as_they_are(make_report):
    names = ("-3", "+2", "-0.5", "1e-3", "-1e5", "0")
    report = make_report(names, n=30)
    rows = read_csv(report.write() / "predictions.csv")
    assert [row["label"] for row in rows] == [names[label] for label in report.rows.labels]
    assert {row["predicted"] for row in rows} <= set(names)
    assert list(rows[0])[4:] == [f"p({name})" for name in names]


def test_an_older_report_is_replaced_whole(make_report):
    make_report(("a", "b"), history=HISTORY).write()
    newer = make_report(("a", "b"), n=7)
    folder = newer.write()
    assert not (folder / "curves.png").exists()
    assert json.loads((folder / "metrics.json").read_text())["n"] == 7
    assert [entry.name for entry in folder.parent.iterdir()] == ["test"]


def test_a_failure_leaves_the_older_report_and_nothing_else(make_report, monkeypatch):
    report = make_report(("a", "b"))
    folder = report.write()
    before = {file.name: file.read_bytes() for file in folder.iterdir()}

    def fail(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("pipeline.evaluation.plots.save_png", fail)
    with pytest.raises(KeyboardInterrupt):
        report.write()
    assert {file.name: file.read_bytes() for file in folder.iterdir()} == before
    assert [entry.name for entry in folder.parent.iterdir()] == ["test"]


def test_a_folder_that_is_no_report_is_never_replaced(make_report, tmp_path):
    precious = tmp_path / "home" / "thesis.tex"
    precious.parent.mkdir()
    precious.write_text("three years")
    for target in (precious.parent, precious):
        with pytest.raises(UsageError, match="is not a report and will not be replaced"):
            make_report(("a", "b")).write(target)
    assert precious.read_text() == "three years"


def test_an_empty_folder_is_used(make_report, tmp_path):
    (tmp_path / "empty").mkdir()
    assert (make_report(("a", "b")).write(tmp_path / "empty") / "metrics.json").is_file()


def test_a_folder_that_cannot_be_written_is_one_clear_line(make_report, tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(PipelineError, match=r"cannot be written to .*file/test: .*evaluate again") as caught:
        make_report(("a", "b")).write(tmp_path / "file" / "test")
    assert "\n" not in str(caught.value)


def test_numbers_that_are_not_finite_are_null(tmp_path):
    numbers = {"a": float("nan"), "b": [1.5, float("inf")], "c": {"d": (float("-inf"), 0)}}
    write_json(numbers, tmp_path / "record.json")
    assert unsealed(json.loads((tmp_path / "record.json").read_text())) == {
        "a": None,
        "b": [1.5, None],
        "c": {"d": [None, 0]},
    }


@pytest.mark.parametrize("network", [False, True])
def test_the_version_of_tensorflow_is_told_where_it_took_part(make_report, network):
    versions = {"keras": "3", "tensorflow": "2"} if network else {"scikit-learn": "1"}
    folder = dataclasses.replace(make_report(("a", "b")), versions=versions).write()
    software = json.loads((folder / "metrics.json").read_text())["software"]
    assert ("tensorflow" in software) == network
