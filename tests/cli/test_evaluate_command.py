"""``pipeline evaluate``: calibration, comparison, and the count of evaluations."""

from __future__ import annotations

import importlib.util
import json
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from photos import Photos
from sealed_records import unseal

Cli = Callable[..., Result]
Read = Callable[[Result], dict[str, Any]]


@pytest.fixture
def entry(stored: list[str], cli: Cli) -> Path:
    """Run folders of two heads."""
    for head in ("logreg", "knn"):
        result = cli("train-head", *stored, "--head", head)
    return Path(result.stdout.splitlines()[1].strip()).parent


def test_calibrate_on_val_is_refused(stored: list[str], entry: Path, cli: Cli) -> None:
    result = cli("evaluate", *stored, "--calibrate", "--split", "val")
    assert result.exit_code == 2
    assert "choose `--split test`, or leave `--calibrate` out" in result.stderr


@pytest.mark.parametrize("head", ["logreg", "all"])
def test_calibrate_without_val_is_refused(
    head: str, stored: list[str], entry: Path, cli: Cli, tmp_path: Path
) -> None:
    (file,) = (tmp_path / "work").glob("features_cache/*/*/val.h5")
    file.unlink()
    result = cli("evaluate", *stored, "--calibrate", "--head", head)
    assert result.exit_code == 2
    assert "has no val split" in result.stderr
    assert not list(entry.rglob("metrics.json"))


def test_all_heads_are_compared(stored: list[str], entry: Path, cli: Cli, the_object: Read) -> None:
    result = cli("evaluate", *stored, "--head", "all")
    assert result.exit_code == 0, result.stderr
    assert "this is evaluation 2 on the test split of this entry, 2 heads" in result.stdout
    for name in ("comparison.csv", "comparison.json"):
        assert f"  {entry / 'comparison' / 'test' / name}\n" in result.stdout
    described = the_object(cli("evaluate", *stored, "--head", "all", "--split", "val", "--json"))
    assert sorted(row["head"] for row in described["heads"]) == ["knn", "logreg"]
    assert (described["split"], described["n"]) == ("val", 6)
    assert Path(described["folder"]) == entry / "comparison" / "val"


def test_comparing_before_training_names_the_command(stored: list[str], cli: Cli) -> None:
    result = cli("evaluate", *stored, "--head", "all")
    assert result.exit_code == 2
    assert "`pipeline train-head` trains one" in result.stderr


def test_a_damaged_head_does_not_keep_the_others_from_it(stored: list[str], entry: Path, cli: Cli) -> None:
    (entry / "knn" / "head.json").write_text("{")
    result = cli("evaluate", *stored, "--head", "all")
    assert result.exit_code == 0
    assert "knn left out: " in result.stdout


def test_the_count_goes_on_when_a_head_is_trained_again(stored: list[str], entry: Path, cli: Cli) -> None:
    cli("evaluate", *stored)
    cli("train-head", *stored)
    assert "this is evaluation 2 on the test split of this entry, 1 head" in cli("evaluate", *stored).stdout


@pytest.mark.parametrize("name", ["wandb", "tensorboard"])
def test_a_logger_that_cannot_be_had_is_told_before_anything_is_measured(
    name: str, stored: list[str], entry: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda package: None)
    result = cli("evaluate", *stored, "--log", name)
    assert result.exit_code == 2
    assert name in result.stderr
    assert not (entry / "evaluations.jsonl").exists()


def test_what_is_logged_is_told_on_stderr(stored: list[str], entry: Path, cli: Cli, the_object: Read) -> None:
    pytest.importorskip("tensorboard")
    result = cli("evaluate", *stored, "--log", "tensorboard", "--json")
    assert the_object(result)["head"] == "logreg"
    assert "logged: tensorboard --logdir runs/tensorboard" in result.stderr


def test_a_missing_split_is_told_with_the_command_for_another(
    extract: Cli, some_photos: Photos, cli: Cli
) -> None:
    shutil.rmtree(some_photos.root / "test")
    assert extract().exit_code == 0
    data = ["--data", str(some_photos.root), "--weights", "random:0"]
    assert cli("train-head", *data).exit_code == 0
    result = cli("evaluate", *data, "--no-page")
    assert result.exit_code == 2
    command = shlex.join(["pipeline", "evaluate", "--split", "val", *data])
    assert (
        f"the features of photos have no test split, only train and val: measure on another with `{command}`"
        in result.stderr
    )
    assert cli(*shlex.split(command)[1:], "--no-page").exit_code == 0


@pytest.fixture
def swapped(stored: list[str], entry: Path, some_photos: Photos, extract: Cli, the_object: Read) -> list[str]:
    """Options that pick an entry whose train and test have changed places since heads were trained."""
    root = some_photos.root
    for old, new in (("train", "aside"), ("test", "train"), ("aside", "test")):
        (root / old).rename(root / new)
    splits = the_object(extract("--json"))["splits"].values()
    assert not any(split["computed"] for split in splits)
    return stored


def test_rows_that_were_trained_on_are_told(
    swapped: list[str], entry: Path, cli: Cli, the_object: Read
) -> None:
    result = cli("evaluate", *swapped, "--json")
    described = the_object(result)
    assert (described["n"], described["trained_on"], described["validated_on"]) == (12, 12, 0)
    assert "LEAK: the head was trained on 12 of 12 rows" in result.stderr
    metrics = json.loads((entry / "logreg" / "test" / "metrics.json").read_text())
    assert metrics["trained_on"] == 12
    page = (entry / "logreg" / "test" / "report.html").read_text()
    assert "the head was trained on 12 of 12 rows" in page
    assert "trained on 12, chosen on 0 of these 12 rows" in page
    compared = the_object(cli("evaluate", *swapped, "--head", "all", "--json"))
    assert [row["trained_on"] for row in compared["heads"]] == [12, 12]


def test_check_asks_the_heads(swapped: list[str], entry: Path, cli: Cli, the_object: Read) -> None:
    result = cli("check", *swapped, "--fail-on-leak")
    assert result.exit_code == 4
    assert "LEAK: head logreg was trained on 12 of the 12 test images" in result.stdout
    assert cli("check", *swapped).exit_code == 0
    described = the_object(cli("check", *swapped, "--json"))
    assert described["leaks"] == 0
    expected = {"split": "test", "images": 12, "trained_on": 12, "validated_on": 0}
    assert described["heads"] == [{"head": head, **expected} for head in ("knn", "logreg")]
    for head in ("knn", "logreg"):
        assert cli("train-head", *swapped, "--head", head).exit_code == 0
    assert cli("check", *swapped, "--fail-on-leak").exit_code == 0


def test_check_names_heads_that_do_not_know(stored: list[str], entry: Path, cli: Cli) -> None:
    unseal(entry / "knn" / "head.json", "seen", "temperature", "familiarity")
    (entry / "logreg" / "head.json").write_text("{")
    result = cli("check", *stored, "--fail-on-leak")
    assert result.exit_code == 0
    assert "head knn: what it was trained on is not known" in result.stdout
    assert "head logreg is left out: " in result.stdout


def test_predict_says_which_images_it_was_trained_on(
    stored: list[str], entry: Path, cli: Cli, some_photos: Photos, the_object: Read
) -> None:
    images = [some_photos.files("train")[0], some_photos.files("test")[0]]
    result = cli("predict", *images, *stored, "--json")
    assert [image["trained_on"] for image in the_object(result)["images"]] == [True, False]
    assert "the head was trained on 1 of 2 images" in result.stderr


def test_cross_validation_answers_every_image(stored: list[str], cli: Cli, the_object: Read) -> None:
    described = the_object(cli("evaluate", *stored, "--cv", 3, "--grid", "C=0.01,1", "--json"))
    assert described["cv"]["folds"] == 3
    assert described["cv"]["rows"] == 26
    assert described["cv"]["splits"] == ["train", "val", "test"]
    assert (Path(described["folder"]) / "cross-validation.json").is_file()
    result = cli("evaluate", *stored, "--cv", 2, "--head", "knn", "--repeats", 2)
    assert result.exit_code == 0, result.stderr
    assert "knn on photos, 2 folds, 2 times" in result.stdout


@pytest.mark.parametrize(
    ("more", "message"),
    [
        (["--cv", 3, "--split", "val"], "leave --split out"),
        (["--cv", 3, "--calibrate"], "leave --calibrate out"),
        (["--cv", 3, "--head", "all"], "one head at a time"),
        (["--cv", 300], "--cv 300 is out of bounds: choose from 2 to 13"),
        (["--grid", "C=1"], "add `--cv 10`"),
    ],
)
def test_what_has_no_meaning_beside_cross_validation_is_refused(
    more: list[object], message: str, stored: list[str], cli: Cli
) -> None:
    result = cli("evaluate", *stored, *more)
    assert result.exit_code == 2
    assert message in result.stderr


def test_a_small_test_split_names_cross_validation(
    stored: list[str], entry: Path, cli: Cli, the_object: Read
) -> None:
    described = the_object(cli("evaluate", *stored, "--json"))
    assert any("`pipeline evaluate --cv 10 --repeats 3`" in note for note in described["notes"])
    described = the_object(cli("evaluate", *stored, "--split", "val", "--json"))
    assert not any("--cv" in note for note in described["notes"])
