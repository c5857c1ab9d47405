"""The table of published experiments: what is run, what is known already, and what is not there."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import recipe_list
import recipe_results
import recipe_tables
import recipes
from measuring import Ended
from photos import Photos
from recipe_list import LINES, Line, place
from recipe_results import Results
from tables import read_table

from pipeline.recipe import read_recipe, shipped

RECIPE = """
title = "t"
data = "nowhere"
head = "logreg"
evaluate = ["test"]
[extract]
backbone = "pixels"
image_size = 8
[published]
accuracy = 0.5
data = "photos"
split = "test"
"""


def test_every_recipe_of_classes_is_in_the_list() -> None:
    of_classes = {name for name in shipped() if read_recipe(Path(name)).experiment.data == "builtin:digits"}
    assert {line.recipe for line in LINES if not line.frozen} == of_classes
    assert len({line.name for line in LINES}) == len(LINES)


@pytest.mark.parametrize("line", LINES, ids=lambda line: line.name)
def test_a_line_names_what_there_is(line: Line, tmp_path: Path) -> None:
    told = place(line, tmp_path, tmp_path).missing
    assert recipe_list.DATA[line.data] in told
    assert ("filters" in told) == (line.base != "pixels" and not line.cost_images)


@pytest.fixture
def line(photos: Photos, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Line:
    for split in ("train", "test"):
        for label in ("cats", "dogs"):
            photos.add(f"{split}/{label}", 4)
    path = tmp_path / "mine.toml"
    path.write_text(RECIPE)
    monkeypatch.setitem(recipe_list.DATA, "photos", photos.root.name)
    return Line(str(path), "photos", 2)


class Told:
    """Answers as ``pipeline run --json`` does (tests/cli/test_run_command.py); features are computed once."""

    def __init__(self) -> None:
        self.commands: list[Sequence[str]] = []

    def __call__(self, command: Sequence[str]) -> Ended:
        self.commands.append(command)
        computed = 16 if len(self.commands) == 1 else 0
        filled = {"rows": 16, "computed": computed, "seconds": computed / 8}
        about = {"entry": "cache/photos/e", "engine": "raw", "precision": "none"}
        answer = {
            "extract": {**about, "splits": {"train": filled}},
            "train": {"train_rows": 8},
            "evaluate": {"test": {"accuracy": 0.75, "n": 8}},
            "seconds": {"extract": 4.0 if computed else 1.0, "train": 1.0, "evaluate": 0.5},
        }
        return Ended(3.0, 2.0, 1_000_000_000, answer)


@pytest.fixture
def seeds(line: Line, photos: Photos, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable:
    """Runs the line; returns the rows of the table, and how many processes there were."""
    told = Told()
    monkeypatch.setattr(recipes, "run_process", told)

    def run(*words: object, lines: Sequence[Line] = (line,)) -> tuple[list[dict[str, str]], int]:
        before = len(told.commands)
        places = ["--data", photos.root.parent, "--weights", tmp_path, "--cache", tmp_path / "cache"]
        places += ["--runs", tmp_path / "runs", "--out", tmp_path / "recipes.csv"]
        recipes.main([*map(str, [*places, *words])], lines)
        return read_table(tmp_path / "recipes.csv"), len(told.commands) - before

    return run


def test_a_row_is_what_the_command_says(seeds: Callable, line: Line) -> None:
    row = seeds()[0][0]
    assert (row["test"], row["test_rows"], row["val"], row["train_rows"]) == ("0.7500", "8", "", "8")
    assert (row["run_seconds"], row["extract_seconds"], row["train_seconds"]) == ("3.0", "4.0", "1.0")
    assert (row["images_per_second"], row["peak_gb"], row["entry"]) == ("8.000", "1.00", "photos/e")
    assert (row["base"], row["head"]) == ("pixels", "logreg")


def test_each_seed_has_its_row_and_is_run_once(seeds: Callable, line: Line, tmp_path: Path) -> None:
    (first, second), count = seeds()
    assert (first["seed"], second["seed"], count) == ("0", "1", 2)
    assert (first["computed"], second["computed"]) == ("16", "0")
    assert first["features_took"] == second["features_took"] == "4.0", "the table knows what they took"
    assert set(first) == set(recipe_results.COLUMNS)
    assert seeds()[1] == 0
    Path(line.recipe).write_text(RECIPE.replace("0.5", "0.6"))
    assert seeds()[1] == 0, "the published figure changes nothing"
    assert seeds("--again", line.recipe)[1] == 2
    Path(line.recipe).write_text(RECIPE + "[options]\nC = 0.1\n")
    assert seeds()[1] == 2
    (tmp_path / "recipes.csv").unlink()
    assert seeds()[0][0]["features_took"] == "", "nobody saw how long they took"


def test_other_images_are_run_anew(seeds: Callable, photos: Photos) -> None:
    before, _ = seeds()
    photos.add("train/cats", 1)
    after, count = seeds()
    assert count == 2
    assert {row["made_of"] for row in before}.isdisjoint(row["made_of"] for row in after)


def test_images_that_are_not_there_are_a_note_until_they_are(
    seeds: Callable, photos: Photos, tmp_path: Path
) -> None:
    gone = photos.root.rename(tmp_path / "elsewhere")
    assert [row["note"] for row in seeds()[0]] == [f"no images {photos.root.name} there"]
    gone.rename(photos.root)
    assert [row["note"] for row in seeds()[0]] == ["", ""]
    photos.root.rename(gone)
    assert len(seeds()[0]) == 2, "what was measured stays"


def test_a_stopped_run_goes_on(
    seeds: Callable, line: Line, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = recipes.whole

    def stopped(line: Line, seed: int, *rest: object) -> dict[str, str]:
        if seed == 1:
            raise KeyboardInterrupt
        return whole(line, seed, *rest)

    monkeypatch.setattr(recipes, "whole", stopped)
    with pytest.raises(SystemExit):
        seeds()
    assert [row["seed"] for row in read_table(tmp_path / "recipes.csv")] == ["0"]
    monkeypatch.setattr(recipes, "whole", whole)
    rows, count = seeds()
    assert ([row["seed"] for row in rows], count) == (["0", "1"], 1)


def test_a_failed_run_is_a_note(seeds: Callable, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(command: Sequence[str]) -> Ended:
        raise RuntimeError("ended with 1: first\nthe disk is full")

    monkeypatch.setattr(recipes, "run_process", fails)
    rows, _ = seeds()
    assert [row["note"] for row in rows] == ["seed 1 failed: the disk is full"]


def test_a_run_whose_features_were_there_does_not_say_how_long_they_took(line: Line, tmp_path: Path) -> None:
    results = Results(tmp_path / "recipes.csv", [line])
    results.add(line, 0, "a", {"run_seconds": "9", "entry": "photos/one", "features_took": ""})
    assert results.features_took("photos/one") == ""
    results.add(line, 1, "a", {"run_seconds": "9", "entry": "photos/one", "features_took": "7"})
    assert Results(tmp_path / "recipes.csv", [line]).features_took("photos/one") == "7"


def test_the_table_holds_mean_interval_spread_and_seconds(
    line: Line, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recipe_tables, "LINES", [line])
    results = Results(tmp_path / "recipes.csv", [line])
    assert recipe_tables.NOT_MEASURED in recipe_tables.published(tmp_path / "recipes.csv")
    took = {"run_seconds": "30", "extract_seconds": "1", "features_took": "20.0", "val": ""}
    for seed, test in enumerate(("0.9", "0.94")):
        results.add(line, seed, "a", {"test": test, "test_rows": "1000", **took})
    row = recipe_tables.published(tmp_path / "recipes.csv").splitlines()[2].split(" | ")
    assert row[1:] == [
        "0.50 on photos, test",
        "-",
        "0.9200 (0.902 to 0.935)",
        "0.9000 to 0.9400, 2 seeds",
        "-",
        "20 + 29",
        "yes",
        "none needed",
        "- |",
    ]


def test_seconds_of_a_machine_that_had_other_work_are_not_shown(
    line: Line, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recipe_tables, "LINES", [line])
    results = Results(tmp_path / "recipes.csv", [line])
    took = {"test": "0.9", "test_rows": "1000", "extract_seconds": "1", "features_took": "20.0", "val": ""}

    def shown() -> str:
        return recipe_tables.published(tmp_path / "recipes.csv").splitlines()[2].split(" | ")[6]

    results.add(line, 0, "a", {"run_seconds": "900", "note": recipe_tables.BESIDE, **took})
    assert shown() == recipe_tables.NOT_TIMED
    results.add(line, 1, "a", {"run_seconds": "30", **took})
    assert shown() == "20 + 29"
