"""``pipeline train-head``, ``evaluate``, ``heads`` and ``backbones`` on features made by the tests."""

from __future__ import annotations

import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from photos import Photos

from pipeline import heads, registry
from pipeline.backbones.table import BACKBONES

Cli = Callable[..., Result]
Read = Callable[[Result], dict[str, Any]]


@pytest.fixture
def trained(stored: list[str], cli: Cli) -> Path:
    """Run folder of a logistic regression."""
    return Path(cli("train-head", *stored).stdout.splitlines()[1].strip())


def test_train_head_prints_what_it_did(stored: list[str], cli: Cli) -> None:
    result = cli("train-head", *stored)
    assert result.exit_code == 0, result.stderr
    first, second = result.stdout.splitlines()
    assert first.startswith("logreg: 12 rows in ")
    assert "val accuracy 0." in first or "val accuracy 1." in first
    assert Path(second.strip(), "head.json").is_file()


def test_train_head_json_is_one_object(stored: list[str], cli: Cli, the_object: Read) -> None:
    result = cli("train-head", *stored, "--json", "--set", "C=0.5", "--seed", 3, "--runs", "elsewhere")
    described = the_object(result)
    assert list(described) == [
        "head",
        "run",
        "train_rows",
        "val_accuracy",
        "seconds",
        "classes_not_found",
        "unlabelled",
        "classes_without_training_rows",
        "majority_class",
        "majority_accuracy",
        "changed_since_extract",
    ]
    assert (described["head"], described["train_rows"]) == ("logreg", 12)
    assert 0 <= described["val_accuracy"] <= 1
    assert Path(described["run"]).parts[0] == "elsewhere"


def test_rows_without_a_label_and_classes_never_learnt_are_told(
    cli: Cli, photos: Photos, the_object: Read
) -> None:
    """One table, all commands: a row of each split has no label, and birds have no training row."""
    rows = [("cats", "train", 3), ("dogs", "train", 3), ("", "train", 1)]
    rows += [(label, split, 1) for split in ("val", "test") for label in ("cats", "dogs", "birds", "")]
    lines = [f"{name},{label},{split}" for label, split, n in rows for name in photos.add("all", n)]
    table = photos.root / "set.csv"
    table.write_text("\n".join(["path,label,split", *lines]))
    data = ["--data", table]
    extracted = cli("extract", *data, "--backbone", "pixels", "--image-size", 8, "--json")
    assert the_object(extracted)["classes"]["birds"] == {"train": 0, "val": 1, "test": 1}
    assert "note: no images in train of: birds" in extracted.stderr.splitlines()

    for command in (["train-head"], ["sweep", "--head", "prototype"]):
        told = cli(command[0], *data, *command[1:], "--json")
        described = the_object(told)
        assert described["classes_without_training_rows"] == ["birds"]
        assert described["unlabelled"] == {"train": 1, "val": 1}
        assert described["majority_accuracy"] == pytest.approx(1 / 3)
        assert told.stderr.count("no training rows of class birds") == 1

    told = cli("evaluate", *data, "--head", "all", "--no-page", "--json")
    described = the_object(told)
    assert described["unlabelled"] == 1
    assert any("had no training rows of birds" in note for note in described["notes"])
    assert all(f"note: {note}" in told.stderr for note in described["notes"])
    assert all("birds" in names for names in described["classes_not_found"].values())


def test_train_head_without_val_says_so(
    stored: list[str], cli: Cli, the_object: Read, tmp_path: Path
) -> None:
    (file,) = (tmp_path / "work").glob("features_cache/*/*/val.h5")
    file.unlink()
    assert "no val split" in cli("train-head", *stored).stdout
    assert the_object(cli("train-head", *stored, "--json"))["val_accuracy"] is None


def test_evaluate_prints_figures_and_files(stored: list[str], trained: Path, cli: Cli) -> None:
    result = cli("evaluate", *stored)
    assert result.exit_code == 0, result.stderr
    assert "accuracy" in result.stdout
    for name in ("metrics.json", "predictions.csv", "confusion_matrix.png", "report.html"):
        (file,) = trained.glob(f"test/{name}")
        assert f"  {file}\n" in result.stdout


def test_evaluate_without_its_page(stored: list[str], trained: Path, cli: Cli) -> None:
    assert "report.html" not in cli("evaluate", *stored, "--no-page").stdout
    assert not (trained / "test" / "report.html").exists()
    assert "report.html" in cli("evaluate", *stored, "--head", "all").stdout


def test_evaluate_json_is_one_object(stored: list[str], trained: Path, cli: Cli, the_object: Read) -> None:
    described = the_object(cli("evaluate", *stored, "--split", "val", "--json"))
    promised = ["head", "split", "n", "accuracy", "accuracy_ci", "macro_f1", "log_loss", "run"]
    seen = ["trained_on", "validated_on", "temperature"]
    classes = ["unlabelled", "majority_class", "majority_accuracy", "classes_not_found", "notes"]
    assert list(described) == [*promised, *seen, *classes, "leaks", "changed_since_extract"]
    assert [described[name] for name in seen] == [0, 6, None]
    assert set(described["leaks"].values()) == {0}
    assert (described["head"], described["split"], described["n"]) == ("logreg", "val", 6)
    low, high = described["accuracy_ci"]
    assert 0 <= low <= described["accuracy"] <= high <= 1
    assert math.isfinite(described["log_loss"])
    assert described["run"] == str(trained)


def test_evaluating_the_training_split_says_so(stored: list[str], trained: Path, cli: Cli) -> None:
    result = cli("evaluate", *stored, "--split", "train", "--json")
    assert "note: this is the training split" in result.stderr


def test_a_head_of_another_spec_is_not_taken(
    stored: list[str], trained: Path, extract: Cli, cli: Cli
) -> None:
    extract("--layer", "block1_pool")
    result = cli("evaluate", *stored, "--layer", "block1_pool")
    assert result.exit_code == 2
    assert "no trained head" in result.stderr


def test_heads_are_listed_with_their_options(cli: Cli, the_object: Read) -> None:
    text = cli("heads").stdout
    described = the_object(cli("heads", "--json"))
    assert list(described) == registry.names(heads)
    for name, head in described.items():
        assert f"{name}: {head['description']}\n" in text
        assert all(f"    {option}\n" in text for option in head["options"])


def test_backbones_are_listed(
    cli: Cli, the_object: Read, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for place in ("KERAS_HOME", "PIPELINE_BACKBONES"):
        monkeypatch.setenv(place, str(tmp_path / "nothing"))
    described = the_object(cli("backbones", "--json"))
    assert list(described) == list(BACKBONES)
    assert described["xception"] == {
        "parameters": 20_861_480,
        "min_size": 71,
        "preprocessing": "tf",
        "layer": "block14_sepconv2_act",
        "filters_at_hand": False,
    }
    assert len(cli("backbones").stdout.splitlines()) == len(BACKBONES) + 1


def test_the_cuts_of_a_backbone_are_listed_with_their_size(cli: Cli, the_object: Read) -> None:
    described = the_object(cli("backbones", "vgg16", "--image-size", "32", "--json"))
    assert described["cuts"][-1] == {"layer": "block5_pool", "shape": [1, 1, 512], "bytes": 1024}
    assert "block3_pool" in cli("backbones", "vgg16", "--image-size", "32").stdout
