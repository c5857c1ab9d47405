"""The words that schemas are made of: JSON Schema (2020-12) of texts, numbers, lists and closed objects."""

from __future__ import annotations

from typing import Any

Schema = dict[str, Any]

TEXT: Schema = {"type": "string"}
COUNT: Schema = {"type": "integer", "minimum": 0}
NUMBER_VALUE: Schema = {"type": "number"}
SHARE: Schema = {"type": "number", "minimum": 0, "maximum": 1}
COSINE: Schema = {"type": "number", "minimum": -1, "maximum": 1}
YES_OR_NO: Schema = {"type": "boolean"}


def but(schema: Schema, description: str) -> Schema:
    """Returns a schema that says what is meant by its values."""
    return schema | {"description": description}


def or_null(schema: Schema) -> Schema:
    """Returns a schema that takes null, too."""
    if "type" in schema:
        return schema | {"type": [schema["type"], "null"]}
    return {"anyOf": [schema, {"type": "null"}]}


def many(schema: Schema) -> Schema:
    """Returns the schema of a list."""
    return {"type": "array", "items": schema}


def by_name(schema: Schema) -> Schema:
    """Returns the schema of an object that has one of these for each of some names."""
    return {"type": "object", "additionalProperties": schema}


def closed(members: dict[str, Schema], *, optional: tuple[str, ...] = ()) -> Schema:
    """Returns the schema of an object with these members and no others.

    Args:
        members: Each with its schema.
        optional: Those that may be missing.
    """
    return {
        "type": "object",
        "properties": members,
        "required": [name for name in members if name not in optional],
        "additionalProperties": False,
    }


def named(name: str) -> Schema:
    """Refers to an object of a description."""
    return {"$ref": f"#/components/schemas/{name}"}
