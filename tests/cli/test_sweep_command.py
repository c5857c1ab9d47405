"""``pipeline sweep``: which heads it compares, what it prints, and what it refuses."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from photos import Photos

Cli = Callable[..., Result]
Read = Callable[[Result], dict[str, Any]]

HEADS = ["--head", "logreg", "--grid", "C=1e-3,1", "--head", "knn", "--grid", "k=1,3"]


@pytest.fixture
def sweep(extract: Cli, some_photos: Photos, cli: Cli) -> Cli:
    """Runs ``pipeline sweep`` on the features of the photographs."""
    assert extract().exit_code == 0
    return lambda *arguments: cli("sweep", "--data", some_photos.root, *arguments)


def test_a_grid_belongs_to_the_head_before_it(sweep: Cli) -> None:
    result = sweep(*HEADS, "--head=prototype")
    assert result.exit_code == 0, result.stderr
    *_, best, table, described, picture = result.stdout.splitlines()
    assert best.startswith("best: ")
    paths = [Path(line.strip()) for line in (table, described, picture)]
    assert [path.suffix for path in paths] == [".csv", ".json", ".png"]
    with open(paths[0], newline="", encoding="utf-8") as file:
        heads = [row["head"] for row in csv.DictReader(file)]
    assert sorted(heads) == ["knn", "knn", "logreg", "logreg", "prototype"]


def test_json_is_one_object_about_the_winner(sweep: Cli, the_object: Read) -> None:
    described = the_object(sweep(*HEADS, "--json"))
    assert described["compared"] == 4
    assert described["chosen_on"] == "val"
    assert Path(described["winner"]["run"], "head.json").is_file()
    board = json.loads(Path(described["leaderboard"]).read_text())
    assert board


def test_the_winner_can_be_evaluated(sweep: Cli, cli: Cli, some_photos: Photos, the_object: Read) -> None:
    winner = the_object(sweep(*HEADS, "--json"))["winner"]["head"]
    result = cli("evaluate", "--data", some_photos.root, "--head", winner, "--json")
    assert the_object(result)["n"] == 8


def test_cross_validation_needs_no_val(sweep: Cli, the_object: Read) -> None:
    described = the_object(sweep("--head", "prototype", "--cv", 3, "--json"))
    assert "3" in described["chosen_on"]


def test_a_finished_sweep_resumes_at_once(sweep: Cli, the_object: Read) -> None:
    first = the_object(sweep(*HEADS, "--json"))
    again = the_object(sweep(*HEADS, "--resume", "--json"))
    assert again["winner"]["options"] == first["winner"]["options"]
    assert again["compared"] == 4


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--grid", "C=1", "--head", "logreg"], "--grid C=1 must follow the --head it belongs to"),
        (["--head", "logrek"], "unknown head 'logrek' (did you mean 'logreg'?)"),
        (["--head", "logreg", "--grid", "D=1"], "'D'"),
        (["--head", "logreg", "--grid", "C"], "C"),
        (["--head", "logreg", "--grid", "C=high"], "C=high"),
        (["--preset", "slow"], "'slow'"),
        (["--head", "logreg", "--cv", "1"], "1"),
        ([], "--preset"),
    ],
)
def test_what_cannot_be_compared_is_refused(sweep: Cli, arguments: list[str], message: str) -> None:
    result = sweep(*arguments)
    assert result.exit_code == 2
    assert message in result.stderr
