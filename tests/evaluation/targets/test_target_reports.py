"""Reports of labels and numbers: their files say what was measured, and of which images."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console
from sklearn.metrics import average_precision_score, mean_absolute_error

from pipeline.cache import FeatureSet
from pipeline.errors import UsageError
from pipeline.evaluation.leaks import Finding, Leaks, Place
from pipeline.evaluation.rows import REMEMBERED, UNKNOWN
from pipeline.evaluation.tables import print_targets
from pipeline.evaluation.targets import TargetReport, evaluate_targets
from pipeline.evaluation.targets.label_figures import LabelsFigures
from pipeline.evaluation.targets.number_figures import measure_numbers
from pipeline.evaluation.targets.page import write_target_page
from pipeline.evaluation.targets.prediction_interval import COVERAGE
from pipeline.heads import SeenImages, TrainedHead
from pipeline.heads._core.target_figures import IN_WORDS
from pipeline.run_files import is_of_a_head
from pipeline.wording import counted

Trained = Callable[[str], TrainedHead]
MakeTargets = Callable[..., FeatureSet]
BOTH = ("labels", "number")
FILES = {
    "labels": {"metrics.json", "predictions.csv", "precision_recall.png", "report.html"},
    "number": {"metrics.json", "predictions.csv", "predicted_vs_true.png", "residuals.png", "report.html"},
}
UNSEEN = np.empty(0, np.uint64)


def written(report: TargetReport) -> Path:
    return report.write(page=partial(write_target_page, report))


def short(digests: np.ndarray) -> np.ndarray:
    return np.unique(digests[:, :8].copy().view("<u8").reshape(-1))


@pytest.mark.parametrize("target", BOTH)
def test_all_files_stand_beside_the_head_and_are_known_as_its_own(
    target: str, trained: Trained, make_targets: MakeTargets
) -> None:
    head = trained(target)
    report = evaluate_targets(head, make_targets(target, "test"), val=make_targets(target, "val"))
    for _ in range(2):  # the second takes the place of the first
        folder = written(report)
        assert folder == head.folder / "test"
        assert {path.name for path in folder.iterdir()} == FILES[target]
    for path in folder.iterdir():
        assert is_of_a_head(path.relative_to(head.folder), path.read_bytes()), path
        assert not is_of_a_head(path.relative_to(head.folder), b"notes of my own"), path


@pytest.mark.parametrize("target", BOTH)
def test_another_folder_is_not_replaced(
    target: str, trained: Trained, make_targets: MakeTargets, tmp_path: Path
) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "notes.txt").write_text("of my own")
    with pytest.raises(UsageError, match="mine is not a report"):
        evaluate_targets(trained(target), make_targets(target, "test")).write(tmp_path / "mine")


@pytest.mark.parametrize("target", BOTH)
def test_predictions_give_the_figures_again(target: str, trained: Trained, make_targets: MakeTargets) -> None:
    report = evaluate_targets(trained(target), make_targets(target, "test"))
    folder = written(report)
    lines = list(csv.DictReader(io.StringIO((folder / "predictions.csv").read_text(encoding="utf-8"))))
    figures = json.loads((folder / "metrics.json").read_text())
    assert len(lines) == 60
    each = figures["per_label" if target == "labels" else "per_number"]
    for one in each:
        name = one["name"]
        known = [line for line in lines if line[f"true({name})"]]
        assert len(known) == one["rows"]
        true = [float(line[f"true({name})"]) for line in known]
        answered = [float(line[f"predicted({name})"]) for line in known]
        if target == "number":
            assert mean_absolute_error(true, answered) == pytest.approx(one["mae"], abs=1e-12)
            continue
        probabilities = [float(line[f"p({name})"]) for line in known]
        area = average_precision_score(true, probabilities)
        assert area == pytest.approx(one["average_precision"], abs=1e-12)
        assert sum(answered) == one["predicted"]
        assert answered == [float(p >= one["threshold"]) for p in probabilities]
    frame = report.to_frame()
    assert list(frame.columns) == list(lines[0])
    assert frame.isna().sum().sum() == sum(cell == "" for line in lines for cell in line.values())


@pytest.mark.parametrize("target", BOTH)
def test_the_page_is_complete_and_takes_no_name_for_markup(
    target: str, trained: Trained, make_targets: MakeTargets
) -> None:
    report = evaluate_targets(
        trained(target), make_targets(target, "test", groups=20), val=make_targets(target, "val")
    )
    page = (written(report) / "report.html").read_text(encoding="utf-8")
    assert "<b>" not in page
    assert "&lt;b&gt;" in page
    assert page.count("<script") == 1
    assert not re.search(r"(src|href)=\"(?!data:|#)", page)
    assert page.count('src="data:image/png;base64,') == (1 if target == "labels" else 2)
    for note in report.notes:
        assert note.split(",")[0].split("'")[0] in page
    for name in report.lines:
        assert name.replace("'", "&#39;") in page
    assert set(re.findall(r'href="#([^"]+)"', page)) <= set(re.findall(r'id="([^"]+)"', page))


@pytest.mark.parametrize("target", BOTH)
def test_a_terminal_and_a_notebook_show_figures_and_baseline(
    target: str, trained: Trained, make_targets: MakeTargets
) -> None:
    report = evaluate_targets(trained(target), make_targets(target, "test"), val=make_targets(target, "val"))
    console = Console(file=io.StringIO(), width=200)
    print_targets(report, console=console)
    shown = console.file.getvalue()
    words = ("mean average precision", "always every label", "=red")
    for word in words if target == "labels" else ("MAE", "always the mean of the training images", "size"):
        assert word in shown
    assert report.lines.keys() <= {
        name for name in report.lines if name.split("'")[0] in report._repr_html_()
    }


@pytest.mark.parametrize("target", BOTH)
def test_images_that_the_head_was_trained_on_are_told_and_left_out(
    target: str, trained: Trained, make_targets: MakeTargets
) -> None:
    head, test = trained(target), make_targets(target, "test")
    head = replace(head, seen=SeenImages(short(test.rows.digests[:10]), short(test.rows.digests[8:15])))
    report = evaluate_targets(head, test)
    # Of image 3 nothing is known, so it is in no count.
    assert (report.trained_on, report.validated_on) == (9, 7)
    assert report.without_leaks.n == 60 - 15
    (leak,) = [note for note in report.notes if note.startswith("LEAK")]
    assert "trained on 9 of 59 rows" in leak
    assert "on the 45 rows without" in leak
    assert report.to_json()["without_leaks"]["n"] == 45


@pytest.mark.parametrize("target", BOTH)
def test_images_that_leak_in_another_form_are_left_out(
    target: str, trained: Trained, make_targets: MakeTargets
) -> None:
    pairs = [
        Finding("perceptual", Place("train", f"train/image{i}.png"), Place("test", f"test/image{i}.png"))
        for i in range(5)
    ]
    report = evaluate_targets(trained(target), make_targets(target, "test"), leaks=Leaks(tuple(pairs)))
    assert report.without_leaks.n == 60 - 5
    assert any("4 of 59 rows stand in the training split" in note for note in report.notes)


@pytest.mark.parametrize("target", BOTH)
def test_remarks_tell_a_training_split_and_an_older_head(
    target: str, trained: Trained, make_targets: MakeTargets
) -> None:
    head = trained(target)
    assert REMEMBERED in evaluate_targets(head, make_targets(target, "train")).notes
    older = replace(head, seen=None)
    assert evaluate_targets(older, make_targets(target, "test")).notes[0] == UNKNOWN
    assert evaluate_targets(older, make_targets(target, "test")).trained_on is None


@pytest.mark.parametrize("target", BOTH)
def test_repeated_looks_are_counted(target: str, trained: Trained, make_targets: MakeTargets) -> None:
    head, test = trained(target), make_targets(target, "test")
    first, second = (evaluate_targets(head, test).looks.line for _ in range(2))
    assert "evaluation 1 on the test split" in first
    assert "evaluation 2 on the test split" in second
    assert evaluate_targets(replace(head, folder=None), test).looks is None


def test_thresholds_that_were_chosen_on_val_are_told_on_val(
    trained: Trained, make_targets: MakeTargets
) -> None:
    head = trained("labels")
    on_val, on_test = (evaluate_targets(head, make_targets("labels", split)) for split in ("val", "test"))
    assert any("thresholds" in note for note in on_val.notes)
    assert not any("thresholds" in note for note in on_test.notes)
    assert isinstance(on_val.figures, LabelsFigures)


def test_prediction_intervals_rest_on_val_images_of_their_own(
    trained: Trained, make_targets: MakeTargets
) -> None:
    head, test, val = trained("number"), make_targets("number", "test"), make_targets("number", "val")
    first = evaluate_targets(head, test, val=val).figures.per_number[0].prediction_interval
    known = ~np.isnan(val.targets[:, 0])
    errors = np.sort(np.abs(val.targets[:, 0] - head.predict_targets(val)[:, 0])[known])
    assert first.half_width == pytest.approx(errors[int(np.ceil((len(errors) + 1) * COVERAGE)) - 1])
    assert first.val_rows == known.sum()
    # Errors on images that it was trained on are too small, and images of a group err alike.
    seen = replace(head, seen=SeenImages(short(val.rows.digests[:30]), UNSEEN))
    assert evaluate_targets(seen, test, val=val).figures.per_number[0].prediction_interval.val_rows == 30
    grouped = evaluate_targets(head, test, val=make_targets("number", "val", groups=12))
    assert grouped.figures.per_number[0].prediction_interval.val_rows == 12
    assert evaluate_targets(head, val, val=val).figures.per_number[0].prediction_interval.covered is None


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_errors_are_seen_in_any_unit(scale: float, trained: Trained, make_targets: MakeTargets) -> None:
    features = make_targets("number", "test")
    report = evaluate_targets(trained("number"), features)
    truth, answers = report.truth * scale, report.answers * scale
    figures = measure_numbers(truth, answers, report.trained.classes, (0.0,) * truth.shape[1])
    lines = replace(report, figures=figures).lines
    (baseline,) = (text for name, text in lines.items() if name.startswith("always the"))
    for shown in (lines["MAE"], lines["RMSE"], baseline):
        assert all(float(one) > 0 for one in re.findall(r"\d[\d.]*(?:e[+-]\d+)?", shown))
    assert float(lines["MAE"].split()[0]) == pytest.approx(figures.mean("mae"), rel=1e-2)


@pytest.mark.parametrize("target", BOTH)
def test_a_notebook_shows_of_features_and_heads_what_they_are_of(
    target: str, trained: Trained, make_targets: MakeTargets
) -> None:
    head, noun = trained(target), "label" if target == "labels" else "number"
    assert f"<th>{noun}s</th>" in make_targets(target, "train")._repr_html_()
    shown = head._repr_html_()
    assert f"{head.val_figure[1]:.4f}" in shown
    assert IN_WORDS[head.val_figure[0]] in shown
    assert counted(len(head.classes), noun) in shown
    assert "accuracy" not in shown
    assert "class</td>" not in shown


def test_who_asks_a_head_of_numbers_for_classes_is_told_what_it_answers(
    trained: Trained, make_targets: MakeTargets
) -> None:
    with pytest.raises(UsageError, match="predict_targets"):
        trained("number").predict_proba(make_targets("number", "test"))


def test_of_many_labels_a_terminal_shows_the_hardest_and_cuts_no_word(
    trained: Trained, make_targets: MakeTargets
) -> None:
    report = evaluate_targets(trained("labels"), make_targets("labels", "test"))
    first = report.figures.per_label[0]
    labels = [
        replace(first, name=f"label number {i}", average_precision=1 - i / 100 if i else None)
        for i in range(100)
    ]
    report = replace(report, figures=replace(report.figures, per_label=tuple(labels)))
    console = Console(file=io.StringIO(), width=80)
    print_targets(report, console=console)
    shown = console.file.getvalue()
    assert re.findall(r"label number (\d+)", shown) == [str(i) for i in range(70, 100)]
    assert "the 30 labels with the lowest AP of 100" in shown
    assert "threshold" in shown
    assert "…" not in shown
