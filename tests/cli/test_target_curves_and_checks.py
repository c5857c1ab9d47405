"""What more images bring, which labels are wrong, what to label next: of several labels and of numbers."""

from __future__ import annotations

import csv
import html
import io
import json
import shlex
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result
from digit_pairs import NAMES, draw_pairs

from pipeline.cache import FeatureSet, open_features

Cli = Callable[..., Result]

STAGE = ("--backbone", "pixels", "--image-size", "16")
ROWS = 160
SOURCES = {
    "list": ("pairs.csv", "--label-column", "digits", "--label-separator", ";"),
    "columns": ("marks.csv", *(word for name in NAMES for word in ("--target-column", name))),
    "number": ("pairs.csv", "--label-column", "sum", "--target", "number"),
}


@pytest.fixture(scope="module")
def pairs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two digits side by side; their labels as a list and as marks, and their sum; the last 20 unknown."""
    folder = tmp_path_factory.mktemp("pairs")
    listed, marks = ["path,split,digits,sum"], ["path,split,zero,one,two,three"]
    for number, own, sum_of in draw_pairs(folder, ROWS):
        known = number < ROWS - 20
        split = "val" if number % 4 == 0 and known else "train"
        told = ";".join(NAMES[one] for one in own) if known else ""
        total = f"{sum_of + 0.5}" if known else ""
        listed.append(f"{number}.png,{split},{told},{total}")
        cells = (str(int(one in own)) if known else "" for one in range(4))
        marks.append(f"{number}.png,{split}," + ",".join(cells))
    (folder / "pairs.csv").write_text("\n".join(listed) + "\n")
    (folder / "marks.csv").write_text("\n".join(marks) + "\n")
    return folder


@pytest.fixture
def stored(pairs: Path, cli: Cli) -> Callable[[str], tuple[str, ...]]:
    def store(kind: str) -> tuple[str, ...]:
        """Extracts a source, and returns the options that name its features."""
        file, *options = SOURCES[kind]
        done = cli("extract", "--data", str(pairs / file), *options, *STAGE, "--name", kind)
        assert done.exit_code == 0, done.output
        return ("--name", kind)

    return store


@pytest.mark.parametrize(("kind", "figure"), [("list", "map"), ("number", "r2")])
def test_a_learning_curve_tells_the_figure_of_the_kind(
    kind: str, figure: str, stored: Callable[[str], tuple[str, ...]], cli: Cli
) -> None:
    words = ("learning-curve", *stored(kind), "--head", "ridge", "--draws", "2")
    done = cli(*words, "--json")
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert len(told[figure]) == len(told["rows"])
    assert (told["split"], told["rows"][-1]) == ("val", 105)
    assert (Path(told["folder"]) / "learning-curve.png").is_file()
    shown = cli(*words)
    assert "twice as many images would bring" in shown.stdout


def test_a_head_that_learns_no_numbers_names_those_that_do(
    stored: Callable[[str], tuple[str, ...]], cli: Cli
) -> None:
    refused = cli("learning-curve", *stored("number"), "--head", "lda")
    assert refused.exit_code == 2
    assert "choose from" in refused.stderr
    assert "ridge" in refused.stderr


@pytest.mark.parametrize("kind", ["list", "columns", "number"])
def test_the_table_of_a_check_is_the_source_again(
    kind: str, stored: Callable[[str], tuple[str, ...]], cli: Cli
) -> None:
    done = cli("check", "--labels", *stored(kind), "--json")
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert told["checked"] == ROWS - 20
    folder = Path(told["folder"])
    page = (folder / "labels.html").read_text()
    options = shlex.split(html.unescape(page.split("extract --data relabel.csv")[1].split("</code>")[0]))
    table = str(folder / "relabel.csv")
    again = cli("extract", "--data", table, *options, *STAGE, "--name", "again", "--json")
    assert again.exit_code == 0, again.output
    assert sum(split["computed"] for split in json.loads(again.stdout)["splits"].values()) == 0
    entries = {one["entry"] for one in json.loads(cli("cache", "ls", "--json").stdout)["entries"]}
    assert len(entries) == 2
    for split in ("train", "val"):
        one, other = (open_features(entry, split) for entry in entries)
        assert (sorted(one.classes), one.target) == (sorted(other.classes), other.target)
        assert _by_image(one) == _by_image(other)
    shown = cli("check", "--labels", *stored(kind))
    assert "likely wrong" in shown.stdout


def _by_image(features: FeatureSet) -> dict[bytes, dict[str, float]]:
    rows = zip(features.rows.digests, np.nan_to_num(features.targets, nan=-1).tolist(), strict=True)
    return {digest.tobytes(): dict(zip(features.classes, row, strict=True)) for digest, row in rows}


@pytest.mark.parametrize(
    ("kind", "measure"), [("list", "entropy"), ("columns", "entropy"), ("number", "distance")]
)
def test_the_filled_in_table_of_next_is_the_source_again(
    kind: str, measure: str, stored: Callable[[str], tuple[str, ...]], cli: Cli, tmp_path: Path
) -> None:
    own = stored(kind)
    if kind != "number":
        assert cli("train-head", *own, "--head", "ridge").exit_code == 0
    done = cli("next", *own, "--head", "ridge", "--n", "3")
    assert done.exit_code == 0, done.output
    assert "3 of 20 unlabelled images of train" in done.stderr
    rows = list(csv.DictReader(io.StringIO(done.stdout)))
    assert len(rows) == ROWS
    assert all(row[measure] for row in rows[:3])
    options = shlex.split(done.stderr.split("--data TABLE")[1].split("`")[0])
    told = options[1] if kind == "number" else "label"
    names = NAMES if kind == "columns" else (told,)
    assert [rows[0][name] for name in names] == [""] * len(names)
    for name in names:
        rows[0][name] = {"list": "zero;two", "columns": "1", "number": "2.5"}[kind]
    with (tmp_path / "filled.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    again = cli(
        "extract", "--data", str(tmp_path / "filled.csv"), *options, *STAGE, "--name", "filled", "--json"
    )
    assert again.exit_code == 0, again.output
    assert sum(split["computed"] for split in json.loads(again.stdout)["splits"].values()) == 0
    (entry,) = (
        one["entry"]
        for one in json.loads(cli("cache", "ls", "--json").stdout)["entries"]
        if "filled" in one["entry"]
    )
    assert np.count_nonzero(~open_features(entry, "train").known) == 19
