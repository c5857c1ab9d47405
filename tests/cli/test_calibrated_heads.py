"""A temperature that ``evaluate --calibrate`` has fitted is the head's: every command answers with it."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import Result
from PIL import Image

from pipeline.images import open_images

Cli = Callable[..., Result]
Read = Callable[[Result], dict[str, Any]]

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept:DeprecationWarning")
PIXELS = ["--backbone", "pixels", "--image-size", "8"]


@pytest.fixture
def digits(cli: Cli) -> Path:
    """Run folders of two heads on scans of digits, of which val has a few hundred."""
    assert cli("extract", "--data", "builtin:digits", *PIXELS).exit_code == 0
    for head in ("gaussian-nb", "prototype"):
        result = cli("train-head", *PIXELS, "--head", head)
        assert result.exit_code == 0, result.stderr
    return Path(result.stdout.splitlines()[1].strip()).parent


def predictions(run: Path) -> dict[str, np.ndarray]:
    """Probabilities of each test image, as the last report has them."""
    with open(run / "test" / "predictions.csv", newline="") as file:
        return {
            row["id"]: np.array([float(value) for name, value in row.items() if name.startswith("p(")])
            for row in csv.DictReader(file)
        }


def scans(names: list[str], folder: Path) -> list[Path]:
    """Writes scans as files."""
    source = open_images("builtin:digits")
    items = {item.id: item for item in source.items()}
    for name in names:
        Image.fromarray(source.read(items[name])).save(folder / f"{name}.png")
    return [folder / f"{name}.png" for name in names]


def test_every_command_answers_with_it_until_it_is_taken_away(
    digits: Path, cli: Cli, the_object: Read, tmp_path: Path
) -> None:
    run, head = digits / "prototype", ["--head", "prototype", *PIXELS]

    def evaluate(*options: str) -> dict[str, Any]:
        result = cli("evaluate", *head, "--no-page", "--json", *options)
        assert result.exit_code == 0, result.stderr
        return the_object(result) | {"said": result.stderr}

    def predict() -> list[float]:
        result = cli("predict", *files, *head, "--json", "--top", 10)
        described = the_object(result)
        assert (described["temperature"] is None) == ("calibrated" not in result.stderr)
        return [image["top"][0]["probability"] for image in described["images"]]

    plain = evaluate()
    assert (plain["temperature"], "calibration" in plain) == (None, False)
    before = predictions(run)
    names = list(before)[:5]
    files = scans(names, tmp_path)
    sure = [before[name].max() for name in names]
    assert predict() == pytest.approx(sure)

    fitted = evaluate("--calibrate")
    temperature = fitted["temperature"]
    assert fitted["said"].count(f"temperature {temperature:.3f}") == 1
    assert "fitted on 287 val rows, is saved with it" in fitted["said"]
    assert list(fitted["calibration"]) == ["temperature", "interval", "fitted_on", "rows", "before", "after"]
    assert fitted["calibration"]["before"]["log_loss"] == plain["log_loss"]
    assert fitted["accuracy"] == plain["accuracy"]
    after = predictions(run)
    calibrated = [after[name].max() for name in names]
    assert calibrated != pytest.approx(sure, abs=1e-2)

    again = evaluate()
    assert again["calibration"] == fitted["calibration"]
    assert json.loads((run / "test" / "metrics.json").read_text())["temperature"] == temperature
    assert predict() == pytest.approx(calibrated)
    exported = the_object(cli("export", *head, "--json"))
    assert exported["temperature"] == temperature
    assert exported["max_difference"] < 1e-3
    assert f"calibrated  temperature {temperature:.3f}" in cli("export", *head).stdout
    compared = cli("evaluate", "--head", "all", *PIXELS, "--no-page")
    assert f"T {temperature:.3f}" in compared.stdout
    rows = the_object(cli("evaluate", "--head", "all", *PIXELS, "--no-page", "--json"))["heads"]
    assert {row["head"]: row["temperature"] for row in rows} == {
        "prototype": temperature,
        "gaussian-nb": None,
    }

    gone = evaluate("--no-calibrate")
    assert "is taken away" in gone["said"]
    assert "models exported before answer as before" in gone["said"]
    assert {name: gone[name] for name in ("temperature", "log_loss")} == {
        "temperature": None,
        "log_loss": plain["log_loss"],
    }
    assert predict() == pytest.approx(sure)
    assert "has no temperature, so none is taken away" in evaluate("--no-calibrate")["said"]


def test_training_again_drops_it(digits: Path, cli: Cli, the_object: Read) -> None:
    head = ["--head", "prototype", *PIXELS]
    text = cli("evaluate", *head, "--no-page", "--calibrate").stdout
    assert "temperature " in text
    assert "before" in text
    assert "the head before was calibrated" in cli("train-head", *head).stderr
    assert the_object(cli("evaluate", *head, "--no-page", "--json"))["temperature"] is None


def test_all_heads_are_calibrated_at_once(digits: Path, cli: Cli, the_object: Read) -> None:
    every = ["--head", "all", *PIXELS, "--no-page", "--json"]
    (digits / "knn").mkdir()
    (digits / "knn" / "head.json").write_text("{")
    result = cli("evaluate", *every, "--calibrate")
    rows = the_object(result)["heads"]
    assert all(row["temperature"] for row in rows)
    assert "knn/head.json is damaged" in result.stderr
    assert not any(
        row["temperature"] for row in the_object(cli("evaluate", *every, "--no-calibrate"))["heads"]
    )


@pytest.mark.parametrize("head", ["logreg", "all"])
def test_few_val_rows_are_refused_before_anything_is_written(
    head: str, stored: list[str], cli: Cli, tmp_path: Path
) -> None:
    run = Path(cli("train-head", *stored).stdout.splitlines()[1].strip())
    before = (run / "head.json").read_bytes()
    result = cli("evaluate", *stored, "--head", head, "--calibrate")
    assert result.exit_code == 2
    assert "no temperature of head logreg can be fitted: 6 val rows" in result.stderr
    assert (run / "head.json").read_bytes() == before
    assert not list(tmp_path.rglob("metrics.json"))
    assert not list(tmp_path.rglob("evaluations.jsonl"))
