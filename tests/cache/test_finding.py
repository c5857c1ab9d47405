"""Whatever two entries differ in, the options that a message gives tell them apart."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from pipeline.cache.entries import Entry
from pipeline.cache.finding import EntryFilter, is_called, options_apart, stored_views
from pipeline.cli import main
from pipeline.extraction.augment import Augmentation
from pipeline.spec import FeatureSpec

AUGMENTED = Augmentation(rotation=20).to_json()
OTHERS: Mapping[str, Any] = {
    "backbone": "vgg19",
    "weights": "random:1",
    "layer": "block3_pool",
    "pooling": "avg",
    "image_size": 32,
    "preprocessing": "tf",
    "precision": "bfloat16",
    "store": "float16",
    "resize": "nearest",
    "engine": "openvino",
    "calibration": "0" * 64,
    "augmentation": AUGMENTED,
    "pixel_range": "0..4095",
    "schema": 2,
}
"""Another value of each field of a spec, where its type does not give one."""


def another(field: dataclasses.Field[Any], spec: FeatureSpec) -> object:
    """Returns another value of a field; fields of later versions have a type at least."""
    return OTHERS.get(field.name, {"str": "something", "int": 7, "float": 0.5}.get(str(field.type)))


@pytest.fixture
def save_entry(tmp_path: Path) -> Callable[..., Entry]:
    """Saves an entry in a cache of its own; its only file is never opened."""

    def save(spec: FeatureSpec) -> Entry:
        made = Entry(tmp_path / "cache" / "toy" / spec.entry_name, spec, "/somewhere/toy", "random")
        made.save()
        made.file("train").write_bytes(b"")
        return made

    return save


def chosen(cache: Path, options: list[str]) -> str | None:
    """Runs a printed command to its end and says which entry it chose."""
    result = CliRunner().invoke(
        main, ["cache", "rm", "--yes", "--json", "--data", "/somewhere/toy", "--cache", str(cache), *options]
    )
    return json.loads(result.stdout)["entry"] if result.exit_code == 0 else None


@pytest.mark.parametrize("field", dataclasses.fields(FeatureSpec), ids=lambda field: field.name)
def test_entries_that_differ_in_one_field_are_told_apart(
    field: dataclasses.Field[Any],
    spec: FeatureSpec,
    save_entry: Callable[..., Entry],
    tmp_path: Path,
) -> None:
    entries = [save_entry(spec), save_entry(replace(spec, **{field.name: another(field, spec)}))]
    entries.sort(key=lambda entry: entry.folder)
    result = CliRunner().invoke(
        main, ["cache", "show", "--data", "/somewhere/toy", "--cache", str(tmp_path / "cache")]
    )
    assert result.exit_code == 2
    first, *lines = result.stderr.splitlines()
    assert first == "pipeline: several entries match these options; tell them apart with:"
    for entry, line in zip(entries, lines, strict=True):
        assert chosen(tmp_path / "cache", line.split()) == str(entry.folder)
        assert not entry.folder.exists()
        save_entry(entry.spec)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("{folder}", True),
        ("{folder}/", True),
        ("vgg16-150", True),
        ("toy/{folder}", True),
        ("toy/vgg", True),
        ("features/toy/{folder}", True),
        ("/far/away/features/toy/{folder}", True),
        ("zoo/{folder}", False),
        ("toy", False),
        ("vgg19", False),
        ("", False),
        ("/", False),
        ("toy/", False),
    ],
)
def test_names_of_an_entry(name: str, expected: bool, entry: Entry) -> None:
    assert is_called(entry.folder, name.format(folder=entry.folder.name)) == expected


def test_settings_of_views_tell_entries_apart(spec: FeatureSpec) -> None:
    drawn = [Augmentation(), Augmentation(rotation=20), Augmentation(rotation=20, flip=False)]
    specs = [spec, *(replace(spec, augmentation=one.to_json()) for one in drawn)]
    entries = [Entry(Path("features/toy") / one.entry_name, one, "/toy", "random") for one in specs]
    assert options_apart(entries) == [
        ["--views", "0"],
        ["--augment", "rotation=40"],
        ["--augment", "flip=true", "--augment", "rotation=20"],
        ["--augment", "flip=false"],
    ]
    assert EntryFilter(asked={"views": 3}).matches(entries[1])
    assert not EntryFilter(asked={"augment": {"rotation": 40.0}}).matches(entries[0])


@pytest.mark.parametrize("text", ["{", "[]", "3", '"x"', "[" * 100_000])
def test_views_of_a_foreign_entry_are_no_riddle(text: str, spec: FeatureSpec) -> None:
    foreign = replace(spec, augmentation=text)
    entries = [Entry(Path("features/toy") / one.entry_name, one, "/toy", "random") for one in (spec, foreign)]
    assert options_apart(entries) == [["--views", "0"], ["--views", "1"]]
    assert stored_views(entries[1]) == 1


def test_what_draws_the_same_views_is_told_apart_by_name(spec: FeatureSpec) -> None:
    specs = [replace(spec, augmentation=Augmentation(rotation=angle).to_json()) for angle in (20, 20.0)]
    entries = [Entry(Path("features/toy") / one.entry_name, one, "/toy", "random") for one in specs]
    assert options_apart(entries) == [["--entry", entry.folder.name] for entry in entries]


def test_one_entry_needs_no_options(entry: Entry) -> None:
    assert options_apart([entry]) == [[]]


@pytest.mark.parametrize(
    ("layers", "pooling", "expected"),
    [
        ((), None, True),
        ((), "none", True),
        ((), "avg", False),
        (("block5_pool",), None, True),
        (("block5_pool:none",), "avg", True),  # as `extract` takes them
        (("block5_pool",), "avg", False),
        (("block5_pool:avg",), None, False),
        (("block1_pool", "block5_pool"), None, True),
    ],
)
def test_cuts_are_read_as_by_stage_one(
    layers: tuple[str, ...], pooling: str | None, expected: bool, entry: Entry
) -> None:
    assert EntryFilter(asked={"layers": layers, "pooling": pooling}).matches(entry) == expected


@pytest.mark.parametrize("name", ["backbone", "pooling", "weights", "store", "layers"])
@pytest.mark.parametrize("word", ["auto", ""])
def test_a_word_that_names_nothing_matches_nothing(name: str, word: str, entry: Entry) -> None:
    value = (word,) if name == "layers" else word
    assert not EntryFilter(asked={name: value}).matches(entry)


@pytest.mark.parametrize("name", ["precision", "engine"])
def test_what_is_measured_may_be_left_to_be_measured(name: str, entry: Entry) -> None:
    assert EntryFilter(asked={name: "auto"}).matches(entry)
    assert not EntryFilter(asked={name: ""}).matches(entry)
