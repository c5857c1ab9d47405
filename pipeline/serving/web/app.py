"""The page and what it asks for."""

from __future__ import annotations

import asyncio
import json
import re
import threading
from collections.abc import Awaitable, Callable, Collection
from http import HTTPStatus
from importlib.resources import files
from typing import Any

import numpy as np
from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from pipeline.answers import most_probable
from pipeline.cache import FeatureSet
from pipeline.errors import PipelineError, UsageError
from pipeline.evaluation.evidence import Evidence
from pipeline.images.geometry import Geometry
from pipeline.progress import say
from pipeline.serving.neighbours import Neighbour, Neighbours
from pipeline.serving.predictions import named
from pipeline.serving.predictor import Answer, Predictor
from pipeline.serving.web import uploads
from pipeline.serving.web.guard import Guard
from pipeline.serving.web.thumbnails import Thumbnails
from pipeline.serving.web.uploads import HeldUploads, Upload, UploadError

PAGE = {
    "/": ("page.html", "text/html"),
    "/page.css": ("page.css", "text/css"),
    "/page.js": ("page.js", "text/javascript"),
}
TOP = 5
NEAREST = 6
_ROW = re.compile(r"[0-9]{1,12}")
"""A row of a split; Python refuses to make a number of thousands of digits."""

Answering = Callable[[Request], Awaitable[Response]]


class Site:
    """Answers for uploads; the base works on one at a time."""

    def __init__(self, predictor: Predictor, train: FeatureSet) -> None:
        """Prepares everything that requests share.

        Args:
            predictor: A loaded base and head.
            train: The training images, which the nearest are looked for among.
        """
        self._predictor = predictor
        self._train = train
        self._neighbours = Neighbours(train)
        self._evidence = _evidence(predictor, train)
        self._thumbnails = Thumbnails(predictor.selection.entries[0], train.rows)
        self._uploads = HeldUploads()
        self._places = asyncio.Semaphore(uploads.MAX_AT_A_TIME)
        self._computing = threading.Lock()

    def about(self) -> dict[str, Any]:
        """Describes what answers, for the head of the page."""
        head, spec = self._predictor.head, self._predictor.selection.spec
        geometry = Geometry.parse(spec.geometry)
        return {
            "head": head.name,
            "dataset": head.dataset,
            "classes": len(head.classes),
            "backbone": spec.backbone,
            "layer": spec.layer,
            "image_size": spec.image_size,
            "val_accuracy": head.val_accuracy,
            "temperature": None if head.temperature is None else head.temperature.value,
            "random_filters": spec.weights.startswith("random:"),
            "searched": len(self._neighbours.rows),
            "train_images": self._neighbours.total,
            "thumbnails": self._thumbnails.there,
            "familiarity": None if head.familiarity is None else head.familiarity.rule,
            "geometry": {"edge": geometry.edge, "keeps_ratio": geometry.keeps_ratio},
            "coverage": None if self._predictor.sets is None else self._predictor.sets.coverage,
            "limits": {
                "file_bytes": uploads.MAX_BYTES,
                "files": uploads.MAX_FILES,
                "total_bytes": uploads.MAX_TOTAL_BYTES,
            },
        }

    async def predict(self, request: Request) -> Response:
        """Answers for the image in the body."""
        async with self._uploads.receive(request) as upload, self._places:
            return _json(await run_in_threadpool(self._answer, upload))

    async def thumbnail(self, request: Request) -> Response:
        """Returns the picture of a training row."""
        row = request.path_params["row"]
        is_row = _ROW.fullmatch(row) is not None
        picture = await run_in_threadpool(self._thumbnails.draw, int(row)) if is_row else None
        if picture is None:
            return _json({"error": "no such picture"}, HTTPStatus.NOT_FOUND)
        return Response(picture, media_type="image/jpeg")

    def _answer(self, upload: Upload) -> dict[str, Any]:
        with self._computing:
            (answer,) = self._predictor.answer(upload)
            if answer.probabilities is None or answer.features is None:
                raise UploadError(HTTPStatus.UNPROCESSABLE_ENTITY, answer.reason)
            nearest = self._neighbours.nearest(answer.features, NEAREST)
        head = self._predictor.head
        return {
            "top": named(answer.probabilities, head.classes, TOP),
            "trained_on": self._trained_on(answer.digest),
            "familiarity": answer.familiarity,
            "familiar": None if head.familiarity is None else head.familiarity.knows(answer.familiarity),
            **self._set(answer),
            "evidence": self._evidence_of(answer.features, int(answer.probabilities.argmax())),
            "remark": answer.remark,
            "nearest": [self._described(one, answer.digest) for one in nearest],
        }

    def _set(self, answer: Answer) -> dict[str, list[str]]:
        if answer.members is None or answer.probabilities is None:
            return {}
        classes = self._predictor.head.classes
        order = most_probable(answer.probabilities, len(classes))
        return {"set": [classes[i] for i in order if answer.members[i]]}

    def _evidence_of(self, features: np.ndarray, label: int) -> list[list[float]] | None:
        """Returns what each place adds to the score of a class, the strongest of size 1."""
        if self._evidence is None:
            return None
        found = self._evidence.of_class(features, label)
        return (found / (np.abs(found).max() or 1.0)).round(3).tolist()

    def _trained_on(self, digest: bytes) -> bool | None:
        """Tells whether the head was trained on this very image; None where that is not known."""
        seen = self._predictor.head.seen
        return None if seen is None else bool(seen.trained_on(np.frombuffer(digest, np.uint8)[None])[0])

    def _described(self, one: Neighbour, digest: bytes) -> dict[str, Any]:
        rows, label = self._train.rows, int(self._train.labels[one.row])
        return {
            "row": one.row,
            "id": rows.ids[one.row],
            "class": self._train.classes[label] if label >= 0 else None,
            "similarity": one.similarity,
            "same": rows.digests[one.row].tobytes() == digest,
        }


def _evidence(predictor: Predictor, train: FeatureSet) -> Evidence | None:
    try:
        return Evidence.of(predictor.head, train)
    except UsageError:  # the features do not tell places apart
        return None


def make_app(site: Site, *, names: Collection[str]) -> Starlette:
    """Puts a site behind its addresses.

    Args:
        site: What answers.
        names: Names of this server beside ``localhost`` and addresses of numbers.
    """
    about = site.about()
    routes = [Route(address, _page(*page)) for address, page in PAGE.items()]
    routes += [
        Route("/about", _told(lambda request: _done(_json(about)))),
        Route("/predict", _told(site.predict), methods=["POST"]),
        Route("/thumbnail/{row}", _told(site.thumbnail)),
    ]
    return Starlette(routes=routes, middleware=[Middleware(Guard, names=names)])


def _told(answering: Answering) -> Answering:
    """Turns failures into an object with one line."""

    async def told(request: Request) -> Response:
        try:
            return await answering(request)
        except UploadError as error:
            return _json({"error": str(error)}, error.status)
        except asyncio.CancelledError:  # Ctrl-C, and it took too long
            return _json({"error": "the server has been stopped"}, HTTPStatus.SERVICE_UNAVAILABLE)
        except ClientDisconnect:
            return Response(status_code=HTTPStatus.BAD_REQUEST)  # nobody hears it
        except PipelineError as error:
            say(f"pipeline: {error}")
            return _json({"error": str(error)}, HTTPStatus.INTERNAL_SERVER_ERROR)

    return told


async def _done(response: Response) -> Response:
    return response


def _page(file: str, media_type: str) -> Answering:
    text = files("pipeline.serving.web").joinpath("static", file).read_text("utf-8")

    async def page(request: Request) -> Response:
        return Response(text, media_type=media_type)

    return page


def _json(value: Any, status: HTTPStatus = HTTPStatus.OK) -> Response:
    """Writes ASCII, because a name may hold what UTF-8 cannot."""
    return Response(json.dumps(value, allow_nan=False), status, media_type="application/json")
