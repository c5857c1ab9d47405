"""What Prometheus collects is what was sent."""

from __future__ import annotations

import asyncio
import io
import json
import time

import pytest
from PIL import Image
from prometheus_client import REGISTRY
from prometheus_client.parser import text_string_to_metric_families
from running_server import Server, form_of
from starlette.types import Message, Receive, Scope, Send

from pipeline.serving.web.metrics import COSINES, UNANSWERED, Measured, Metrics

FORM = "multipart/form-data; boundary=between"
Figures = dict[tuple[str, tuple[tuple[str, str], ...]], float]


def figures(server: Server) -> Figures:
    status, headers, body = server.ask("/metrics")
    assert (status, headers["content-type"]) == (200, "text/plain; version=0.0.4; charset=utf-8")
    samples = [one for family in text_string_to_metric_families(body.decode()) for one in family.samples]
    return {(one.name, tuple(sorted(one.labels.items()))): one.value for one in samples}


def gained(before: Figures, after: Figures, name: str, **labels: str) -> float:
    key = (name, tuple(sorted(labels.items())))
    return after[key] - before.get(key, 0)


def test_requests_and_images_are_counted(server: Server) -> None:
    good = server.photos.files("test")[0].read_bytes()
    before, began = figures(server), time.perf_counter()
    server.ask("/predict", good)
    server.ask("/predict", b"no image")
    server.ask("/predict", b"no image", Content_Type="text/plain")
    server.ask("/predict", good, Origin="http://evil.example")
    parts = [("a", good), ("b", b"no image"), ("c", good)]
    server.ask("/predict/batch", form_of(*parts), Content_Type=FORM)
    for path in ("/thumbnail/0", "/thumbnail/1", "/nothing", "/no/thing"):
        server.ask(path)
    server.ask("/about", Host="evil.example")
    passed, after = time.perf_counter() - began, figures(server)
    expected = {
        ("/predict", "200"): 1,
        ("/predict", "422"): 1,
        ("/predict", "415"): 1,
        ("/predict", "403"): 1,
        ("/predict/batch", "200"): 1,
        ("/thumbnail/{row}", "200"): 2,
        ("elsewhere", "404"): 2,
        ("/about", "421"): 1,
    }
    for (route, status), count in expected.items():
        assert gained(before, after, "pipeline_requests_total", route=route, status=status) == count
    assert gained(before, after, "pipeline_request_seconds_count", route="/predict") == 4
    assert gained(before, after, "pipeline_request_seconds_bucket", route="/predict", le="+Inf") == 4
    taken = gained(before, after, "pipeline_request_seconds_sum", route="/predict")
    assert 0 < taken < passed, "they were asked one after the other"
    assert gained(before, after, "pipeline_images_total", outcome="answered") == 3
    assert gained(before, after, "pipeline_images_total", outcome="failed") == 2


def test_addresses_that_are_made_up_make_no_series(server: Server) -> None:
    for place in range(20):
        server.ask(f"/made-up-{place}")
    server.ask("/made%0a%22}up")
    routes = {dict(labels).get("route") for _, labels in figures(server)}
    assert not [route for route in routes if route and "made" in route]


def test_a_head_that_does_not_know_has_no_figures_of_familiarity(server: Server) -> None:
    assert not [name for name, _ in figures(server) if "famil" in name]


def test_drift_shows(knowing: Server) -> None:
    known = [path.read_bytes() for path in knowing.photos.files("train")[:3]]
    before = figures(knowing)
    answers = [json.loads(knowing.ask("/predict", image)[2]) for image in known]
    after = figures(knowing)
    assert all(one["familiar"] for one in answers)
    assert gained(before, after, "pipeline_familiarity_count") == 3
    assert gained(before, after, "pipeline_familiarity_sum") == pytest.approx(
        sum(one["familiarity"] for one in answers)
    )
    assert gained(before, after, "pipeline_unfamiliar_images_total") == 0
    about = json.loads(knowing.ask("/about")[2])
    assert after[("pipeline_familiarity_threshold", ())] == about["familiarity"]["threshold"]


def test_images_unlike_the_training_are_counted(knowing: Server) -> None:
    picture = io.BytesIO()
    Image.new("RGB", (16, 16)).save(picture, "PNG")
    before = figures(knowing)
    answer = json.loads(knowing.ask("/predict", picture.getvalue())[2])
    after = figures(knowing)
    assert answer["familiar"] is False
    assert gained(before, after, "pipeline_unfamiliar_images_total") == 1
    assert gained(before, after, "pipeline_familiarity_count") == 1
    within = [le for le in COSINES if le >= answer["familiarity"]]
    assert gained(before, after, "pipeline_familiarity_bucket", le=str(within[0])) == 1


def test_every_app_has_figures_of_its_own() -> None:
    first, second = Metrics(None), Metrics(None)
    first.count_request("/", "200", 0.1)
    labels = {"route": "/", "status": "200"}
    assert first.registry.get_sample_value("pipeline_requests_total", labels) == 1
    assert second.registry.get_sample_value("pipeline_requests_total", labels) is None
    assert REGISTRY.get_sample_value("pipeline_requests_total", labels) is None


def test_a_request_that_was_ended_is_counted() -> None:
    async def end(scope: Scope, receive: Receive, send: Send) -> None:
        raise asyncio.CancelledError

    async def receive() -> Message:
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        raise AssertionError(message)

    metrics = Metrics(None)
    scope = {"type": "http", "method": "GET", "path": "/", "headers": []}
    with pytest.raises(asyncio.CancelledError):
        asyncio.run(Measured(end, metrics=metrics, routes=[])(scope, receive, send))
    labels = {"route": "elsewhere", "status": UNANSWERED}
    assert metrics.registry.get_sample_value("pipeline_requests_total", labels) == 1
