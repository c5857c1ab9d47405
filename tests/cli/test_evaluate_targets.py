"""``pipeline evaluate`` where images have several labels or numbers: files, page, and what is for classes."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from click.testing import Result
from PIL import Image

Cli = Callable[..., Result]
HEAD = ("--name", "set", "--head", "ridge")
SOURCES = {
    "labels": ("--label-column", "tags", "--label-separator", ";"),
    "number": ("--label-column", "light", "--target", "number"),
}
KINDS = {"labels": "several labels an image", "number": "numbers"}


@pytest.fixture(params=sorted(SOURCES))
def target(request: pytest.FixtureRequest, tmp_path: Path, cli: Cli) -> str:
    """A trained head on pictures that are dark or light, on the left and on the right."""
    random, lines = np.random.default_rng(0), ["path,tags,light"]
    (tmp_path / "pictures").mkdir()
    for number in range(100):
        left, right = random.integers(0, 2, 2)
        picture = random.integers(0, 90, (8, 8))
        picture[:, :4] += 150 * left
        picture[:, 4:] += 150 * right
        Image.fromarray(picture.astype(np.uint8)).save(tmp_path / "pictures" / f"{number}.png")
        tags = ";".join(name for name, there in (("left", left), ("right", right)) if there)
        lines.append(f"{number}.png,{tags or 'dark'},{picture.mean():.3f}")
    (tmp_path / "pictures" / "all.csv").write_text("\n".join(lines) + "\n")
    source = (tmp_path / "pictures" / "all.csv", *SOURCES[request.param])
    stage = ("--backbone", "pixels", "--image-size", "8", "--name", "set")
    assert cli("extract", "--data", *source, *stage).exit_code == 0
    assert cli("train-head", *HEAD).exit_code == 0
    return str(request.param)


def test_the_page_and_the_pictures_are_written_and_named(target: str, cli: Cli) -> None:
    shown = cli("evaluate", *HEAD)
    assert shown.exit_code == 0, shown.output
    pictures = {"labels": ["precision_recall.png"], "number": ["predicted_vs_true.png", "residuals.png"]}
    files = [Path(line.strip()) for line in shown.stdout.splitlines() if line.startswith("  runs")]
    names = ["metrics.json", "predictions.csv", "report.html", *pictures[target]]
    assert sorted(file.name for file in files) == sorted(names)
    assert all(file.is_file() for file in files)
    without = cli("evaluate", *HEAD, "--no-page")
    assert without.exit_code == 0, without.output
    assert "report.html" not in without.stdout
    assert not files[0].with_name("report.html").exists()


def test_the_object_has_what_scripts_ask_for(target: str, cli: Cli) -> None:
    figures = json.loads(cli("evaluate", *HEAD, "--json").stdout)
    keys = {
        "labels": {"map", "micro_f1", "macro_f1", "exact_match", "hamming_loss", "per_label"},
        "number": {"mae", "rmse", "r2", "spearman", "prediction_interval", "per_number"},
    }
    assert keys[target] | {"n", "unknown", "intervals", "baseline", "notes", "trained_on"} <= figures.keys()
    kept = json.loads((Path(figures["run"]) / "test" / "metrics.json").read_text())
    assert all(kept[key] == figures[key] for key in keys[target])


def test_several_heads_are_compared_and_logged(target: str, cli: Cli) -> None:
    pytest.importorskip("tensorboard")
    assert cli("train-head", "--name", "set", "--head", "knn").exit_code == 0
    shown = cli("evaluate", "--name", "set", "--head", "all", "--log", "tensorboard")
    assert shown.exit_code == 0, shown.output
    assert "paired bootstrap" in shown.stdout
    files = [Path(line.strip()) for line in shown.stdout.splitlines() if line.startswith("  runs")]
    assert [file.name for file in files] == ["comparison.csv", "comparison.json", "report.html"]
    page = files[-1].read_text(encoding="utf-8")
    assert ("There is no mistake" in page) != ('class="enlarge"' in page)
    assert "Compared on the same images" in page
    assert "not hashed" not in page
    assert "logged: tensorboard --logdir" in shown.stderr
    told = json.loads(cli("evaluate", "--name", "set", "--head", "all", "--json", "--no-page").stdout)
    assert {one["head"] for one in told["heads"]} == {"knn", "ridge"}
    assert told["ranked_by"] == {"labels": "map", "number": "r2"}[target]


@pytest.mark.parametrize("flag", ["--calibrate", "--no-calibrate"])
@pytest.mark.parametrize("head", ["ridge", "all"])
def test_what_cannot_be_calibrated_says_what_tells_how_sure_it_is(
    flag: str, head: str, target: str, cli: Cli
) -> None:
    refused = cli("evaluate", "--name", "set", "--head", head, flag)
    assert refused.exit_code == 2
    assert f"{KINDS[target]}, and --calibrate is for" in refused.stderr
    told = {"labels": "`calibration_error`", "number": "`prediction_interval`"}
    assert told[target] in refused.stderr
