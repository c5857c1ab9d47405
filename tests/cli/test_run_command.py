"""``pipeline run``: a whole experiment, and the lines of it that an option replaces."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from counting_engine import CountingEngine
from photos import Photos

from pipeline.recipe import find_recipe

Cli = Callable[..., Result]
Read = Callable[[Result], dict[str, Any]]

RECIPE = """
title = "t"
data = "nowhere"
head = "logreg"
[extract]
backbone = "vgg16"
image_size = 32
weights = "random"
precision = "float32"
[published]
accuracy = 0.5
measured_on = "the training images"
note = "Their own."
"""


@pytest.fixture
def run_recipe(cli: Cli, some_photos: Photos, engine: CountingEngine, tmp_path: Path) -> Cli:
    """Runs a recipe on the photographs with the counting engine."""
    path = tmp_path / "recipe.toml"
    path.write_text(RECIPE)
    return lambda *arguments: cli("run", path, "--data", some_photos.root, *arguments)


def test_it_prints_figures_beside_the_published_one(run_recipe: Cli) -> None:
    result = run_recipe()
    assert result.exit_code == 0, result.stderr
    assert "logreg on photos, val split" in result.stdout
    assert "logreg on photos, test split" in result.stdout
    *_, published, folder = result.stdout.splitlines()
    beginning = "published: accuracy 0.5000 on the training images. Their own. Measured here on photos: "
    assert published.startswith(beginning)
    assert published.endswith("the recipe does not say on which data set it was published.")
    assert Path(folder.strip(), "test", "metrics.json").is_file()


def test_a_figure_of_another_data_set_is_said_to_be_one(run_recipe: Cli, tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text(RECIPE + 'data = "cifar10"\nsplit = "test"\n')
    *_, published, _ = run_recipe().stdout.splitlines()
    assert published.startswith("published: accuracy 0.5000 on cifar10, test split (the training images). ")
    assert published.endswith("; that is another data set: not comparable.")


def test_notes_of_a_recipe_steer_no_terminal(run_recipe: Cli, tmp_path: Path) -> None:
    (tmp_path / "recipe.toml").write_text(RECIPE.replace("Their own.", "\\u001b]0;title\\u0007\\u202e"))
    text = run_recipe().stdout
    assert "published: accuracy 0.5000" in text
    assert not {"\x1b", "\x07", "\u202e"} & set(text)


def test_json_of_an_experiment_is_one_object(run_recipe: Cli, the_object: Read) -> None:
    described = the_object(run_recipe("--seed", "7", "--json"))
    about = ["title", "seed", "extract", "train", "evaluate", "published", "beside_published", "seconds"]
    assert list(described) == about
    assert described["evaluate"]["test"]["n"] == 8
    extracted = described["extract"]  # what `pipeline extract --json` says
    assert Path(described["train"]["run"]).parent.name == Path(extracted["entry"]).name
    assert extracted["splits"]["test"]["computed"] == 8
    assert {"engine", "precision", "timings"} <= set(extracted)
    assert list(described["seconds"]) == ["extract", "train", "evaluate"]
    assert described["seed"] == 7
    assert json.loads(Path(described["train"]["run"], "head.json").read_text())["seed"] == 7


def test_a_split_that_the_images_lack_is_told_before_the_training(
    run_recipe: Cli, some_photos: Photos, the_object: Read, tmp_path: Path
) -> None:
    shutil.rmtree(some_photos.root / "test")
    result = run_recipe("--json")
    assert list(the_object(result)["evaluate"]) == ["val"]
    note = f"note: {some_photos.root} has no test split, only train and val: nothing is measured on test"
    assert note in result.stderr

    (tmp_path / "recipe.toml").write_text(RECIPE.replace("[extract]", 'evaluate = ["test"]\n[extract]'))
    shutil.rmtree(Path("runs"))
    result = run_recipe()
    assert result.exit_code == 2
    assert "name one of these with `evaluate = [...]`" in result.stderr
    assert not Path("runs").exists()


def test_another_cut_and_name(run_recipe: Cli, the_object: Read) -> None:
    described = the_object(run_recipe("--layer", "block3_pool", "--name", "mine", "--json"))
    assert Path(described["train"]["run"]).parts[-3:-1][0] == "mine"
    assert "block3_pool" in described["train"]["run"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--backbone", "vgg61"], "unknown backbone 'vgg61'"),
        (["--weights", "no.h5"], "weights 'no.h5' is not a file"),
    ],
)
def test_a_wrong_change_is_refused(run_recipe: Cli, arguments: list[str], message: str) -> None:
    result = run_recipe(*arguments)
    assert result.exit_code == 2
    assert message in result.stderr


def test_a_recipe_that_is_not_there(cli: Cli) -> None:
    result = cli("run", "recipes/none.toml")
    assert result.exit_code == 2
    assert "recipe recipes/none.toml cannot be read" in result.stderr


@pytest.mark.parametrize(
    ("recipe", "options", "figure"),
    [
        ("digit-pairs-dense", {"epochs": 30, "learning_rate": 0.003}, "mean average precision"),
        ("turned-digits-knn", {}, "R2"),
    ],
)
def test_recipes_of_labels_and_numbers_print_their_figures(
    recipe: str, options: dict[str, object], figure: str, cli: Cli, tmp_path: Path
) -> None:
    text = find_recipe(Path(recipe)).read_text()
    quick = tmp_path / "quick.toml"  # the same with options that need less time
    quick.write_text(
        text + "".join(["[options]\n", *(f"{key} = {value}\n" for key, value in options.items())])
    )
    result = cli("run", quick)
    assert result.exit_code == 0, result.stderr
    data, head = recipe.rsplit("-", 1)
    for split in ("val", "test"):
        assert f"{head} on {data}, {split} split" in result.stdout
    shown = re.findall(rf"^  {figure} +(\d\.\d+)", result.stdout, re.MULTILINE)
    assert len(shown) == 2
    assert min(map(float, shown)) > 0.8
    assert "published" not in result.stdout
    assert Path(result.stdout.splitlines()[-1].strip(), "test", "metrics.json").is_file()
