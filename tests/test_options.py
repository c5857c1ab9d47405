"""Options come as text from the command line and as values from recipes and saved heads."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from pipeline.errors import UsageError
from pipeline.options import (
    Count,
    PositiveFloat,
    Share,
    describe_type,
    options_of,
    parse_options,
    settings_of,
    split_settings,
)


@dataclass(frozen=True, kw_only=True)
class Example:
    """Has an option of every type."""

    C: PositiveFloat = 0.01
    k: Count = 5
    offset: int = 0
    dropout: Share = 0.5
    whiten: bool = False
    class_weight: str | None = None
    depth: int | None = None
    units: tuple[int, ...] = (256, 128)


@pytest.mark.parametrize(
    ("name", "given", "value"),
    [
        ("C", "1e-3", 0.001),
        ("C", 1, 1.0),
        ("k", "7", 7),
        ("offset", "-2", -2),
        ("dropout", "0", 0.0),
        ("whiten", "true", True),
        ("whiten", "No", False),
        ("whiten", True, True),
        ("class_weight", "balanced", "balanced"),
        ("class_weight", "none", None),
        ("class_weight", None, None),
        ("depth", "3", 3),
        ("depth", "None", None),
        ("units", "64", (64,)),
        ("units", "400,256,256", (400, 256, 256)),
        ("units", [64, 32], (64, 32)),
    ],
)
def test_parses_text_and_values(name: str, given: object, value: object) -> None:
    parsed = parse_options(Example, {name: given}, subject="head 'example'")[name]

    assert parsed == value
    assert type(parsed) is type(value)


@pytest.mark.parametrize(
    ("name", "given", "message"),
    [
        ("C", "high", "option C=high of head 'example' must be float above 0, for example `--set C=0.01`"),
        ("C", "0", "C=0 .* must be float above 0"),
        ("C", "nan", "C=nan .* must be float above 0"),
        ("C", True, "C=true .* must be float above 0"),
        ("k", "2.5", "k=2.5 .* must be int at least 1, for example `--set k=5`"),
        ("k", 2.0, "k=2.0 .* must be int"),
        ("k", "0", "k=0 .* must be int at least 1"),
        ("offset", True, "offset=true .* must be int"),
        ("dropout", "1", "dropout=1 .* must be float at least 0 and below 1"),
        ("whiten", "maybe", "whiten=maybe .* must be bool, for example `--set whiten=false`"),
        ("class_weight", 3, "class_weight=3 .* must be text or none"),
        ("depth", "deep", "depth=deep .* must be int or none, for example `--set depth=none`"),
        ("units", "64,,32", "units=64,,32 .* must be ints with commas, for example `--set units=256,128`"),
        ("units", 64, "units=64 .* must be ints with commas"),
    ],
)
def test_bad_value_names_value_type_and_an_example(name: str, given: object, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        parse_options(Example, {name: given}, subject="head 'example'")


def test_unknown_option_suggests_the_nearest() -> None:
    with pytest.raises(
        UsageError, match=r"'dropot' \(did you mean 'dropout'\?\): choose from C, k, .*whiten"
    ):
        parse_options(Example, {"dropot": "0.2"}, subject="head 'example'")


def test_every_type_has_words() -> None:
    assert [describe_type(option.type) for option in options_of(Example)] == [
        "float above 0",
        "int at least 1",
        "int",
        "float at least 0 and below 1",
        "bool",
        "text or none",
        "int or none",
        "ints with commas",
    ]


@pytest.mark.parametrize(
    ("given", "settings"),
    [
        ({}, []),
        ({"C": 0.001, "whiten": True}, ["C=0.001", "whiten=true"]),
        ({"class_weight": "balanced", "depth": 3}, ["class_weight=balanced", "depth=3"]),
        ({"units": (64, 32), "offset": -2}, ["offset=-2", "units=64,32"]),
    ],
)
def test_settings_make_the_same_again(given: dict[str, object], settings: list[str]) -> None:
    configured = Example(**given)  # type: ignore[arg-type]
    assert settings_of(configured) == settings
    values = parse_options(Example, split_settings(settings, "--set"), subject="example")
    assert Example(**values) == configured  # type: ignore[arg-type]
