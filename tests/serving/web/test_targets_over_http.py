"""Labels and numbers over HTTP: as `predict` answers them, as the description says, and counted."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from http_contract import breaches
from prometheus_client.parser import text_string_to_metric_families
from running_server import Server, form_of
from target_photos import COUNTS, NAMES

import pipeline
from pipeline.serving.web.openapi import document, page
from pipeline.serving.web.schemas import schemas_of

SERVERS = {"labels": "labelling", "number": "measuring"}
FORM = "multipart/form-data; boundary=between"


@pytest.fixture(params=SERVERS)
def target(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def asked(target: str, request: pytest.FixtureRequest) -> Server:
    return request.getfixturevalue(SERVERS[target])


def predicted(asked: Server, image: Path, coverage: float | None = None) -> dict[str, Any]:
    """Returns what the command line would print as JSON."""
    (run,) = (asked.scratch.parent / "runs").glob("*/*/ridge")
    cache = asked.scratch.parent / "features_cache"
    return pipeline.predict(run, image, cache=cache, coverage=coverage).to_json()


def answer_of(asked: Server, image: Path) -> dict[str, Any]:
    status, _, body = asked.ask("/predict", image.read_bytes())
    assert status == 200, body
    return json.loads(body)


def test_an_answer_has_the_members_of_predict(target: str, asked: Server) -> None:
    image = asked.photos.files("test")[0]
    told = predicted(asked, image, 0.9 if target == "number" else None)
    (expected,) = told["images"]
    del expected["id"]
    answer = answer_of(asked, image)
    assert {name: answer[name] for name in expected} == expected
    assert answer["familiar"] in (True, False)
    if target == "labels":
        assert answer["thresholds"] == told["thresholds"]
        assert set(answer["evidence"]) == set(answer["labels"])
    else:
        assert set(answer["evidence"]) == set(answer["numbers"]) == {*NAMES[target]}
        low, high = answer["interval"]["=size"]
        assert low < answer["numbers"]["=size"] < high


def test_training_images_are_shown_with_what_is_known_of_them(target: str, asked: Server) -> None:
    blank, known = asked.photos.files("train")[:2]
    key = {"labels": "labels", "number": "numbers"}[target]
    for image, expected in (
        (blank, None),
        (known, {"labels": [NAMES["labels"][0]], "number": {"<b>age</b>": 1.5, "=size": 2.5}}),
    ):
        first = answer_of(asked, image)["nearest"][0]
        assert first["same"]
        assert first[key] == (expected and expected[target])


def test_every_answer_is_as_described(target: str, asked: Server) -> None:
    description = json.loads(asked.ask("/openapi.json")[2])
    assert description == document(target) != document()
    image = asked.photos.files("test")[0].read_bytes()
    batch = form_of(("a", image), ("b", b"no image"))
    answers = {
        ("/predict", "post"): asked.ask("/predict", image),
        ("/predict/batch", "post"): asked.ask("/predict/batch", batch, Content_Type=FORM),
        ("/about", "get"): asked.ask("/about"),
        ("/health", "get"): asked.ask("/health"),
        ("/metrics", "get"): asked.ask("/metrics"),
        ("/answers.js", "get"): asked.ask("/answers.js"),
    }
    for (path, method), answer in answers.items():
        assert answer[0] == 200
        assert breaches(description, description["paths"][path][method], answer) == [], path
    refused = asked.ask("/predict", b"no image")
    assert refused[0] == 422
    assert breaches(description, description["paths"]["/predict"]["post"], refused) == []


def test_the_page_of_routes_names_the_objects_of_the_kind(target: str, asked: Server) -> None:
    assert asked.ask("/api")[2].decode() == page(target)
    assert not [name for name in schemas_of(target) if f'id="{name}"' not in page(target)]
    assert "by name" in page(target)


def test_answered_labels_are_counted_and_numbers_are_not(target: str, asked: Server) -> None:
    def figures() -> dict[tuple[str, str], float]:
        families = text_string_to_metric_families(asked.ask("/metrics")[2].decode())
        samples = [one for family in families for one in family.samples]
        return {(one.name, one.labels.get("label", "")): one.value for one in samples}

    before = figures()
    labels = answer_of(asked, asked.photos.files("train")[1]).get("labels", [])
    after = figures()
    counted = [(figure, label) for figure, label in after if figure == "pipeline_labels_total"]
    gained = {label: after[figure, label] - before[figure, label] for figure, label in counted}
    assert gained == ({name: name in labels for name in NAMES[target]} if target == "labels" else {})
    assert after["pipeline_familiarity_count", ""] == before["pipeline_familiarity_count", ""] + 1


def test_it_says_what_it_answers_with(target: str, asked: Server) -> None:
    health, about = (json.loads(asked.ask(path)[2]) for path in ("/health", "/about"))
    counted = {"labels": "labels", "number": "numbers"}[target]
    assert (
        (health["target"], health[counted])
        == (about["target"], about[counted])
        == (target, len(NAMES[target]))
    )
    assert ("val_map" in about) == (target == "labels")
    assert ("val_r2" in about) == (target == "number")
    assert about["train_images"] == COUNTS["train"]
