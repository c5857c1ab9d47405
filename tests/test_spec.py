"""FeatureSpec: an identity that is stable, readable, and read back only if nothing is amiss."""

from __future__ import annotations

import json
from dataclasses import FrozenInstanceError, asdict, fields, replace
from typing import Any

import pytest

from pipeline.spec import SCHEMA, FeatureSpec


def test_the_digest_of_a_known_spec_never_changes(spec: FeatureSpec) -> None:
    assert spec.schema == SCHEMA == 1
    assert spec.digest == "c3200af224c75c33f1140da9630f0d4f01588479570be6939fb0ad818ce8a4a6"


@pytest.mark.parametrize("name", [field.name for field in fields(FeatureSpec)])
def test_every_field_is_part_of_the_identity(name: str, spec: FeatureSpec) -> None:
    value = getattr(spec, name)
    other = replace(spec, **{name: value + 1 if isinstance(value, int) else value + "x"})
    assert other.digest != spec.digest
    assert other.entry_name != spec.entry_name
    assert spec.differences(other) == {name: (value, getattr(other, name))}


def test_equal_specs_do_not_differ(spec: FeatureSpec) -> None:
    assert spec.differences(replace(spec)) == {}


def test_a_spec_survives_json(spec: FeatureSpec) -> None:
    text = spec.to_json()
    assert FeatureSpec.from_json(text) == spec
    assert list(json.loads(text)) == sorted(set(asdict(spec)) - {"pixel_range", "geometry"})
    assert "\n" not in text


def test_the_pixel_range_is_written_where_there_is_one(spec: FeatureSpec) -> None:
    deep = replace(spec, pixel_range="0..4095")
    assert json.loads(deep.to_json())["pixel_range"] == "0..4095"
    assert FeatureSpec.from_json(deep.to_json()) == deep
    assert deep.plain.pixel_range == deep.network.pixel_range == "0..4095"
    assert FeatureSpec.from_json(json.dumps(asdict(spec))) == spec  # as heads and networks keep it


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"image_size": "150"}, "image_size must be of type int"),
        ({"image_size": 150.0}, "image_size must be of type int"),
        ({"image_size": True}, "image_size must be of type int"),
        ({"layer": None}, "layer must be of type str"),
        ({"layer": ["a"]}, "layer must be of type str"),
        ({"extra": 1}, "its fields differ"),
    ],
)
def test_an_ill_typed_spec_is_refused(change: dict[str, Any], message: str, spec: FeatureSpec) -> None:
    with pytest.raises(ValueError, match=message):
        FeatureSpec.from_json(json.dumps(asdict(spec) | change))


@pytest.mark.parametrize("text", ["", "{}", "[]", "null", '"text"', "{", '{"backbone": "vgg16"}'])
def test_what_is_no_spec_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=r"not a feature spec|Expecting"):
        FeatureSpec.from_json(text)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({}, "vgg16-150-block5_pool"),
        ({"pooling": "avg"}, "vgg16-150-block5_pool-avg"),
        ({"layer": "a/../b c", "backbone": "x\n"}, "x_-150-a_.._b_c"),
        ({"layer": "é"}, "vgg16-150-_"),
    ],
)
def test_an_entry_name_is_readable_and_safe(
    changes: dict[str, Any], expected: str, spec: FeatureSpec
) -> None:
    changed = replace(spec, **changes)
    assert changed.entry_name == f"{expected}-{changed.digest[:8]}"


def test_a_spec_cannot_be_changed(spec: FeatureSpec) -> None:
    with pytest.raises(FrozenInstanceError):
        spec.layer = "other"
