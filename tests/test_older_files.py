"""Caches, heads and reports that version 0.1 made open, answer and are used again as if they were of today.

``tests/helpers/make_files_of_0_1.py`` made the files, and says what that version read and answered.
"""

from __future__ import annotations

import hashlib
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from make_files_of_0_1 import COMMANDS, FILTERS, OF_MOVED_TYPES, PIXELS

from pipeline import evaluate, find_entries, load_head, open_features
from pipeline.cli import main

ARCHIVE = Path(__file__).parent / "data" / "files_of_0_1.zip"
HEADS = ("logreg", "knn", "dense", *OF_MOVED_TYPES)


@pytest.fixture(scope="module")
def older(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The unpacked files; tests may add to them."""
    folder = tmp_path_factory.mktemp("older")
    with zipfile.ZipFile(ARCHIVE) as archive:
        archive.extractall(folder)
    return folder


@pytest.fixture(scope="module")
def expected(older: Path) -> dict[str, Any]:
    """What version 0.1 read back (``features``) and printed (``said``, by command)."""
    return json.loads((older / "expected.json").read_text())


def printed(*words: str) -> Any:
    ended = CliRunner().invoke(main, [*words, "--json"])
    assert ended.exit_code == 0, ended.stderr
    return json.loads(ended.stdout)


def test_features_are_what_they_were(older: Path, expected: dict[str, Any]) -> None:
    found = set()
    for entry in find_entries(older / "features_cache"):
        for split in entry.splits:
            features = open_features(entry, split)
            then = expected["features"][f"{entry.spec.backbone} {split}"]
            found.add(f"{entry.spec.backbone} {split}")
            assert list(features.rows.ids) == then["ids"]
            assert features.labels.tolist() == then["labels"]
            assert features.rows.views.tolist() == then["views"]
            whole = np.ascontiguousarray(features.to_memory())
            assert hashlib.sha256(whole).hexdigest() == then["sha256"]
    assert found == set(expected["features"])


@pytest.mark.parametrize(
    "words", [PIXELS, [*FILTERS, "--views", "1", "--augment", "rotation=20"]], ids=["pixels", "filters"]
)
def test_their_rows_are_not_computed_again(
    words: list[str], older: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(older)
    report = printed("extract", *words, "--name", "moved")
    assert {name: split["computed"] for name, split in report["splits"].items()} == {
        "train": 0,
        "val": 0,
        "test": 0,
    }


@pytest.mark.parametrize("name", HEADS)
def test_heads_answer_as_they_did(name: str, older: Path, expected: dict[str, Any]) -> None:
    (folder,) = (path.parent for path in older.glob(f"runs/*/*/{name}/head.json"))
    name_of_entry = f"photos/{folder.parent.name}"
    (entry,) = find_entries(older / "features_cache", lambda one: one.full_name == name_of_entry)
    head = load_head(folder)
    report = evaluate(head, open_features(entry, "test"))
    then = expected["said"][f"evaluate {name}"]
    assert report.figures.accuracy == then["accuracy"]
    if "--calibrate" not in COMMANDS[f"evaluate {name}"]:  # which changed the report alone, not the head
        assert report.figures.log_loss == pytest.approx(then["log_loss"], rel=1e-5)


def test_new_images_are_answered_as_they_were(
    older: Path, expected: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(older)
    (source,) = {one.source for one in find_entries("features_cache") if one.dataset == "photos"}
    words = ["--data", source, *PIXELS[2:]]
    now = printed("predict", "new", *words, "--head", "logreg")
    for one, then in zip(now["images"], expected["said"]["predict logreg"]["images"], strict=True):
        assert one["id"] == then["id"]
        assert [top["class"] for top in one["top"]] == [top["class"] for top in then["top"]]
        found = [top["probability"] for top in one["top"]]
        assert found == pytest.approx([top["probability"] for top in then["top"]], rel=1e-5)
    assert now["familiarity"] is None
    assert {one["familiar"] for one in now["images"]} == {None}


def test_reports_are_listed_and_heads_compared(
    older: Path, expected: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(older)
    (source,) = {one.source for one in find_entries("features_cache") if one.dataset == "photos"}
    now = printed("evaluate", "--data", source, *PIXELS[2:], "--head", "all")
    ranking = [(one["head"], one["accuracy"]) for one in now["heads"]]
    then = [(one["head"], one["accuracy"]) for one in expected["said"]["compare all"]["heads"]]
    assert sorted(ranking) == sorted(then)
