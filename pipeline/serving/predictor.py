"""Predictor: a base and a head, loaded once, that answer for raw images."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline import registry
from pipeline.backbones.weights import Weights, weights_of
from pipeline.cache.entries import Entry
from pipeline.cache.features import Selection
from pipeline.cache.finding import has_filters
from pipeline.cache.mapped_features import side_by_side
from pipeline.errors import CacheMismatchError, PipelineError
from pipeline.extraction import engines
from pipeline.extraction.augment import Augmentation
from pipeline.extraction.engines import BatchTooLargeError
from pipeline.extraction.fastest import settle_batch_size
from pipeline.extraction.load import Batch, Loader, feature_batches
from pipeline.extraction.settle import SettledRequest, request_of
from pipeline.extraction.timing import Timings
from pipeline.hardware import cores
from pipeline.heads import TrainedHead
from pipeline.images import BadImage, ImageItem, ImageSource
from pipeline.images.pixel_range import PixelRange
from pipeline.images.resizing import find_resize
from pipeline.images.row_table import DIGEST_BYTES
from pipeline.progress import progress, say
from pipeline.serving.predictions import Predictions
from pipeline.spec import RAW
from pipeline.wording import readable

if TYPE_CHECKING:
    from pipeline.evaluation.conformal import ConformalSets

NOTE_WIDTH = 300


@dataclass(frozen=True, eq=False)
class Answer:
    """What came of one image.

    Attributes:
        id: Its name.
        digest: SHA-256 (32 bytes) of its content; zeros where it could not be read.
        probabilities: float64 (k,), in the order of the head's classes; None where there is no answer.
        features: What the base made of it, as stage one would store it; None where there is no answer.
        familiarity: How near it is to images that the head was trained on; None where that is not known.
        members: bool (k,), the classes of its conformal set; None where none were asked for.
        reason: Why there is no answer, in a few words.
        remark: What the pixel range of the data set costs this image; mostly empty.
    """

    id: str
    digest: bytes
    probabilities: np.ndarray | None = None
    features: np.ndarray | None = None
    familiarity: float | None = None
    members: np.ndarray | None = None
    reason: str = ""
    remark: str = ""


class Predictor:
    """Takes raw images the way of stage one, and their features to a trained head.

    Attributes:
        selection: The stored features that the head was trained on; they say how new ones are made.
        head: The trained head.
        sets: What makes a set of classes of each answer, if anything.
    """

    def __init__(
        self,
        selection: Selection,
        head: TrainedHead,
        *,
        weights: str | None = None,
        sets: ConformalSets | None = None,
    ) -> None:
        """Loads the base as stage one did: filters, cuts, arithmetic and engine.

        Args:
            selection: The entry, or the entries, of the head.
            head: The trained head.
            weights: Weights file of the base, ``imagenet`` or ``random:<seed>``; None to find the filters by
                their identity.
            sets: What makes a set of classes of each answer; None = none are made.

        Raises:
            UsageError: The filters cannot be found, or this machine lacks the engine, the arithmetic or what
                resizes.
            CacheMismatchError: The filters are others than those that made the features, the int8 network is
                gone, this version of the pipeline computes something else, or the head learnt from others.
        """
        self.selection = selection
        self.head = head
        self.sets = sets
        entries = selection.entries
        spec = entries[0].spec
        filters = filters_of(entries[0], weights)
        self._request = request_of(entries)
        _refuse_other_numbers(entries, self._request, filters)
        _refuse_other_head(selection, head)
        self._pixel_range = PixelRange.of(spec.pixel_range)
        find_resize(spec.resize, spec.geometry)  # told now, not with the first image
        arithmetic = spec.engine if spec.engine == RAW else f"{spec.engine}, {spec.precision}"
        say(f"loading {spec.backbone} ({arithmetic})")
        self._engine = registry.load(engines, "engine", self._request.engine).load(self._request, filters)

    def predict(self, source: ImageSource, *, batch_size: int | None = None) -> Predictions:
        """Answers for every image of a source, and shows how far it is; see :meth:`answer`."""
        for one in source.left_out:
            say(f"note: {readable(one.line, NOTE_WIDTH)}")
        answered: list[Answer] = []
        failures: list[BadImage] = []
        with progress("predict", len(source.items()), "images") as advance:
            for answer in self.answer(source, batch_size=batch_size):
                if answer.probabilities is None:
                    failures.append(BadImage(answer.id, answer.reason))
                else:
                    answered.append(replace(answer, features=None))
                advance(1)
        seen = self.head.seen
        digests = np.frombuffer(b"".join(one.digest for one in answered), np.uint8)
        return Predictions(
            head=self.head.name,
            dataset=self.selection.dataset,
            spec=self.selection.spec,
            classes=self.head.classes,
            ids=[one.id for one in answered],
            probabilities=np.reshape(
                [one.probabilities for one in answered], (len(answered), len(self.head.classes))
            ),
            failures=failures,
            temperature=self.head.temperature,
            trained_on=None if seen is None else seen.trained_on(digests.reshape(-1, DIGEST_BYTES)),
            remarks={one.id: one.remark for one in answered if one.remark},
            familiar_by=self.head.familiarity,
            familiarity=_column([one.familiarity for one in answered]),
            sets_by=self.sets,
            members=_column([one.members for one in answered]),
        )

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
        size, _ = settle_batch_size(request, self._engine, len(items))
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
            resize=self._request.resize,
            geometry=self._request.geometry,
            pixel_range=self._pixel_range,
        )
        wanted = [np.arange(at, min(at + size, len(items))) for at in range(0, len(items), size)]
        computed = feature_batches(
            wanted, loader=loader, engine=self._engine, threads=cores(), timings=Timings()
        )
        for rows, (batch, cuts) in zip(wanted, computed, strict=True):
            yield self._answers([items[int(row)].id for row in rows], batch, side_by_side(cuts)[: len(rows)])

    def _answers(self, ids: list[str], batch: Batch, features: np.ndarray) -> list[Answer]:
        finite = np.isfinite(features).all(axis=tuple(range(1, features.ndim)))
        index = np.flatnonzero(batch.loaded & finite)
        good = features[index]
        made = dict(zip(index.tolist(), self._judged(self.head.predict_new(good), good), strict=True))
        failures = iter(batch.failures)
        answers = []
        for i, (name, digest) in enumerate(zip(ids, batch.digests, strict=True)):
            answer = Answer(name, digest.tobytes(), remark=batch.remarks.get(i, ""))
            if i in made:
                answer = replace(answer, features=features[i], **made[i])
            elif batch.loaded[i]:
                answer = replace(answer, reason=f"its features are not finite in {features.dtype}")
            else:
                answer = replace(answer, reason=next(failures).reason)
            answers.append(answer)
        return answers

    def _judged(self, probabilities: np.ndarray, features: np.ndarray) -> list[dict[str, Any]]:
        """Puts together what there is to say of each image: fields of its :class:`Answer`."""
        judged = [{"probabilities": row} for row in probabilities]
        if self.head.familiarity is not None:
            for one, value in zip(judged, self.head.familiarity.measure(features).tolist(), strict=True):
                one["familiarity"] = value
        if self.sets is not None:
            for one, members in zip(judged, self.sets.sets(probabilities), strict=True):
                one["members"] = members
        return judged


def _column(values: list[Any]) -> np.ndarray | None:
    """Returns what is known of all images as an array; None where it is known of none."""
    return None if not values or values[0] is None else np.array(values)


def filters_of(entry: Entry, choice: str | None) -> Weights:
    """Finds the filters that made an entry's features.

    Args:
        entry: The entry.
        choice: What ``--weights`` says, or None; where it names no file, it often only tells entries apart.

    Raises:
        UsageError: They cannot be found.
        CacheMismatchError: ``choice`` are others.
    """
    if choice in (None, "auto") or has_filters(entry, choice):
        choice = "imagenet" if entry.weights_label == "imagenet" else None
    return weights_of(entry.spec, choice, option="--weights PATH", file=entry.weights_file)


def _refuse_other_numbers(entries: tuple[Entry, ...], request: SettledRequest, weights: Weights) -> None:
    for entry, made in zip(entries, request.specs(weights), strict=True):
        differing = entry.spec.plain.differences(made)
        if differing:
            fields = ", ".join(
                f"{name} {now!r} instead of {then!r}" for name, (then, now) in differing.items()
            )
            raise CacheMismatchError(
                f"{entry.folder}: this version would compute other features for new images ({fields}). "
                "Run `pipeline extract` and `pipeline train-head` again"
            )


def _refuse_other_head(selection: Selection, head: TrainedHead) -> None:
    differing = selection.spec.differences(head.spec)
    if differing:
        fields = ", ".join(f"{name} {mine!r} instead of {its!r}" for name, (mine, its) in differing.items())
        raise CacheMismatchError(
            f"{selection.entries[0].folder}: not what head {head.name!r} was trained on: {fields}. "
            f"Choose the entry that fits, or run `pipeline train-head --head {head.name}` on this one"
        )
