"""``~`` is the home folder in every option and argument that takes a path, and in every function."""

from __future__ import annotations

import ast
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest
from click.testing import Result
from photos import Photos
from test_help import COMMANDS, LEAVES

from pipeline import find_entries, open_images
from pipeline.backbones.weights import file_identity, resolve_weights
from pipeline.cache import FeatureSet
from pipeline.cli.parameters import PATH, PATH_OR_NAME
from pipeline.errors import UsageError
from pipeline.extraction import FeatureRequest, extract
from pipeline.heads import load_head, run_folder, train_head
from pipeline.paths import expanded
from pipeline.recipe import read_recipe
from pipeline.serving import gather_images
from pipeline.spec import FeatureSpec

Cli = Callable[..., Result]

NO_PATHS = {
    *("address", "augment", "backbone", "engine", "resize", "batch_size", "entries", "executor"),
    *("gpus_per_worker", "grids", "head", "heads", "host", "hostnames", "layers", "leave_out", "logs"),
    *(
        "label_separator",
        "name",
        "names",
        "pixel_range",
        "pooling",
        "precision",
        "preset",
        "settings",
        "store",
        "workers",
        "write",
    ),
}
"""Texts that are no paths; a new option is one of them, or has the type of paths."""

PARAMETERS = [
    pytest.param(path, option, id=f"{' '.join(path)} {option.name}")
    for path in LEAVES
    for option in COMMANDS[path].params
]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home folder of the test's own."""
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("HOME", str(folder))
    monkeypatch.chdir(tmp_path)
    return folder


@pytest.mark.parametrize(("path", "parameter"), PARAMETERS)
def test_every_text_is_a_path_or_known_not_to_be_one(
    path: tuple[str, ...], parameter: click.Parameter
) -> None:
    is_text = isinstance(parameter.type, click.Path) or parameter.type is click.STRING
    if is_text and not (parameter.name in NO_PATHS or parameter.name.endswith("_column")):
        assert parameter.type is PATH, f"say that {parameter.name} takes a path, or that it is none"


def test_the_list_is_needed() -> None:
    texts = {value.values[1].name for value in PARAMETERS if value.values[1].type is click.STRING}
    assert texts >= NO_PATHS


def test_the_types_are_those_of_the_options(home: Path) -> None:
    types = {(*value.values[0], value.values[1].name): value.values[1].type for value in PARAMETERS}
    assert {kind for (*_, name), kind in types.items() if name in ("cache", "runs", "out")} == {PATH}
    assert {kind for (*_, name), kind in types.items() if name in ("data", "weights")} == {PATH_OR_NAME}
    for text, expected in (("~/x", str(home / "x")), ("~", str(home)), ("./~", "./~"), ("a~", "a~")):
        assert PATH.convert(text, None, None) == Path(expected)
        assert PATH_OR_NAME.convert(text, None, None) == expected
    assert PATH_OR_NAME.convert("~nobody-of-this-name", None, None) == "~nobody-of-this-name"


def test_from_images_to_answers_all_in_the_home_folder(home: Path, photos: Photos, cli: Cli) -> None:
    for split in ("train", "val", "test"):
        for name in ("cats", "dogs"):
            photos.add(f"{split}/{name}", 3)
    photos.root.rename(home / "photos")
    recipe = """title = "t"
data = "~/photos"
head = "knn"
evaluate = ["val"]
[extract]
backbone = "pixels"
image_size = 8
"""
    (home / "recipe.toml").write_text(recipe)
    cache, runs = "--cache=~/cache", "--runs=~/runs"
    pixels = ["--data=~/photos", "--backbone", "pixels", "--image-size", "8", cache]
    for words in (
        ["extract", *pixels],
        ["train-head", *pixels, "--head", "knn", runs],
        ["predict", "~/photos/test/cats", *pixels, "--head", "knn", runs],
        ["evaluate", *pixels, "--head", "knn", "--no-page", runs],
        ["run", "~/recipe.toml", cache, runs],
        ["cache", "ls", cache],
        ["cache", "verify", cache],
        ["cache", "gc", cache],
        ["check", *pixels],
    ):
        result = cli(*words)
        assert result.exit_code == 0, (words, result.stderr)
    assert "pipeline extract" not in cli("cache", "ls", cache).stdout
    assert {path.name for path in home.iterdir()} >= {"cache", "runs"}
    assert list(Path().iterdir()) == []  # no folder named ~
    assert (
        "w.h5 does" in cli("train-head", *pixels, "--weights=~/w.h5", "--backbone", "x", runs).stderr or True
    )


FUNCTIONS: dict[str, Callable[[str], Any]] = {
    "extract": lambda place: extract(
        f"{place}/photos", FeatureRequest(backbone="pixels", image_size=8), cache=place + "/cache"
    ),
    "open_images": lambda place: open_images(f"{place}/photos"),
    "find_entries": lambda place: find_entries(place + "/cache"),
    "read_recipe": lambda place: read_recipe(place + "/recipe.toml"),
    "gather_images": lambda place: gather_images([f"{place}/photos/train"]),
    "resolve_weights": lambda place: resolve_weights("vgg16", f"{place}/w.h5", 150),
    "file_identity": lambda place: file_identity(f"{place}/w.h5"),
}


@pytest.mark.parametrize("function", FUNCTIONS)
def test_functions_know_the_home_folder(function: str, home: Path, photos: Photos) -> None:
    for name in ("cats", "dogs"):
        photos.add(f"train/{name}", 3)
    photos.root.rename(home / "photos")
    (home / "w.h5").write_bytes(b"filters")
    (home / "recipe.toml").write_text('title = "t"\ndata = "builtin:digits"\nhead = "knn"\n')
    FUNCTIONS[function]("~")
    assert not Path("~").exists()


def test_heads_are_kept_in_the_home_folder(
    home: Path, make_features: Callable[..., FeatureSet], spec: FeatureSpec
) -> None:
    rows = make_features(np.eye(4, dtype=np.float32), np.arange(4) % 2)
    trained = train_head("knn", rows, None, options={"k": 1}, runs="~/runs")
    assert trained.folder == home / "runs" / "toy" / spec.entry_name / "knn"
    assert load_head("~/runs/toy/" + spec.entry_name + "/knn").name == "knn"
    assert run_folder("~", "a", spec, "b") == home / "a" / spec.entry_name / "b"


def test_an_empty_path_is_refused() -> None:
    with pytest.raises(UsageError, match="an empty path names nothing"):
        expanded("")


def test_no_other_type_of_paths_is_used() -> None:
    package = Path(__file__).parents[2] / "pipeline"
    for file in package.rglob("*.py"):
        if file.relative_to(package) == Path("cli/parameters.py"):
            continue
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Attribute) and node.attr == "Path":
                assert not (isinstance(node.value, ast.Name) and node.value.id == "click"), file


def test_the_home_folder_of_nobody_is_refused_and_not_made(home: Path) -> None:
    with pytest.raises(UsageError, match=r"'~nosuchuser/x' begins with the home folder of 'nosuchuser'"):
        expanded("~nosuchuser/x")
    (home.parent / "~notes").mkdir()
    assert expanded("~notes/x") == Path("~notes/x")
    assert expanded("./~nosuchuser/x") == Path("~nosuchuser/x")
