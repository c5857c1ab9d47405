"""Images without labels: searched, exported and labelled later; heads and figures are refused."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import Result
from counting_engine import CountingEngine
from photos import Photos

Cli = Callable[..., Result]
Read = Callable[[Result], dict[str, Any]]


@pytest.fixture
def folder(extract: Cli, photos: Photos) -> Path:
    """A folder of photographs whose features are stored, with nothing known of them."""
    photos.add("some", 40)
    result = extract("--data", photos.root / "some", "--label-column", "none")
    assert result.exit_code == 0, result.stderr
    assert "40 images, 0 classes" in result.stderr
    return photos.root / "some"


@pytest.mark.parametrize("command", ["train-head", "evaluate", "evaluate --cv 3"])
def test_heads_and_figures_are_refused_with_the_next_command(command: str, folder: Path, cli: Cli) -> None:
    result = cli(*command.split(), "--data", folder)
    assert result.exit_code == 2
    assert "label" in result.stderr
    assert "`pipeline next > next.csv`" in result.stderr
    assert "`pipeline extract --data next.csv`" in result.stderr


def test_they_are_found_and_exported(folder: Path, cli: Cli, the_object: Read) -> None:
    first = sorted(folder.iterdir())[0]
    found = the_object(cli("search", first, "--data", folder, "--json"))
    assert first.name in str(found)
    result = cli("cache", "export", "--data", folder, "--out", "some.npz")
    assert result.exit_code == 0, result.stderr
    with np.load("some.npz") as stored:
        assert set(stored["label"].tolist()) == {""}


def test_labels_that_are_filled_in_later_cost_no_features(
    folder: Path, extract: Cli, cli: Cli, engine: CountingEngine, the_object: Read
) -> None:
    listed = cli("next", "--data", folder, "--n", 5)
    assert listed.exit_code == 0, listed.stderr
    rows = list(csv.DictReader(listed.stdout.splitlines()))
    assert len(rows) == 40
    with open("next.csv", "w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(row | {"label": "ab"[i % 2]} for i, row in enumerate(rows))
    before = engine.computed
    assert extract("--data", "next.csv").exit_code == 0
    assert engine.computed == before
    assert the_object(cli("train-head", "--data", "next.csv", "--json"))["train_rows"] > 0
    assert cli("evaluate", "--data", "next.csv").exit_code == 0
