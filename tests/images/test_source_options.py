"""Source options: kept, passed on, and refused where they mean nothing."""

from __future__ import annotations

import dataclasses

import click
import pytest

from pipeline.cli.commands.extract import command
from pipeline.errors import UsageError
from pipeline.images.source_options import SourceOptions, flag
from pipeline.images.sources import kinds, open_source

GIVEN = SourceOptions(
    path_column="file",
    label_column="kind",
    split_column="fold",
    group_column="patient",
    target="labels",
    target_column=("indoor", "night"),
    label_separator="|",
    follow_links=True,
    leave_out=("*_mask.png", "b"),
)
FIELDS = [field.name for field in dataclasses.fields(SourceOptions)]


def test_what_is_given_comes_back_from_json():
    assert SourceOptions.from_json(GIVEN.to_json()) == GIVEN
    assert sorted(GIVEN.to_json()) == sorted(FIELDS), "the test gives every field"
    assert SourceOptions().to_json() == {}


@pytest.mark.parametrize(
    "data",
    [
        {"colour": 1},
        {"path_column": 1},
        {"follow_links": "yes"},
        {"leave_out": "*"},
        {"leave_out": [1]},
        {"target_column": "a"},
    ],
)
def test_odd_json_is_refused(data):
    with pytest.raises(ValueError, match="source option"):
        SourceOptions.from_json(data)


def test_every_field_is_an_option_of_extract():
    options = {option for one in command.params if isinstance(one, click.Option) for option in one.opts}
    assert {flag(name) for name in FIELDS} <= options


@pytest.mark.parametrize("name", FIELDS)
def test_an_option_that_means_nothing_is_refused(name):
    assert name not in next(kind for kind in kinds() if kind.claims("builtin:digits")).OPTIONS
    options = SourceOptions(**{name: getattr(GIVEN, name)})
    with pytest.raises(UsageError, match=flag(name)):
        open_source("builtin:digits", options)


@pytest.mark.parametrize("kind", kinds(), ids=lambda kind: kind.__name__.rsplit(".", 1)[-1])
def test_kinds_understand_fields_that_exist(kind):
    assert set(kind.OPTIONS) <= set(FIELDS)
