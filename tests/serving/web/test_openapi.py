"""The description of the routes is valid, whole, and what the server does."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from http_contract import breaches
from jsonschema import Draft202012Validator
from running_server import Server, form_of

from pipeline import __version__
from pipeline.images.targets import CLASS
from pipeline.serving import Predictor, features_behind
from pipeline.serving.web import app as apps
from pipeline.serving.web.openapi import document, page
from pipeline.serving.web.operations import OPERATIONS, Content, Operation
from pipeline.serving.web.schemas import schemas_of
from pipeline.serving.web.site import Site

STYLE = Path(apps.__file__).parent / "static/page.css"
TEXT = {"type": "string", "minLength": 1}
CONTENT = {"type": "object", "minProperties": 1, "additionalProperties": {"type": "object"}}
SHAPE = {
    "type": "object",
    "required": ["openapi", "info", "paths", "components"],
    "additionalProperties": False,
    "properties": {
        "openapi": {"pattern": r"^3\.1\.\d+$"},
        "info": {"required": ["title", "version"], "additionalProperties": TEXT},
        "components": {
            "additionalProperties": False,
            "properties": {"schemas": {"propertyNames": {"pattern": "^[a-zA-Z0-9._-]+$"}}},
        },
        "paths": {
            "propertyNames": {"pattern": "^/"},
            "additionalProperties": {
                "propertyNames": {"enum": ["get", "post"]},
                "additionalProperties": {
                    "type": "object",
                    "required": ["operationId", "summary", "responses"],
                    "additionalProperties": False,
                    "properties": {
                        "operationId": TEXT,
                        "summary": TEXT,
                        "description": TEXT,
                        "parameters": {
                            "items": {
                                "required": ["name", "in", "required", "schema"],
                                "properties": {"in": {"const": "path"}, "required": {"const": True}},
                            }
                        },
                        "requestBody": {"required": ["content"], "properties": {"content": CONTENT}},
                        "responses": {
                            "minProperties": 1,
                            "propertyNames": {"pattern": "^[1-5][0-9]{2}$"},
                            "additionalProperties": {
                                "required": ["description"],
                                "properties": {"description": TEXT, "content": CONTENT},
                            },
                        },
                    },
                },
            },
        },
    },
}
"""What OpenAPI 3.1 asks of the parts that a description of ours has."""


@dataclass(frozen=True)
class Case:
    """A request and what is expected of it."""

    path: str
    status: int
    body: bytes | None = None
    headers: dict[str, str] = field(default_factory=dict)
    route: str = ""


FORM = {"Content_Type": "multipart/form-data; boundary=between"}
FOREIGN, OTHER = {"Host": "evil.example"}, {"Origin": "http://evil.example"}
CASES = [
    *(Case(one.path, 200) for one in OPERATIONS if one.method == "GET" and not one.parameters),
    *(Case(one.path, 421, None, FOREIGN) for one in OPERATIONS if one.method == "GET" and not one.parameters),
    Case("/thumbnail/0", 200, route="/thumbnail/{row}"),
    Case("/thumbnail/no", 404, route="/thumbnail/{row}"),
    Case("/predict", 200, b"IMAGE"),
    Case("/predict", 422, b"no image"),
    Case("/predict", 415, b"IMAGE", {"Content_Type": "image/png"}),
    Case("/predict", 403, b"IMAGE", OTHER),
    Case("/predict", 413, bytes(20 * 2**20 + 1)),
    Case("/predict/batch", 200, form_of(("a", b"IMAGE"), (None, b"no image"), ("b", b"IMAGE")), FORM),
    Case("/predict/batch", 422, form_of(), FORM),
    Case("/predict/batch", 415, b"IMAGE"),
    Case("/predict/batch", 400, b"IMAGE", FORM),
    Case("/predict/batch", 403, form_of(("a", b"IMAGE")), FORM | OTHER),
    Case("/predict/batch", 421, form_of(("a", b"IMAGE")), FORM | FOREIGN),
    Case("/predict/batch", 413, form_of(*[(None, b"")] * 101), FORM),
]


@pytest.fixture(scope="module")
def description(server: Server) -> dict[str, Any]:
    status, headers, body = server.ask("/openapi.json")
    assert (status, headers["content-type"]) == (200, "application/json")
    return json.loads(body)


def operation_of(description: dict[str, Any], case: Case) -> dict[str, Any]:
    return description["paths"][case.route or case.path]["get" if case.body is None else "post"]


def test_the_description_is_valid(description: dict[str, Any]) -> None:
    Draft202012Validator.check_schema(SHAPE)
    assert [error.message for error in Draft202012Validator(SHAPE).iter_errors(description)] == []
    assert description["info"]["version"] == __version__
    names = [one["operationId"] for path in description["paths"].values() for one in path.values()]
    assert len(names) == len(set(names)) == len(OPERATIONS)


def schemas_in(value: Any) -> list[dict[str, Any]]:
    """Returns every schema of a description."""
    if isinstance(value, list):
        return [one for part in value for one in schemas_in(part)]
    if not isinstance(value, dict):
        return []
    found = [value["schema"]] if "schema" in value else []
    return found + [one for part in value.values() for one in schemas_in(part)]


def test_every_schema_is_valid_and_every_reference_leads_somewhere(description: dict[str, Any]) -> None:
    components = description["components"]["schemas"]
    for schema in [*components.values(), *schemas_in(description["paths"])]:
        Draft202012Validator.check_schema(schema)
    referred = {
        text.rpartition("/")[2] for text in json.dumps(description).split('"') if text.startswith("#/")
    }
    assert referred == set(components) == set(schemas_of(CLASS))


def test_what_is_to_be_filled_in_is_described(description: dict[str, Any]) -> None:
    for path, operations in description["paths"].items():
        for operation in operations.values():
            named = {one["name"] for one in operation.get("parameters", [])}
            assert named == {part[1:-1] for part in path.split("/") if part.startswith("{")}


@pytest.fixture(scope="module")
def site(server: Server) -> Site:
    (folder,) = (server.scratch.parent / "runs").glob("*/*/logreg")
    from pipeline.heads import load_head

    head = load_head(folder)
    selection = features_behind(head, Path(server.scratch.parent / "features_cache"))
    return Site(Predictor(selection, head), selection.open("train"))


def test_every_route_is_described_and_the_other_way_round(site: Site, description: dict[str, Any]) -> None:
    routes = apps.make_app(site, names=[]).routes
    served = {(route.path, method) for route in routes for method in route.methods - {"HEAD"}}
    described = {
        (path, method.upper()) for path, methods in description["paths"].items() for method in methods
    }
    assert served == described


@pytest.mark.parametrize("operation", OPERATIONS, ids=lambda one: one.name)
def test_a_route_cannot_be_without_its_description(
    operation: Operation, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(apps, "OPERATIONS", [one for one in OPERATIONS if one is not operation])
    with pytest.raises(LookupError, match=f"no route leads to {operation.name}"):
        apps.make_app(site, names=[])


def test_a_description_cannot_be_without_its_route(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    more = Operation("more", "GET", "/more", "More", Content("text/plain", "More."))
    monkeypatch.setattr(apps, "OPERATIONS", [*OPERATIONS, more])
    with pytest.raises(LookupError, match="more"):
        apps.make_app(site, names=[])


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.status} {case.path}")
@pytest.mark.parametrize("which", ["server", "knowing"])
def test_every_answer_is_as_described(
    which: str, case: Case, request: pytest.FixtureRequest, description: dict[str, Any]
) -> None:
    asked: Server = request.getfixturevalue(which)
    image = asked.photos.files("test")[0].read_bytes()
    body = None if case.body is None else case.body.replace(b"IMAGE", image)
    answer = asked.ask(case.path, body, **case.headers)
    assert answer[0] == case.status
    assert breaches(description, operation_of(description, case), answer) == []


def test_every_operation_is_tried() -> None:
    tried = {(case.route or case.path, "GET" if case.body is None else "POST") for case in CASES}
    assert tried == {(one.path, one.method) for one in OPERATIONS}


def test_a_breach_is_seen(description: dict[str, Any]) -> None:
    operation = description["paths"]["/health"]["get"]
    json_type = {"content-type": "application/json"}
    assert breaches(description, operation, (200, json_type, b'{"ok": true}'))
    assert breaches(description, operation, (418, json_type, b"{}")) == ["status 418 is not described"]
    assert breaches(description, operation, (200, {"content-type": "text/plain"}, b"ok"))


@pytest.mark.parametrize(
    ("method", "path", "status"), [("GET", "/nothing", 404), ("GET", "/about/", 404), ("PUT", "/about", 405)]
)
def test_an_address_that_leads_nowhere_is_told_where_to_look(
    method: str, path: str, status: int, server: Server
) -> None:
    connection = server.connect()
    connection.request(method, path)
    answer = connection.getresponse()
    assert answer.status == status
    assert "/api" in json.loads(answer.read())["error"]
    assert (status == 405) == bool(answer.getheader("allow"))
    connection.close()


def test_the_page_names_every_route_and_every_object() -> None:
    shown = page()
    assert not [one.path for one in OPERATIONS if f"<code>{one.path}</code>" not in shown]
    assert not [name for name in schemas_of(CLASS) if f'id="{name}"' not in shown]
    styled = set(re.findall(r"^#(\w+)", STYLE.read_text(), re.MULTILINE))
    assert styled, "the other page has elements of its own"
    assert not styled.intersection(re.findall(r'id="([^"]+)"', shown))
    assert "<script" not in shown
    assert "style=" not in shown


def test_the_document_is_the_one_that_is_served(description: dict[str, Any]) -> None:
    assert description == document()
