"""``pipeline next``: a table to fill in, that is a source again."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from counting_engine import CountingEngine
from photos import Photos

Cli = Callable[..., Result]
Read = Callable[[Result], dict[str, Any]]


@pytest.fixture
def table(extract: Cli, some_photos: Photos) -> Path:
    """A table of the photographs in which half of the training images have no label; features are there."""
    path = some_photos.root.parent / "table.csv"
    with open(path, "w") as file:
        file.write("path,label,split\n")
        for split in ("train", "val", "test"):
            for i, photo in enumerate(some_photos.files(split)):
                label = "" if split == "train" and i % 2 else photo.parent.name
                file.write(f"{photo},{label},{split}\n")
    assert extract("--data", path).exit_code == 0
    return path


def test_the_filled_in_table_is_a_source(
    table: Path, cli: Cli, extract: Cli, engine: CountingEngine, the_object: Read
) -> None:
    assert cli("train-head", "--data", table).exit_code == 0
    result = cli("next", "--data", table, "--n", 2)
    assert result.exit_code == 0, result.stderr
    assert "2 of 6 unlabelled images of train: those logreg is least sure of" in result.stderr
    rows = list(csv.DictReader(io.StringIO(result.stdout)))
    assert len(rows) == 26
    assert [row["label"] for row in rows[:2]] == ["", ""]
    assert all(row["guess"] in ("cats", "dogs") for row in rows[:2])
    assert sum(not row["label"] for row in rows) == 6
    for row in rows[:2]:
        row["label"] = Path(row["path"]).parent.name
    filled = table.parent / "filled.csv"
    with open(filled, "w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    before = engine.seen.total()
    assert extract("--data", filled).exit_code == 0
    assert engine.seen.total() == before
    described = the_object(cli("next", "--data", filled, "--head", "logreg", "--json"))
    assert "error" in described  # its own head is not trained yet
    assert cli("train-head", "--data", filled).exit_code == 0
    described = the_object(cli("next", "--data", filled, "--json"))
    assert (described["unlabelled"], len(described["next"]), described["head"]) == (4, 4, "logreg")
    assert list(described["next"][0]) == ["id", "margin", "guess", "cluster"]


def test_before_two_classes_have_labels_no_head_is_needed(table: Path, cli: Cli, extract: Cli) -> None:
    text = table.read_text().replace("dogs,train", ",train")
    table.write_text(text)
    assert extract("--data", table).exit_code == 0
    result = cli("next", "--data", table, "--n", 3)
    assert "3 of 9 unlabelled images of train: the most different" in result.stderr
    assert result.exit_code == 0


def test_of_a_labelled_set_there_is_nothing_to_label(cli: Cli, stored: list[str]) -> None:
    assert cli("train-head", *stored).exit_code == 0
    result = cli("next", *stored)
    assert result.exit_code == 2
    assert "every image has a label" in result.stderr
