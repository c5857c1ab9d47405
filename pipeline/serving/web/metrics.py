"""What has been answered, as figures that Prometheus collects: requests, seconds, images and familiarity."""

from __future__ import annotations

import time
from collections.abc import Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Match, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from pipeline.heads import Familiarity
from pipeline.serving.predictor import Answer

ELSEWHERE = "elsewhere"
"""The route of addresses that lead nowhere: what is asked for must not decide how many series there are."""
UNANSWERED = "none"
"""The status of a request that was ended before its answer began."""
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0)
COSINES = tuple(place / 20 for place in range(21))


class Metrics:
    """Figures of one app, in a registry of their own.

    Attributes:
        registry: What holds them.
    """

    def __init__(self, familiarity: Familiarity | None, labels: Sequence[str] = ()) -> None:
        """Begins at nothing.

        Args:
            familiarity: What tells images that are like those of the training from others; None where the
                head does not know, and then there are no figures of it.
            labels: The labels that answered images are counted by; empty of heads that answer otherwise.
        """
        self.registry = registry = CollectorRegistry()
        self._known = familiarity
        self._requests = Counter(
            "pipeline_requests",
            "Requests that were answered or refused.",
            ["route", "status"],
            registry=registry,
        )
        self._seconds = Histogram(
            "pipeline_request_seconds",
            "Seconds from the head of a request to the end of its answer, uploads included.",
            ["route"],
            buckets=SECONDS,
            registry=registry,
        )
        images = Counter("pipeline_images", "Images by what came of them.", ["outcome"], registry=registry)
        self._answered, self._failed = images.labels("answered"), images.labels("failed")
        if labels:
            self._labels = Counter(
                "pipeline_labels", "Answered images that have the label.", ["label"], registry=registry
            )
            for label in labels:  # a label that was never answered is 0, not missing
                self._labels.labels(label)
        if familiarity is None:
            return
        self._familiarity = Histogram(
            "pipeline_familiarity",
            "Familiarity of answered images: mean cosine to the nearest training images.",
            buckets=COSINES,
            registry=registry,
        )
        self._unfamiliar = Counter(
            "pipeline_unfamiliar_images",
            "Answered images unlike anything of the training.",
            registry=registry,
        )
        threshold = Gauge(
            "pipeline_familiarity_threshold",
            "Least familiarity of an image that is like some of the training.",
            registry=registry,
        )
        threshold.set(familiarity.threshold)

    def count_answer(self, answer: Answer, labels: Sequence[str] = ()) -> None:
        """Counts what came of an image.

        Args:
            answer: Its answer.
            labels: The labels that it was answered with, some of those that images are counted by.
        """
        if answer.values is None:
            self._failed.inc()
            return
        self._answered.inc()
        for label in labels:
            self._labels.labels(label).inc()
        if self._known is None or answer.familiarity is None:
            return
        self._familiarity.observe(answer.familiarity)
        if not self._known.knows(answer.familiarity):
            self._unfamiliar.inc()

    def count_request(self, route: str, status: str, seconds: float) -> None:
        """Counts a request that has come to its end.

        Args:
            route: Its route as the table has it.
            status: Of the answer; :data:`UNANSWERED` where there was none.
            seconds: How long it took.
        """
        self._requests.labels(route, status).inc()
        self._seconds.labels(route).observe(seconds)

    async def show(self, request: Request) -> Response:
        """Returns all figures as text that Prometheus reads."""
        return Response(generate_latest(self.registry), headers={"Content-Type": CONTENT_TYPE_PLAIN_0_0_4})


class Measured:
    """Counts every request to an application, also those that its guard refuses."""

    def __init__(self, app: ASGIApp, *, metrics: Metrics, routes: Sequence[Route]) -> None:
        """Wraps an application.

        Args:
            app: What answers.
            metrics: Where requests are counted.
            routes: The routes that requests are counted by.
        """
        self._app = app
        self._metrics = metrics
        self._routes = routes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes a request on and counts it once its answer has been sent."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status = UNANSWERED

        async def send_noted(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = str(message["status"])
            await send(message)

        began = time.perf_counter()
        try:
            await self._app(scope, receive, send_noted)
        finally:
            self._metrics.count_request(self._route_of(scope), status, time.perf_counter() - began)

    def _route_of(self, scope: Scope) -> str:
        found = (route.path for route in self._routes if route.matches(scope)[0] is not Match.NONE)
        return next(found, ELSEWHERE)
