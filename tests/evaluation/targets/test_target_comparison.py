"""Several heads of labels, or of numbers, on the same images: ranked, tested, written and logged."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from pipeline import registry
from pipeline.cache import FeatureSet
from pipeline.evaluation import loggers
from pipeline.evaluation.comparison import YARDSTICKS, Comparison, compare_heads, head_folders
from pipeline.evaluation.loggers import open_logger, scalars
from pipeline.evaluation.tables import print_comparison
from pipeline.evaluation.targets import evaluate_targets, resamples
from pipeline.evaluation.targets.evaluating import group_numbers
from pipeline.evaluation.targets.page import write_target_page
from pipeline.heads import FIGURES, TrainedHead, save_head, train_head
from pipeline.images.targets import KINDS
from pipeline.run_files import is_of_a_comparison

MakeTargets = Callable[..., FeatureSet]
Trained = Callable[[str], TrainedHead]
BOTH = ("labels", "number")


class Guess:
    """A model that answers with noise."""

    def __init__(self, model: object) -> None:
        self.model = model

    def predict_targets(self, block: np.ndarray) -> np.ndarray:
        noise = np.random.default_rng(len(block)).random((len(block), 2))
        return noise

    def save(self, path: Path) -> None:
        self.model.save(path)


@pytest.fixture
def compared(
    trained: Trained, make_targets: MakeTargets, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[..., Comparison]:
    """Compares a head, one by another name that answers the same, neighbours, and one that guesses."""

    def compare(target: str, **options: int) -> Comparison:
        head, train, val = trained(target), make_targets(target, "train"), make_targets(target, "val")
        twin = save_head(replace(head, name="twin", folder=None), runs=tmp_path / "runs")
        near = train_head("knn", train, val, runs=tmp_path / "runs")
        guess = save_head(
            replace(head, name="guess", folder=None, model=Guess(head.model)), runs=tmp_path / "runs"
        )
        known = {one.folder: one for one in (head, twin, near, guess)}
        monkeypatch.setattr("pipeline.evaluation.comparison.load_head", known.__getitem__)
        test = make_targets(target, "test", **options)
        return compare_heads(head_folders(head.folder.parent), test, val=val)

    return compare


def test_every_kind_of_head_has_its_yardstick() -> None:
    assert set(YARDSTICKS) == set(KINDS)


@pytest.mark.parametrize("target", BOTH)
def test_heads_are_ranked_by_the_figure_of_their_kind_and_tested_against_the_best(
    target: str, compared: Callable[..., Comparison]
) -> None:
    result = compared(target, rows=90)
    figure = FIGURES[target]
    values = {report.head: report.scalars[figure] for report in result.reports}
    assert list(values.values()) == sorted(values.values(), reverse=True)
    assert result.reports[-1].head == "guess"
    differences = dict(zip(values, result.differences, strict=True))
    assert result.differences[0] is None
    assert differences["guess"].difference == pytest.approx(values["guess"] - max(values.values()))
    assert differences["guess"].difference_high < 0
    assert differences["guess"].is_significant
    best = result.best.head
    if best in ("ridge", "twin"):
        other = {"ridge": "twin", "twin": "ridge"}[best]
        assert (differences[other].difference, differences[other].p, differences[other].p_holm) == (0, 1, 1)
    assert all(one.p <= one.p_holm for one in result.differences if one is not None)


@pytest.mark.parametrize("target", BOTH)
def test_groups_are_drawn_whole_and_few_of_them_tell_nothing(
    target: str, compared: Callable[..., Comparison]
) -> None:
    few = compared(target, groups=9)
    assert {one.p for one in few.differences if one is not None} == {1.0}
    assert any("9 groups" in note for note in few.notes)
    enough = compared(target, groups=12)
    assert any(one.p < 1 for one in enough.differences if one is not None)


@pytest.mark.parametrize("target", BOTH)
def test_the_files_of_a_comparison_have_the_columns_of_the_kind(
    target: str, compared: Callable[..., Comparison]
) -> None:
    result = compared(target)
    folder = result.write()
    assert folder == result.write()
    assert folder == result.best.entry / "comparison" / "test"
    record = json.loads((folder / "comparison.json").read_text())
    assert record["target"] == target
    assert record["ranked_by"] == FIGURES[target]
    assert record["n"] == 59
    with (folder / "comparison.csv").open(newline="") as file:
        table = list(csv.DictReader(file))
    own = {"labels": {"micro_f1", "exact_match", "map_low"}, "number": {"mae", "rmse", "spearman", "r2_high"}}
    assert own[target] | {"rank", "head", "difference", "difference_low", "p", "p_holm", "run"} <= set(
        table[0]
    )
    assert not {"accuracy", "only_best"} & set(table[0])
    assert [row["head"] for row in table] == [report.head for report in result.reports]
    assert table[0]["p"] == ""
    assert float(table[-1]["difference"]) == record["heads"][-1]["difference"] < 0
    for file in folder.iterdir():
        assert is_of_a_comparison(Path(file.name), file.read_bytes())


@pytest.mark.parametrize("target", BOTH)
@pytest.mark.parametrize("width", [40, 100])
def test_the_table_names_the_test(target: str, width: int, compared: Callable[..., Comparison]) -> None:
    console = Console(file=io.StringIO(), width=width)
    print_comparison(compared(target), console=console)
    shown = " ".join(console.file.getvalue().split())
    assert "paired bootstrap" in shown
    assert "was chosen on test" in shown
    assert ("mean average precision" if target == "labels" else "R2") in shown


@pytest.mark.parametrize("target", BOTH)
def test_names_of_heads_stand_on_one_line_of_a_terminal(
    target: str, compared: Callable[..., Comparison]
) -> None:
    result, console = compared(target), Console(file=io.StringIO(), width=80)
    print_comparison(result, console=console)
    for report in result.reports:
        assert any(line.split()[:1] == [report.head] for line in console.file.getvalue().splitlines())


@pytest.mark.parametrize("target", BOTH)
def test_the_page_of_the_best_head_has_the_others(target: str, compared: Callable[..., Comparison]) -> None:
    result = compared(target)
    folder = result.best.write(page=partial(write_target_page, result.best, comparison=result))
    page = (folder / "report.html").read_text(encoding="utf-8")
    assert "Compared on the same images" in page
    assert "was chosen on test" in page
    for report in result.reports:
        assert f"<bdi>{report.head}</bdi>" in page


def test_a_figure_that_no_head_has_tells_nothing(make_targets: MakeTargets, trained: Trained) -> None:
    test, head = make_targets("labels", "test"), trained("labels")
    alike = replace(test, rows=replace(test.rows, targets=np.ones_like(test.rows.targets)))
    result = compare_heads(head_folders(head.folder.parent), alike)
    assert result.rows()[0]["map"] is None
    yardstick = YARDSTICKS["labels"]
    (other,) = yardstick.differences(result.best, [result.best])
    assert (other.difference, other.p) == (None, 1)


def test_resamples_are_the_same_however_many_are_in_memory(
    make_targets: MakeTargets, trained: Trained, monkeypatch: pytest.MonkeyPatch
) -> None:
    test, head = make_targets("number", "test"), trained("number")
    first = evaluate_targets(head, test).figures.intervals
    monkeypatch.setattr(resamples, "CHUNK", 60 * 7)
    second = evaluate_targets(head, test).figures.intervals
    assert first.keys() == second.keys()
    for name, ends in first.items():
        assert second[name] == pytest.approx(ends, rel=1e-9)


@pytest.mark.parametrize("target", BOTH)
def test_scalars_are_the_figures_over_all(target: str, trained: Trained, make_targets: MakeTargets) -> None:
    report = evaluate_targets(trained(target), make_targets(target, "test", groups=20))
    values = scalars(report)
    record = report.figures.to_json()
    assert values[FIGURES[target]] == record[FIGURES[target]]
    assert (values[f"{FIGURES[target]}_low"], values[f"{FIGURES[target]}_high"]) == tuple(
        record["intervals"][FIGURES[target]]
    )
    assert all(type(value) is float for value in values.values())
    assert len(group_numbers(report.rows)) == 60


@pytest.mark.parametrize("target", BOTH)
def test_tensorboard_reads_figures_and_pictures_of_every_kind(
    target: str, trained: Trained, make_targets: MakeTargets, tmp_path: Path
) -> None:
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_file_loader import RawEventFileLoader
    from tensorboard.compat.proto.event_pb2 import Event

    assert "tensorboard" in registry.names(loggers)
    report = evaluate_targets(trained(target), make_targets(target, "test"))
    files = report.write()
    open_logger("tensorboard")(report, runs=tmp_path / "logs", files=files)
    (path,) = (tmp_path / "logs" / "tensorboard").rglob("events.out.tfevents.*")
    events = [Event.FromString(raw) for raw in RawEventFileLoader(str(path)).Load()]
    values = [value for event in events for value in event.summary.value]
    numbers = {value.tag: value.simple_value for value in values if not value.HasField("image")}
    assert numbers[FIGURES[target]] == pytest.approx(report.scalars[FIGURES[target]])
    pictures = {value.tag for value in values if value.HasField("image")}
    assert pictures == {file.stem for file in files.glob("*.png")}
