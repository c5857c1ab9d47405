"""The stage options as filters: one match is used, none and several say what to do."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from photos import Photos

Cli = Callable[..., Result]


@pytest.fixture
def show(cli: Cli, some_photos: Photos) -> Cli:
    """Runs ``pipeline cache show`` on the photographs."""
    return lambda *options: cli("cache", "show", "--data", some_photos.root, *options)


@pytest.fixture
def entries(extract: Cli, some_photos: Photos) -> None:
    """Five entries that differ in layer, pooling, store or seed."""
    for options in (
        ["--layer", "block1_pool", "--layer", "block2_pool:avg", "--layer", "block2_pool"],
        ["--layer", "block1_pool", "--store", "float32"],
        ["--layer", "block1_pool", "--weights", "random:1"],
    ):
        assert extract(*options).exit_code == 0


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--layer", "block2_pool:avg"], {"layer": "block2_pool", "pooling": "avg"}),
        (["--layer", "block2_pool", "--pooling", "none"], {"layer": "block2_pool", "pooling": "none"}),
        (["--store", "float32"], {"layer": "block1_pool", "store": "float32"}),
        (["--weights", "random:1"], {"weights": "random:1"}),
        (["--layer", "block1_pool", "--store", "float16", "--weights", "random:0"], {"weights": "random:0"}),
    ],
)
def test_one_match_is_used(options: list[str], expected: dict[str, Any], entries: None, show: Cli) -> None:
    result = show(*options, "--json")
    assert result.exit_code == 0, result.stderr
    spec = json.loads(result.stdout)["spec"]
    assert {name: spec[name] for name in expected} == expected


@pytest.mark.parametrize(
    ("options", "lines"),
    [
        (["--layer", "block2_pool"], {"--pooling avg", "--pooling none"}),
        (
            ["--layer", "block1_pool"],
            {
                "--weights random:0 --store float16",
                "--weights random:0 --store float32",
                "--weights random:1 --store float16",
            },
        ),
    ],
)
def test_several_matches_list_the_options_that_tell_them_apart(
    options: list[str], lines: set[str], entries: None, show: Cli
) -> None:
    result = show(*options)
    assert result.exit_code == 2
    first, *listed = result.stderr.splitlines()
    assert first == "pipeline: several entries match these options; tell them apart with:"
    assert {line.strip() for line in listed} == lines
    for line in lines:
        assert show(*options, *line.split()).exit_code == 0


@pytest.mark.parametrize(
    ("options", "command"),
    [
        ([], ""),
        (["--layer", "block9"], " --layer block9"),
        (["--layer", "a:avg", "--layer", "b"], " --layer a:avg --layer b"),
        (["--image-size", "224", "--backbone", "vgg19"], " --backbone vgg19 --image-size 224"),
        (["--weights", "my filters.h5"], " --weights 'my filters.h5'"),
        (["--name", "zoo", "--precision", "bfloat16"], " --name zoo --precision bfloat16"),
        (["--cache", "elsewhere"], " --cache elsewhere"),
    ],
)
def test_no_match_names_the_command_that_would_make_it(
    options: list[str], command: str, show: Cli, some_photos: Photos
) -> None:
    result = show(*options)
    assert result.exit_code == 2
    expected = command.replace(" --name zoo", "")
    name = " --name zoo" if "--name" in options else ""
    assert f"Run `pipeline extract --data {some_photos.root}{name}{expected}` first" in result.stderr


def test_the_default_source_is_the_built_in_one(entries: None, cli: Cli) -> None:
    result = cli("cache", "show", "--layer", "block2_pool")
    assert "Run `pipeline extract --data builtin:digits --layer block2_pool` first" in result.stderr


@pytest.mark.parametrize("address", ["{root}", "{root}/", "{relative}", "{root}/../photos", "./{relative}"])
def test_a_folder_is_known_by_any_of_its_addresses(
    address: str, entries: None, cli: Cli, some_photos: Photos
) -> None:
    data = address.format(root=some_photos.root, relative=os.path.relpath(some_photos.root))
    assert cli("cache", "show", "--data", data, "--store", "float32").exit_code == 0


@pytest.mark.parametrize("address", ["{root}", "{relative}"])
def test_features_outlive_their_images(address: str, entries: None, cli: Cli, some_photos: Photos) -> None:
    data = address.format(root=some_photos.root, relative=os.path.relpath(some_photos.root))
    some_photos.root.rename(some_photos.root.with_name("away"))
    assert cli("cache", "show", "--data", data, "--store", "float32").exit_code == 0


def test_a_name_alone_is_enough(entries: None, extract: Cli, cli: Cli) -> None:
    assert extract("--name", "my zoo").exit_code == 0
    result = cli("cache", "show", "--name", "my zoo", "--json")
    assert Path(json.loads(result.stdout)["entry"]).parent.name == "my_zoo"


def test_two_names_of_one_source_are_told_apart(extract: Cli, some_photos: Photos, show: Cli) -> None:
    extract()
    extract("--name", "zoo")
    assert {line.strip() for line in show().stderr.splitlines()[1:]} == {"--name photos", "--name zoo"}
    assert show("--name", "zoo").exit_code == 0
