"""Whether what a server answers is what its OpenAPI description says."""

from __future__ import annotations

import json
from typing import Any

from jsonschema import Draft202012Validator

Answer = tuple[int, dict[str, str], bytes]
"""Status, headers and body."""


def validator(schema: dict[str, Any], description: dict[str, Any]) -> Draft202012Validator:
    """Returns what checks values of a schema that refers to the components of a description."""
    return Draft202012Validator(schema | {"components": description["components"]})


def breaches(description: dict[str, Any], operation: dict[str, Any], answer: Answer) -> list[str]:
    """Lists what an answer has that is not described, on a line each.

    Args:
        description: The whole document.
        operation: The operation that was asked.
        answer: What came back.
    """
    status, headers, body = answer
    described = operation["responses"].get(str(status))
    if described is None:
        return [f"status {status} is not described"]
    media_type = headers["content-type"].partition(";")[0]
    if media_type not in described["content"]:
        return [f"{media_type} is not described for status {status}"]
    schema = described["content"][media_type].get("schema")
    if schema is None:
        return []
    value = json.loads(body) if media_type == "application/json" else body.decode()
    return [error.message for error in validator(schema, description).iter_errors(value)]
