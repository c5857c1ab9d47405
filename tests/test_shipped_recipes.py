"""Recipes that come with the package: known by name from anywhere, listed, and in the wheel."""

from __future__ import annotations

import configparser
import importlib.util
import json
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

import pipeline
from pipeline.cli import main
from pipeline.errors import UsageError
from pipeline.recipe import FOLDER, find_recipe, read_recipe, shipped

ROOT = Path(pipeline.__file__).parents[1]
NAMES = list(shipped())


@pytest.fixture
def away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*words: str) -> Result:
    return CliRunner().invoke(main, words, prog_name="pipeline")


def test_there_are_recipes() -> None:
    assert len(NAMES) == 18
    assert "cats-and-dogs-vgg16" in NAMES


@pytest.mark.parametrize("name", NAMES)
def test_each_is_found_by_its_name_from_anywhere(name: str, away: Path) -> None:
    assert (
        read_recipe(Path(name)) == read_recipe(Path(f"{name}.toml")) == read_recipe(FOLDER / f"{name}.toml")
    )


def test_a_file_that_is_there_comes_first(away: Path) -> None:
    Path("cifar10-cnn").mkdir()
    assert find_recipe(Path("cifar10-cnn")) == FOLDER / "cifar10-cnn.toml", "a folder is no recipe"
    Path("cifar10-ann.toml").write_text('title = "mine"\ndata = "builtin:digits"\nhead = "ridge"\n')
    assert read_recipe(Path("cifar10-ann.toml")).experiment.title == "mine"
    assert read_recipe(Path("cifar10-ann")).experiment.title != "mine"


UNKNOWN = {
    "cifar10-cn": r"unknown recipe 'cifar10-cn' \(did you mean 'cifar10-cnn'\?\): choose from cats-",
    "recipes/cifar10-cnn.toml": "does not exist; one of this name comes along: `pipeline run cifar10-cnn`",
    "mine.toml": r"recipe mine\.toml cannot be read: No such file",
    "folder/mine": "recipe folder/mine cannot be read: No such file",
    "../cifar10-cnn": "does not exist; one of this name comes along",
    ".": r"recipe \. is no file",
}


@pytest.mark.parametrize("given", UNKNOWN)
def test_what_is_not_there_is_told(given: str, away: Path) -> None:
    with pytest.raises(UsageError, match=UNKNOWN[given]):
        read_recipe(Path(given))
    assert run("run", given).exit_code == 2


def test_they_are_listed(away: Path) -> None:
    told = run("recipes").stdout
    found = json.loads(run("recipes", "--json").stdout)["recipes"]
    assert [one["name"] for one in found] == NAMES
    for one in found:
        assert one["name"] in told
        assert all(one[key] for key in ("title", "source", "data", "base", "image_size", "head"))
        assert read_recipe(Path(one["file"])).experiment.head == one["head"]


def test_a_name_is_run(away: Path) -> None:
    Path("photos").mkdir()
    result = run("run", "cats-and-dogs-vgg16", "--data", "photos")
    assert result.exit_code == 2
    assert "photos holds no images" in result.stderr, "it came as far as its images"


def test_every_file_that_is_no_module_is_declared() -> None:
    settings = configparser.ConfigParser()
    settings.read(ROOT / "setup.cfg")
    declared = {
        path
        for package, patterns in settings["options.package_data"].items()
        for pattern in patterns.split(", ")
        for path in ROOT.joinpath(*package.split(".")).glob(pattern)
    }
    files = {
        path for path in (ROOT / "pipeline").rglob("*") if path.is_file() and "__pycache__" not in path.parts
    }
    assert {path for path in files if path.suffix != ".py"} == declared


def test_the_wheel_holds_every_file_of_the_package(tmp_path: Path) -> None:
    for needed in ("pip", "setuptools"):
        if importlib.util.find_spec(needed) is None:
            pytest.skip(f"{needed} is not installed")
    source = tmp_path / "source"
    hidden = shutil.ignore_patterns("__pycache__", "*.pyc")
    shutil.copytree(ROOT / "pipeline", source / "pipeline", ignore=hidden)
    for name in ("setup.cfg", "pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    build = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--no-deps",
        "--no-build-isolation",
        "--no-index",
        "--quiet",
    ]
    built = subprocess.run(
        [*build, "--disable-pip-version-check", "--wheel-dir", tmp_path, source],
        capture_output=True,
        text=True,
    )
    assert built.returncode == 0, built.stderr
    (wheel,) = tmp_path.glob("*.whl")
    held = {name for name in zipfile.ZipFile(wheel).namelist() if name.startswith("pipeline/")}
    wanted = {path.relative_to(source).as_posix() for path in source.glob("pipeline/**/*") if path.is_file()}
    assert held == wanted
