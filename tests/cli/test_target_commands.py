"""Several labels and numbers from images to answers, over the command line."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result
from digit_pairs import NAMES, draw_pairs

Cli = Callable[..., Result]

STAGE = ("--backbone", "pixels", "--image-size", "16")
ROWS = 240


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two digits side by side; their labels as a list and as marks, and their sum."""
    folder = tmp_path_factory.mktemp("pairs")
    listed, marks = ["path,digits,sum"], ["path,zero,one,two,three"]
    for number, own, total in draw_pairs(folder, ROWS):
        listed.append(f"{number}.png,{';'.join(NAMES[one] for one in own)},{total + 0.5}")
        marks.append(f"{number}.png," + ",".join(str(int(one in own)) for one in range(4)))
    (folder / "pairs.csv").write_text("\n".join(listed) + "\n")
    (folder / "marks.csv").write_text("\n".join(marks) + "\n")
    return folder


def labels(pairs: Path) -> tuple[str, ...]:
    return (str(pairs / "pairs.csv"), "--label-column", "digits", "--label-separator", ";")


def marks(pairs: Path) -> tuple[str, ...]:
    columns = [word for name in ("zero", "one", "two", "three") for word in ("--target-column", name)]
    return (str(pairs / "marks.csv"), *columns)


def sums(pairs: Path) -> tuple[str, ...]:
    return (str(pairs / "pairs.csv"), "--label-column", "sum", "--target", "number")


@pytest.mark.parametrize("source", [labels, marks])
@pytest.mark.parametrize("head", ["knn", "ridge"])
def test_several_labels_from_images_to_answers(
    source: Callable[[Path], tuple[str, ...]], head: str, pairs: Path, cli: Cli
) -> None:
    extracted = cli("extract", "--data", *source(pairs), *STAGE, "--name", "set")
    assert extracted.exit_code == 0, extracted.output
    assert "4 labels (several labels an image)" in extracted.stderr
    trained = cli("train-head", "--name", "set", "--head", head)
    assert trained.exit_code == 0, trained.output
    assert "val mean average precision 0." in trained.stdout
    assert "has changed" not in trained.stderr
    figures = json.loads(cli("evaluate", "--name", "set", "--head", head, "--split", "test", "--json").stdout)
    assert figures["map"] > figures["baseline"]["map"] + 0.2
    assert {"micro_f1", "macro_f1", "per_label"} <= figures.keys()
    assert len(figures["per_label"]) == 4
    assert figures["target"] == "labels"
    shown = cli("evaluate", "--name", "set", "--head", head, "--split", "test")
    assert "mean average precision" in shown.stdout
    assert "precision_recall.png" in shown.stdout
    own = ("--name", "set", "--head", head)
    answers = json.loads(cli("predict", str(pairs / "3.png"), *own, "--json").stdout)
    (one,) = answers["images"]
    assert {name for name, p in one["probabilities"].items() if p >= answers["thresholds"][name]} == {
        *one["labels"]
    }
    table = list(csv.reader(io.StringIO(cli("predict", str(pairs / "3.png"), *own, "--csv").stdout)))
    columns = [f"p({name})" for name in one["probabilities"]]
    assert table[0] == ["id", "labels", *columns, "familiar", "familiarity"]
    assert table[1][1] == "|".join(one["labels"])


def test_numbers_from_images_to_answers(pairs: Path, cli: Cli) -> None:
    assert cli("extract", "--data", *sums(pairs), *STAGE, "--name", "set").exit_code == 0
    trained = cli("train-head", "--name", "set", "--head", "knn", "--json")
    assert json.loads(trained.stdout)["val_r2"] > 0.2
    figures = json.loads(
        cli("evaluate", "--name", "set", "--head", "knn", "--split", "test", "--json").stdout
    )
    assert figures["mae"] < figures["baseline"]["mae"]
    assert {"rmse", "r2", "spearman", "per_number"} <= figures.keys()
    (number,) = figures["per_number"]
    assert 0.6 < number["prediction_interval"]["covered"] <= 1
    shown = cli("evaluate", "--name", "set", "--head", "knn", "--split", "test")
    assert "always the mean" in shown.stdout
    assert "predicted_vs_true.png" in shown.stdout
    said = cli("predict", str(pairs / "3.png"), "--name", "set", "--head", "knn").stdout
    assert "3.png  sum " in said
    own = (str(pairs / "3.png"), "--name", "set", "--head", "knn")
    bounded = cli("predict", *own, "--coverage", "0.9", "--evidence", "drawn", "--json")
    (image,) = json.loads(bounded.stdout)["images"]
    low, high = image["interval"]["sum"]
    assert (high - low) / 2 == pytest.approx(number["prediction_interval"]["half_width"])
    assert Path(image["evidence"]["sum"]).is_file()
    refused = cli("predict", *own, "--top", "3")
    assert refused.exit_code == 2
    assert "--top counts classes" in refused.stderr


@pytest.mark.parametrize("source", [labels, sums])
def test_export_tells_what_the_model_takes_and_gives(
    source: Callable[[Path], tuple[str, ...]], pairs: Path, cli: Cli
) -> None:
    assert cli("extract", "--data", *source(pairs), *STAGE, "--name", "set").exit_code == 0
    assert cli("train-head", "--name", "set", "--head", "ridge").exit_code == 0
    told = cli("export", "--name", "set", "--head", "ridge")
    assert told.exit_code == 0, told.output
    if source is labels:
        assert "output   probabilities: float32 (n, 4): one, three, two, zero" in told.stdout
        assert "answered  from thresholds 0." in told.stdout
        assert "probabilities differ by at most" in told.stdout
    else:
        assert "output   numbers: float32 (n, 1): sum" in told.stdout
        assert "numbers differ by at most" in told.stdout
        assert "standard deviations from the head's" in told.stdout
        assert "thresholds" not in told.stdout


def test_another_kind_of_target_computes_nothing(pairs: Path, cli: Cli) -> None:
    for number, source in enumerate((labels, sums, marks)):
        report = json.loads(
            cli("extract", "--data", *source(pairs), *STAGE, "--name", f"set{number}", "--json").stdout
        )
        computed = sum(split["computed"] for split in report["splits"].values())
        assert computed == (0 if number else ROWS)


@pytest.mark.parametrize(
    "words",
    [
        ("evaluate", "--head", "ridge", "--calibrate"),
        ("predict", "3.png", "--head", "ridge", "--coverage", "0.9"),
        ("train-head", "--head", "finetune"),
    ],
)
def test_what_is_for_classes_says_so(words: tuple[str, ...], pairs: Path, cli: Cli) -> None:
    assert cli("extract", "--data", *labels(pairs), *STAGE, "--name", "set").exit_code == 0
    assert cli("train-head", "--name", "set", "--head", "ridge").exit_code == 0
    own = [str(pairs / word) if word.endswith(".png") else word for word in words]
    refused = cli(*own, "--name", "set")
    assert refused.exit_code in (2, 3), refused.output
    assert "several labels" in refused.stderr or "heads of classes" in refused.stderr
    assert "unexpected" not in refused.stderr


def test_status_tells_the_figures_of_labels(pairs: Path, cli: Cli) -> None:
    assert cli("extract", "--data", *labels(pairs), *STAGE, "--name", "set").exit_code == 0
    assert cli("train-head", "--name", "set", "--head", "ridge").exit_code == 0
    assert cli("evaluate", "--name", "set", "--head", "ridge", "--split", "test").exit_code == 0
    told = cli("status").stdout
    assert "ridge  val map 0." in told
    assert "test map 0." in told
    (entry,) = json.loads(cli("status", "--json").stdout)["entries"]
    assert 0 < entry["heads"][0]["val_map"] < 1
    low, high = entry["heads"][0]["evaluated"]["test"]["map_ci"]
    assert low < entry["heads"][0]["evaluated"]["test"]["map"] < high


@pytest.mark.parametrize(
    ("source", "kind", "figure", "words"),
    [
        (labels, "labels", "map", "mean average precision"),
        (sums, "number", "r2", "R2"),
    ],
)
def test_heads_are_compared_by_the_figure_of_the_kind(
    source: Callable[[Path], tuple[str, ...]], kind: str, figure: str, words: str, pairs: Path, cli: Cli
) -> None:
    assert cli("extract", "--data", *source(pairs), *STAGE, "--name", "set").exit_code == 0
    swept = cli("sweep", "--name", "set", "--head", "knn", "--grid", "k=1,9")
    assert swept.exit_code == 0, swept.output
    assert swept.stdout.startswith(f"{words} on val")
    folds = ("--preset", "quick", "--cv", "2") if kind == "number" else ("--head", "knn", "--cv", "2")
    compared = cli("sweep", "--name", "set", *folds, "--json")
    told = json.loads(compared.stdout)
    assert (told["figure"], told["chosen_on"]) == (figure, "2 folds of train")
    assert 0 < told["winner"][f"val_{figure}"] < 1
    assert "accuracy" not in compared.stdout
    assert ("they do not learn numbers" in compared.stderr) == (kind == "number")
    head = ("--name", "set", "--head", "knn")
    cv = json.loads(cli("evaluate", *head, "--cv", "2", "--grid", "k=1,9", "--json").stdout)["cv"]
    assert sum(one["folds"] for one in cv["chosen"]) == 2
    assert cv["target"] == kind
    assert cv[f"{figure}_ci"][0] < cv[figure] < cv[f"{figure}_ci"][1]
    assert len(cv["by_fold"][0]) == 2


def test_heads_say_what_they_learn(cli: Cli) -> None:
    known = json.loads(cli("heads", "--json").stdout)
    assert known["ridge"]["targets"] == ["class", "labels", "number"]
    assert known["finetune"]["targets"] == ["class"]
    assert "also learns several labels an image and numbers" in cli("heads").stdout


def test_what_needs_no_classes_goes_on(pairs: Path, cli: Cli) -> None:
    assert cli("extract", "--data", *labels(pairs), *STAGE, "--name", "set").exit_code == 0
    assert cli("train-head", "--name", "set", "--head", "ridge").exit_code == 0
    for words in (("check", "--name", "set"), ("cache", "verify"), ("cache", "ls"), ("status",)):
        done = cli(*words)
        assert done.exit_code == 0, done.output
    found = cli("search", str(pairs / "3.png"), "--name", "set")
    assert found.exit_code == 0, found.output
    names = (pairs / "pairs.csv").read_text().splitlines()[4].split(",")[1].split(";")
    first = found.stdout.splitlines()[1]
    assert set(names) <= {*re.split(r"[ ,]+", first)}
    assert cli("cache", "export", "--name", "set", "--out", "set.npz").exit_code == 0
