"""Predictor: a base and a head, loaded once, that answer for raw images."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from pipeline.cache import FeatureSet
from pipeline.cache.features import Selection
from pipeline.cache.format import checksums
from pipeline.cache.mapped_features import side_by_side
from pipeline.errors import PipelineError
from pipeline.extraction.augment import Augmentation
from pipeline.extraction.engines import BatchTooLargeError
from pipeline.extraction.load import Batch, Loader, feature_batches
from pipeline.extraction.precision import settle_batch_size
from pipeline.extraction.timing import Timings
from pipeline.heads import TrainedHead
from pipeline.images import UNLABELLED, ImageItem, ImageSource
from pipeline.images.pixel_range import PixelRange
from pipeline.images.row_table import RowTable
from pipeline.progress import say
from pipeline.serving.base import load_base


@dataclass(frozen=True, eq=False)
class Answer:
    """What came of one image.

    Attributes:
        id: Its name.
        digest: SHA-256 (32 bytes) of its content; zeros where it could not be read.
        probabilities: float64 (k,), in the order of the head's classes; None where there is no answer.
        features: What the base made of it, as stage one would store it; None where there is no answer.
        reason: Why there is no answer, in a few words.
        remark: What the pixel range of the data set costs this image; mostly empty.
    """

    id: str
    digest: bytes
    probabilities: np.ndarray | None = None
    features: np.ndarray | None = None
    reason: str = ""
    remark: str = ""


class Predictor:
    """Takes raw images the way of stage one, and their features to a trained head.

    Attributes:
        selection: The stored features that the head was trained on; they say how new ones are made.
        head: The trained head.
    """

    def __init__(self, selection: Selection, head: TrainedHead, *, weights: str | None = None) -> None:
        """Loads the base.

        Args:
            selection: The entry, or the entries, of the head.
            head: The trained head.
            weights: Weights file of the base, ``imagenet`` or ``random:<seed>``; None to find the filters by
                their identity.

        Raises:
            UsageError: The filters cannot be found, or this machine lacks the engine or the arithmetic.
            CacheMismatchError: The filters are others than those that made the features.
        """
        self.selection = selection
        self.head = head
        self._request, self._engine = load_base(selection, weights)

    def answer(self, source: ImageSource, *, batch_size: int | None = None) -> Iterator[Answer]:
        """Answers for every image of a source, in its order.

        With the batch size of stage one the features are the same bit for bit; with another they may differ
        in the last one.

        Args:
            source: Lists and reads the images.
            batch_size: Images in a forward pass; None = as stage one chooses it, or fewer if there are fewer.

        Yields:
            One answer per image; an image that cannot be read or used has a reason instead of probabilities.

        Raises:
            PipelineError: Not even one image fits the memory.
        """
        items = source.items()
        request = replace(self._request, batch_size=batch_size)
        size = settle_batch_size(request, self._engine, len(items))
        if batch_size is None:
            size = min(size, len(items))
        answered = 0
        while answered < len(items):
            try:
                for answers in self._batches(source, items[answered:], size):
                    answered += len(answers)
                    yield from answers
            except BatchTooLargeError:
                if size == 1:
                    raise PipelineError(
                        "not even one image fits the memory: choose features of a smaller --image-size"
                    ) from None
                size //= 2
                say(f"a batch does not fit the memory: going on with batches of {size}")

    def _batches(self, source: ImageSource, items: Sequence[ImageItem], size: int) -> Iterator[list[Answer]]:
        loader = Loader(
            source=source,
            items=items,
            digests=None,
            views=np.zeros(len(items), np.uint8),
            augmentation=Augmentation(),
            image_size=self._request.image_size,
            batch_size=size,
            pixel_range=PixelRange.of(self._request.pixel_range),
        )
        wanted = [np.arange(at, min(at + size, len(items))) for at in range(0, len(items), size)]
        computed = feature_batches(
            wanted, loader=loader, engine=self._engine, threads=os.cpu_count() or 1, timings=Timings()
        )
        for rows, (batch, cuts) in zip(wanted, computed, strict=True):
            yield self._answers([items[row].id for row in rows], batch, side_by_side(cuts)[: len(rows)])

    def _answers(self, ids: list[str], batch: Batch, features: np.ndarray) -> list[Answer]:
        reasons = dict(zip(np.flatnonzero(~batch.loaded), (f.reason for f in batch.failures), strict=True))
        finite = np.isfinite(features).all(axis=tuple(range(1, features.ndim)))
        reasons |= dict.fromkeys(
            np.flatnonzero(batch.loaded & ~finite), f"its features are not finite in {features.dtype}"
        )
        index = np.flatnonzero(batch.loaded & finite)
        proba = self.head.predict_proba(self._feature_set(ids, batch.digests, features, index))
        answers = [
            Answer(
                name,
                digest.tobytes(),
                reason=reasons.get(position, ""),
                remark=batch.remarks.get(position, ""),
            )
            for position, (name, digest) in enumerate(zip(ids, batch.digests, strict=True))
        ]
        for position, row in zip(index, proba, strict=True):
            answers[position] = replace(answers[position], probabilities=row, features=features[position])
        return answers

    def _feature_set(
        self, ids: list[str], digests: np.ndarray, features: np.ndarray, index: np.ndarray
    ) -> FeatureSet:
        """Dresses fresh features as stage two knows them."""
        chosen = np.ascontiguousarray(features[index])
        return FeatureSet(
            features=chosen,
            rows=RowTable(
                ids=[ids[position] for position in index],
                labels=np.full(len(index), UNLABELLED, np.int32),
                digests=digests[index],
                views=np.zeros(len(index), np.uint8),
            ),
            crc32=checksums(chosen),
            spec=self.selection.spec,
            classes=self.head.classes,
            split="new",
            dataset=self.selection.dataset,
            path=self.selection.entries[0].folder,
        )
