"""Stage one on tables with several labels an image, or numbers: counted, compared, and never recomputed."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest
from click.testing import CliRunner
from counting_engine import BACKBONE, CountingEngine
from photos import Photos

from pipeline.cache import open_features
from pipeline.cache.features import Selection
from pipeline.cli import main
from pipeline.extraction import Extraction, FeatureRequest, extract
from pipeline.extraction.staleness import Staleness, compare_with_source
from pipeline.images.source_options import SourceOptions
from pipeline.images.targets import CLASS, LABELS, NUMBER

ROWS = [("cat;indoor", 1.5), ("dog", 2), ("cat", ""), ("indoor;dog", 8), ("", 4), (";", 1.5)]
SPLITS = ["train"] * 4 + ["val"] * 2
OPTIONS = {
    CLASS: SourceOptions(split_column="split"),
    LABELS: SourceOptions(split_column="split", label_separator=";"),
    NUMBER: SourceOptions(split_column="split", target="number", label_column="weight"),
}
Extract = Callable[..., Extraction]


@pytest.fixture
def table(photos: Photos) -> Path:
    """A table of six pictures, four of train and two of val."""
    photos.add("all", len(ROWS))
    return photos.root / "set.csv"


def write(table: Path, rows: list[tuple[object, object]]) -> None:
    lines = [
        f"all/{i:04d}.png,{label},{weight},{split}"
        for i, ((label, weight), split) in enumerate(zip(rows, SPLITS, strict=True))
    ]
    table.write_text("\n".join(["path,label,weight,split", *lines]) + "\n")


@pytest.fixture
def run(table: Path, engine: CountingEngine, cache: Path) -> Extract:
    """Writes the table and runs stage one on it."""

    def run(kind: str, rows: list[tuple[object, object]] = ROWS) -> Extraction:
        write(table, rows)
        request = FeatureRequest(batch_size=4, **BACKBONE)
        (extraction,) = extract(str(table), request, cache=cache, source_options=OPTIONS[kind])
        return extraction

    return run


def told(extraction: Extraction) -> Staleness:
    return compare_with_source(Selection((extraction.entry,)))


def test_labels_of_each_split_are_counted(run: Extract, capsys: pytest.CaptureFixture[str]) -> None:
    described = run(LABELS).to_json()
    assert described["target"] == LABELS
    assert described["classes"] == {
        "cat": {"train": 2, "val": 0},
        "dog": {"train": 2, "val": 0},
        "indoor": {"train": 2, "val": 0},
    }
    assert described["unlabelled"] == {"train": 0, "val": 1}
    assert "spans" not in described
    said = capsys.readouterr().err
    assert "set: 6 images, 3 labels (several labels an image)" in said
    assert ["indoor", "2", "0"] in [line.split() for line in said.splitlines()]


def test_numbers_of_each_split_have_a_span(run: Extract, capsys: pytest.CaptureFixture[str]) -> None:
    described = run(NUMBER).to_json()
    assert described["target"] == NUMBER
    assert described["classes"] == {"weight": {"train": 3, "val": 2}}
    assert described["spans"] == {
        "weight": {
            "train": {"least": 1.5, "middle": 2, "greatest": 8},
            "val": {"least": 1.5, "middle": 2.75, "greatest": 4},
        }
    }
    said = capsys.readouterr().err
    assert "set: 6 images, 1 number\n" in said
    assert "2 (1.5 to 8)" in said
    assert any("1 image without a number (train 1)" in note for note in described["notes"])


def test_a_number_of_which_a_split_knows_nothing(run: Extract, capsys: pytest.CaptureFixture[str]) -> None:
    described = run(NUMBER, [*ROWS[:4], ("", ""), ("", "")]).to_json()
    assert described["spans"]["weight"]["val"] == {"least": None, "middle": None, "greatest": None}
    assert ["weight", "2", "(1.5", "to", "8)", "unknown"] in [
        line.split() for line in capsys.readouterr().err.splitlines()
    ]


def test_of_several_numbers_one_that_is_known_of_fewer_images_says_so(
    table: Path, cache: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    weights = ("1000001", "", "1000003", "", "2.5", "")
    lines = [f"all/{i:04d}.png,{i + 2},{one},{SPLITS[i]}" for i, one in enumerate(weights)]
    table.write_text("\n".join(["path,width,weight,split", *lines]) + "\n")
    options = SourceOptions(target_column=("width", "weight"), split_column="split")
    extract(str(table), FeatureRequest(batch_size=4, **BACKBONE), cache=cache, source_options=options)
    said = capsys.readouterr().err
    assert "1000002 (1000001 to 1000003, 2 known)" in said
    assert "2.5 (2.5 to 2.5, 1 known)" in said
    assert "3.5 (2 to 5)" in said


def test_scripts_are_told_on_the_command_line(table: Path, cache: Path) -> None:
    write(table, ROWS)
    base = [
        "extract",
        "--data",
        str(table),
        "--cache",
        str(cache),
        "--backbone",
        "pixels",
        "--image-size",
        "8",
    ]
    result = CliRunner().invoke(main, [*base, "--label-separator", ";", "--json"])
    assert result.exit_code == 0, result.stderr
    (described,) = [json.loads(line) for line in result.stdout.splitlines()]
    assert described["target"] == LABELS
    result = CliRunner().invoke(main, [*base, "--target", "number", "--label-column", "weight", "--json"])
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout)["target"] == NUMBER
    result = CliRunner().invoke(main, [*base, "--target", "boxes"])
    assert result.exit_code == 2
    assert "labels" in result.stderr


def test_another_kind_computes_no_row(run: Extract, engine: CountingEngine) -> None:
    assert run(CLASS).computed == len(ROWS)
    engine.forget()
    for kind in (LABELS, NUMBER, CLASS, NUMBER, LABELS):
        extraction = run(kind)
        assert (extraction.computed, engine.computed) == (0, 0)
        found = open_features(extraction.entry, "train")
        assert (found.target, len(found)) == (kind, 4)
    assert np.array_equal(found.targets, [[1, 0, 1], [0, 1, 0], [1, 0, 0], [0, 1, 1]])
    assert run(LABELS, [("dog", 1)] * 6).computed == 0


def test_a_damaged_file_is_mended_without_computing_its_rows(run: Extract, engine: CountingEngine) -> None:
    entry = run(LABELS).entry
    with h5py.File(entry.file("train"), "r+") as file:
        file["targets"][1] = 1
    engine.forget()
    extraction = run(LABELS)
    assert (extraction.computed, engine.computed) == (0, 0)
    found = open_features(extraction.entry, "train").targets
    assert np.array_equal(found, [[1, 0, 1], [0, 1, 0], [1, 0, 0], [0, 1, 1]])


CHANGES: dict[str, tuple[str, list[tuple[object, object]], list[str]]] = {
    "nothing of labels": (LABELS, ROWS, []),
    "nothing of numbers": (NUMBER, ROWS, []),
    "the order in a list": (LABELS, [("indoor;cat", 1.5), *ROWS[1:]], []),
    "labels of one image": (LABELS, [("cat", 1.5), *ROWS[1:]], ["1 image with another label"]),
    "a label that was unknown": (LABELS, [*ROWS[:4], ("dog", 4), ROWS[5]], ["1 image with another label"]),
    "a new label": (
        LABELS,
        [("cat;indoor;new", 1.5), *ROWS[1:]],
        ["1 image with another label", "label 'new' new"],
    ),
    "a label that is gone": (
        LABELS,
        [("cat", 1.5), ("dog", 2), ("cat", ""), ("dog", 8), *ROWS[4:]],
        ["2 images with another label", "label 'indoor' gone"],
    ),
    "a number": (NUMBER, [("cat", 1.25), *ROWS[1:]], ["1 image with another number"]),
    "a number that is known": (NUMBER, [*ROWS[:2], ("cat", 3), *ROWS[3:]], ["1 image with another number"]),
}


@pytest.mark.parametrize("change", CHANGES)
def test_what_has_changed_is_noticed_and_taken_in(change: str, run: Extract, table: Path) -> None:
    kind, rows, expected = CHANGES[change]
    extraction = run(kind)
    write(table, rows)
    found = told(extraction)
    assert found.differences == expected
    if expected:
        assert "--" in found.command
        assert told(run(kind, rows)).differences == []
