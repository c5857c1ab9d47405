"""The description of the table of routes: OpenAPI 3.1 for programs, and a page of the same for people."""

from __future__ import annotations

import json
from http import HTTPStatus
from pathlib import Path
from typing import Any

from pipeline import __version__
from pipeline.images.targets import CLASS
from pipeline.serving.web.operations import ALWAYS, JSON, Content, Operation, operations_of
from pipeline.serving.web.schema_words import Schema, named
from pipeline.serving.web.schemas import schemas_of

TEMPLATES = Path(__file__).parent / "templates"
TITLE = "Answers of a trained head"
INTRODUCTION = (
    "What pipeline serve answers. Images are answered in memory and never stored. There is no password: "
    "whoever can reach the server can use it. Refusals are JSON: an object with one line, error."
)


def document(target: str = CLASS) -> dict[str, Any]:
    """Returns the description of all routes as OpenAPI 3.1, for heads of a kind of target."""
    paths: dict[str, dict[str, Any]] = {}
    for operation in operations_of(target):
        paths.setdefault(operation.path, {})[operation.method.lower()] = _described(operation)
    return {
        "openapi": "3.1.0",
        "info": {"title": TITLE, "description": INTRODUCTION, "version": __version__},
        "paths": paths,
        "components": {"schemas": schemas_of(target)},
    }


def page(target: str = CLASS) -> str:
    """Returns the same as a page: it needs the style sheets of this server and nothing else."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        autoescape=True, loader=FileSystemLoader(TEMPLATES), undefined=StrictUndefined, trim_blocks=True
    )
    return environment.get_template("api.html.j2").render(
        title=TITLE,
        introduction=INTRODUCTION,
        version=__version__,
        operations=operations_of(target),
        always=ALWAYS,
        schemas={name: _rows(schema) for name, schema in schemas_of(target).items()},
        kind=kind,
    )


def kind(schema: Schema) -> str:
    """Says in a few words what a schema takes: ``list of Class``, ``text or null``."""
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2]
    if "anyOf" in schema:
        return " or ".join(map(kind, schema["anyOf"]))
    if "const" in schema:
        return json.dumps(schema["const"])
    types: list[str] = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    words = {"string": "text", "boolean": "true or false"}
    if isinstance(schema.get("additionalProperties"), dict):
        words["object"] = f"{kind(schema['additionalProperties'])} by name"
    elif "properties" in schema and "additionalProperties" in schema:
        words["object"] = "{" + ", ".join(schema["properties"]) + "}"
    if "items" in schema:
        words["array"] = f"list of {kind(schema['items'])}"
    return " or ".join(words.get(one, one) for one in types)


def _rows(schema: Schema) -> list[tuple[str, str, str]]:
    """Returns name, kind and meaning of each member of an object."""
    needed = schema["required"]
    return [
        (name, kind(member) + ("" if name in needed else ", may be missing"), member.get("description", ""))
        for name, member in schema["properties"].items()
    ]


def _described(operation: Operation) -> dict[str, Any]:
    described: dict[str, Any] = {"operationId": operation.name, "summary": operation.summary}
    if operation.description:
        described["description"] = operation.description
    if operation.parameters:
        described["parameters"] = [
            {"name": name, "in": "path", "required": True, "schema": schema}
            for name, schema in operation.parameters
        ]
    if operation.takes is not None:
        described["requestBody"] = {
            "required": True,
            "description": operation.takes.description,
            "content": _content(operation.takes),
        }
    given = {
        str(int(HTTPStatus.OK)): {
            "description": operation.gives.description,
            "content": _content(operation.gives),
        }
    }
    refused = Content(JSON, "", named("Error"))
    described["responses"] = given | {
        str(int(status)): {"description": why, "content": _content(refused)}
        for status, why in sorted(operation.refusals + ALWAYS)
    }
    return described


def _content(content: Content) -> dict[str, Any]:
    return {content.media_type: {} if content.schema is None else {"schema": content.schema}}
