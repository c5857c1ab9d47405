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
                "--store float32",
                "--weights random:1",
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
        (["--weights", "random:7"], " --weights random:7"),
        (["--views", "2", "--augment", "zoom=0.1"], " --views 2 --augment zoom=0.1"),
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


def test_images_whose_features_are_there_are_named(entries: None, cli: Cli, some_photos: Photos) -> None:
    result = cli("cache", "show", "--data", "photographs", "--layer", "block2_pool")
    assert result.exit_code == 2
    assert "Run `pipeline extract --data photographs --layer block2_pool` first, or choose" in result.stderr
    *_, listed = result.stderr.splitlines()
    assert listed == f"  --data {some_photos.root}"
    assert cli("cache", "show", "--layer", "block2_pool", "--pooling", "avg", *listed.split()).exit_code == 0
    assert "or choose" not in cli("cache", "show", "--data", "photographs", "--layer", "block9").stderr


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


COMMANDS = [
    "train-head",
    "sweep --head knn --jobs 1",
    "evaluate --no-page",
    "check",
    "predict",
    "cache show",
    "cache rm --yes",
]


@pytest.fixture
def views(extract: Cli, cli: Cli, some_photos: Photos) -> None:
    """A plain entry with a head, and two with augmented views."""
    for options in ([], ["--views", "2"], ["--views", "2", "--augment", "rotation=20"]):
        assert extract(*options).exit_code == 0
    assert cli("train-head", "--data", some_photos.root, "--augment", "rotation=20").exit_code == 0


@pytest.fixture
def run(cli: Cli, some_photos: Photos) -> Cli:
    """Runs a command; one that needs images is given one."""

    def run(command: str, *options: object) -> Result:
        images = some_photos.files("test")[:1] if command == "predict" else []
        return cli(*command.split(), *images, *options)

    return run


def test_what_made_an_entry_selects_it(views: None, run: Cli, some_photos: Photos) -> None:
    data = ["--data", some_photos.root]
    for command in COMMANDS:  # the last one removes them
        result = run(command, *data)
        assert result.exit_code == 2
        listed = [line.split() for line in result.stderr.splitlines()[1:]]
        assert sorted(listed) == [
            ["--augment", "rotation=20"],
            ["--augment", "rotation=40"],
            ["--views", "0"],
        ]
        for options in listed if command.startswith("cache") else listed[:1]:
            result = run(command, *data, *options)
            assert result.exit_code == 0, (command, options, result.stderr)
    assert not list(Path("features_cache").glob("*/*/spec.json"))


def test_any_entry_can_be_named(extract: Cli, run: Cli, some_photos: Photos) -> None:
    assert extract("--name", "zoo").exit_code == extract().exit_code == 0
    (folder,) = Path("features_cache/photos").glob("vgg16-*")
    for command in COMMANDS:
        ambiguous = run(command, "--entry", folder.name)
        assert ambiguous.exit_code == 2
        assert {line.strip() for line in ambiguous.stderr.splitlines()[1:]} == {"--name photos", "--name zoo"}
        for name in (f"photos/{folder.name[:-4]}", folder):
            if folder.exists():
                result = run(command, "--entry", name)
                assert result.exit_code == 0, (command, name, result.stderr)
    assert not folder.exists()


def test_a_name_that_means_nothing_is_told(extract: Cli, some_photos: Photos, cli: Cli) -> None:
    assert extract().exit_code == 0
    for name, *more in (["vgg19"], ["vgg16", "--store", "float32"], ["/"]):
        result = cli("cache", "show", "--entry", name, *more)
        assert result.exit_code == 2
        assert f"no entry {name!r} in features_cache matches these options" in result.stderr


def test_named_entries_are_read_side_by_side(extract: Cli, cli: Cli, some_photos: Photos) -> None:
    extract("--layer", "block1_pool", "--layer", "block2_pool")
    names = ["--entry", "vgg16-32-block1", "--entry", "vgg16-32-block2"]
    result = cli("train-head", *names)
    assert result.exit_code == 0, result.stderr
    layers = ["--data", some_photos.root, "--layer", "block1_pool", "--layer", "block2_pool"]
    assert cli("evaluate", "--no-page", *layers).exit_code == 0
    assert "tell them apart" in cli("cache", "show", *names).stderr


@pytest.mark.parametrize("options", [["--weights", "random", "--store", "float32"], ["--engine", "keras"]])
def test_options_that_mean_nothing_for_pixels_select_them(
    options: list[str], cli: Cli, some_photos: Photos
) -> None:
    pixels = ["--data", some_photos.root, "--backbone", "pixels", "--image-size", "8", *options]
    assert cli("extract", *pixels).exit_code == 0
    assert cli("train-head", *pixels).exit_code == 0
