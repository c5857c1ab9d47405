"""What answers: a base and a head, the training images to compare with, and the uploads that wait."""

from __future__ import annotations

import asyncio
import re
import threading
from http import HTTPStatus
from typing import Any

import numpy as np
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import Response

from pipeline import __version__
from pipeline.cache import FeatureSet
from pipeline.errors import UsageError
from pipeline.evaluation.evidence import Evidence
from pipeline.images.geometry import Geometry
from pipeline.serving.kinds import kind_of
from pipeline.serving.known import known_of
from pipeline.serving.neighbours import Neighbour, Neighbours
from pipeline.serving.predictor import Answer, Predictor
from pipeline.serving.web import forms, uploads
from pipeline.serving.web.forms import form
from pipeline.serving.web.kinds import WEB_KINDS
from pipeline.serving.web.metrics import Metrics
from pipeline.serving.web.replies import refusal, reply
from pipeline.serving.web.thumbnails import Thumbnails
from pipeline.serving.web.uploads import HeldUploads, Upload, UploadError, single_image

NEAREST = 6
_ROW = re.compile(r"[0-9]{1,12}")
"""A row of a split; Python refuses to make a number of thousands of digits."""


class Site:
    """Answers for uploads; the base works on one at a time.

    Attributes:
        metrics: What has been answered since it began.
        target: What its head answers with.
    """

    def __init__(self, predictor: Predictor, train: FeatureSet) -> None:
        """Prepares everything that requests share.

        Args:
            predictor: A loaded base and head.
            train: The training images, which the nearest are looked for among.
        """
        head = predictor.head
        self.target = head.task.target
        self._kind, self._web = kind_of(head), WEB_KINDS[self.target]
        self._tallied = self._web.tallied(head)
        self.metrics = Metrics(head.familiarity, self._tallied)
        self._predictor = predictor
        self._train = train
        self._neighbours = Neighbours(train)
        self._evidence = _evidence(predictor, train)
        self._thumbnails = Thumbnails(predictor.selection.entries[0], train.rows)
        self._uploads = HeldUploads()
        self._places = asyncio.Semaphore(uploads.MAX_AT_A_TIME)
        self._computing = threading.Lock()

    async def health(self, request: Request) -> Response:
        """Tells that it answers, and what with."""
        head = self._predictor.head
        return reply(
            {
                "ok": True,
                "head": head.name,
                "backbone": self._predictor.selection.spec.backbone,
                **self._web.count(head),
                "version": __version__,
            }
        )

    async def about(self, request: Request) -> Response:
        """Describes what answers, for the head of the page."""
        return reply(self._described_whole())

    async def predict(self, request: Request) -> Response:
        """Answers for the image in the body."""
        async with self._uploads.receive(request, single_image(request)) as upload:
            (answer,) = await self._answers(upload)
        if isinstance(answer, str):
            raise UploadError(HTTPStatus.UNPROCESSABLE_ENTITY, answer)
        return reply(answer)

    async def predict_batch(self, request: Request) -> Response:
        """Answers for every image of a form, in their order; what cannot be read has an error of its own."""
        async with self._uploads.receive(request, form(request)) as upload:
            answers = []
            # Others get their turn between the pieces.
            for piece in upload.pieces(uploads.MAX_AT_A_TIME):
                answers += await self._answers(piece)
        told = [
            {"file": part.file, "answer": None, "error": answer}
            if isinstance(answer, str)
            else {"file": part.file, "answer": answer, "error": None}
            for part, answer in zip(upload.parts, answers, strict=True)
        ]
        return reply({"images": told})

    async def thumbnail(self, request: Request) -> Response:
        """Returns the picture of a training row."""
        row = request.path_params["row"]
        is_row = _ROW.fullmatch(row) is not None
        picture = await run_in_threadpool(self._thumbnails.draw, int(row)) if is_row else None
        if picture is None:
            return refusal("no such picture", HTTPStatus.NOT_FOUND)
        return Response(picture, media_type="image/jpeg")

    async def _answers(self, upload: Upload) -> list[dict[str, Any] | str]:
        """Returns for each image its answer, or why there is none."""
        async with self._places:
            return await run_in_threadpool(self._compute, upload)

    def _compute(self, upload: Upload) -> list[dict[str, Any] | str]:
        with self._computing:
            answers = list(self._predictor.answer(upload))
            for answer in answers:
                self.metrics.count_answer(answer, self._chosen(answer) if self._tallied else ())
            return [self._told(answer) for answer in answers]

    def _told(self, answer: Answer) -> dict[str, Any] | str:
        if answer.values is None or answer.features is None:
            return answer.reason
        found = self._predictor.collect([answer])
        nearest = self._neighbours.nearest(answer.features, NEAREST)
        return {
            **found.said(0),
            **self._web.rules(self._predictor.head),
            "trained_on": found.seen[0],
            "familiarity": answer.familiarity,
            "familiar": found.familiar[0],
            **found.bounded(0),
            "evidence": self._evidence_of(answer),
            "remark": answer.remark,
            "nearest": [self._described(one, answer.digest) for one in nearest],
        }

    def _chosen(self, answer: Answer) -> list[str]:
        """Names the classes, labels or numbers that an image is answered with; none where it failed."""
        if answer.values is None:
            return []
        head = self._predictor.head
        return [head.classes[place] for place in self._kind.chosen(head, answer.values)]

    def _evidence_of(self, answer: Answer) -> Any:
        """Returns what each place adds to the chosen answers, the strongest place of each of size 1."""
        if self._evidence is None or answer.values is None or answer.features is None:
            return None
        maps = []
        for place in self._kind.chosen(self._predictor.head, answer.values):
            found = self._evidence.of_class(answer.features, place)
            maps.append((found / (np.abs(found).max() or 1.0)).round(3).tolist())
        return self._kind.of_each(self._chosen(answer), maps)

    def _described(self, one: Neighbour, digest: bytes) -> dict[str, Any]:
        rows = self._train.rows
        return {
            "row": one.row,
            "id": rows.ids[one.row],
            **known_of(self._train, one.row),
            "similarity": one.similarity,
            "same": rows.digests[one.row].tobytes() == digest,
        }

    def _described_whole(self) -> dict[str, Any]:
        head, spec = self._predictor.head, self._predictor.selection.spec
        geometry = Geometry.parse(spec.geometry)
        return {
            "head": head.name,
            "dataset": head.dataset,
            **self._web.count(head),
            "backbone": spec.backbone,
            "layer": spec.layer,
            "image_size": spec.image_size,
            **self._web.value(head),
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
                "batch_bytes": forms.MAX_FORM_BYTES,
            },
        }


def _evidence(predictor: Predictor, train: FeatureSet) -> Evidence | None:
    try:
        return Evidence.of(predictor.head, train)
    except UsageError:  # the features do not tell places apart
        return None
