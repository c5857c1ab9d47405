"""Recipes from strangers: every field is known and of its type, or the recipe is refused in one line."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from counting_engine import BACKBONE, CountingEngine
from photos import Photos

from pipeline.errors import UsageError
from pipeline.extraction.augment import Augmentation
from pipeline.extraction.request import FeatureRequest
from pipeline.images.source_options import SourceOptions
from pipeline.recipe import Experiment, Published, read_recipe, run_recipe, with_changes

TOP = {"title": '"t"', "data": '"builtin:digits"', "head": '"logreg"'}
SECTIONS = {
    "source_options": SourceOptions,
    "extract": FeatureRequest,
    "augment": Augmentation,
    "published": Published,
}
ILL_TYPED = ("{}", "[[]]", "[{}]", "1979-05-27", "nan")
"""Values that no field takes."""


def written(folder: Path, top: dict[str, str], rest: str = "") -> Path:
    path = folder / "recipe.toml"
    path.write_text("".join(f"{name} = {value}\n" for name, value in top.items()) + rest)
    return path


def refused(path: Path, match: str | None = None) -> None:
    with pytest.raises(UsageError, match=match) as caught:
        read_recipe(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("value", ILL_TYPED)
@pytest.mark.parametrize("name", [field.name for field in dataclasses.fields(Experiment)])
def test_an_ill_typed_field_at_the_top(name: str, value: str, tmp_path: Path) -> None:
    refused(written(tmp_path, TOP | {name: value}))


@pytest.mark.parametrize("value", ILL_TYPED)
@pytest.mark.parametrize(
    ("section", "name"),
    [(section, field.name) for section, owner in SECTIONS.items() for field in dataclasses.fields(owner)],
)
def test_an_ill_typed_field_of_a_section(section: str, name: str, value: str, tmp_path: Path) -> None:
    refused(written(tmp_path, TOP, f"[{section}]\n{name} = {value}\n"))


@pytest.mark.parametrize("section", [*SECTIONS, "options"])
def test_an_unknown_field_of_a_section(section: str, tmp_path: Path) -> None:
    refused(written(tmp_path, TOP, f'[{section}]\n"../x" = 1\n'), "unknown .*'../x'")
    refused(written(tmp_path, TOP, f"[[{section}]]\nx = 1\n"), "must be a section")


@pytest.mark.parametrize(
    ("change", "rest", "message"),
    [
        ({"head": '"../../x"'}, "", "unknown head '../../x'"),
        ({"head": '"_core"'}, "", "unknown head ._core."),
        ({"head": '"os"'}, "", "unknown head 'os'"),
        ({"evaluate": '["../test"]'}, "", "unknown split"),
        ({"run": '"rm"'}, "", "unknown field of recipe"),
        ({}, '[options]\nC = "x"\n', "option C=x of head 'logreg' must be float above 0"),
        ({}, "[options]\nC = inf\n", "option C=inf of head 'logreg' must be float above 0"),
        ({}, "[options]\nC = [1]\n", "must be float above 0"),
        ({}, "[danger]\nx = 1\n", "unknown field of recipe .* 'danger'"),
        ({}, "[published]\naccuracy = inf\n", "must be float from 0 to 1"),
    ],
)
def test_a_hostile_field(change: dict[str, str], rest: str, message: str, tmp_path: Path) -> None:
    path = written(tmp_path, TOP | change, rest)
    refused(path, message)


@pytest.mark.parametrize(
    "text", ["[" * 5000, "a=" + "[" * 5000, "\0", "a = 1\na = 2", "a.b = 1\na = 2", '"""', "=" * 99]
)
def test_text_that_is_a_trap(text: str, tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text(text)
    refused(path, "is not TOML")


@pytest.mark.parametrize(
    "make",
    [os.mkfifo, Path.mkdir, lambda path: path.symlink_to("/dev/zero")],
    ids=["pipe", "folder", "device"],
)
def test_what_is_no_file(make: Callable[[Path], None], tmp_path: Path) -> None:
    make(tmp_path / "recipe.toml")
    refused(tmp_path / "recipe.toml", "is no file")


def test_a_huge_file(tmp_path: Path) -> None:
    path = tmp_path / "recipe.toml"
    path.touch()
    os.truncate(path, 1 << 40)
    refused(path, "is larger than 1,048,576 bytes")


def test_no_name_leads_out_of_cache_and_runs(
    tmp_path: Path, photos: Photos, engine: CountingEngine, cache: Path
) -> None:
    for split in ("train", "val"):
        for label in ("cats", "dogs"):
            photos.add(f"{split}/{label}", 3)
    recipe = read_recipe(written(tmp_path, TOP | {"evaluate": '["val"]'}))
    recipe = with_changes(recipe, data=str(photos.root), precision="float32", **BACKBONE)
    before = {path for path in tmp_path.rglob("*") if not path.is_relative_to(photos.root)}
    outcome = run_recipe(recipe, cache=cache, runs=tmp_path / "runs", name="../../../outside")
    assert outcome.trained.dataset == "outside"
    new = set(tmp_path.rglob("*")) - before
    assert {path.relative_to(tmp_path).parts[0] for path in new} <= {cache.name, "runs", photos.root.name}
