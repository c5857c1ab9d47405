"""Predictor: a base and a head, loaded once, that answer for raw images."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.cache.features import Selection
from pipeline.errors import CacheMismatchError, UsageError
from pipeline.heads import TrainedHead
from pipeline.images import BadImage, ImageSource
from pipeline.images.row_table import DIGEST_BYTES
from pipeline.images.targets import CLASS, described
from pipeline.progress import progress, say
from pipeline.serving.extractor import Extractor, NewImage
from pipeline.serving.predictions import Predictions
from pipeline.wording import readable

if TYPE_CHECKING:
    from pipeline.evaluation.conformal import ConformalSets

NOTE_WIDTH = 300


@dataclass(frozen=True, eq=False)
class Answer(NewImage):
    """What came of one image.

    Attributes:
        probabilities: float64 (k,), in the order of the head's classes; None where there is no answer.
        familiarity: How near it is to images that the head was trained on; None where that is not known.
        members: bool (k,), the classes of its conformal set; None where none were asked for.
    """

    probabilities: np.ndarray | None = None
    familiarity: float | None = None
    members: np.ndarray | None = None


class Predictor:
    """Takes raw images the way of stage one, and their features to a trained head.

    Attributes:
        selection: The stored features that the head was trained on; they say how new ones are made.
        head: The trained head.
        extractor: What makes features of new images.
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
        """Loads the base of a head.

        Args:
            selection: The entry, or the entries, of the head.
            head: The trained head.
            weights: Weights file of the base, ``imagenet`` or ``random:<seed>``; None to find the filters by
                their identity.
            sets: What makes a set of classes of each answer; None = none are made.

        Raises:
            UsageError: The filters cannot be found, this machine lacks the engine, the arithmetic or what
                resizes, or the head answers with no classes.
            CacheMismatchError: The filters are others than those that made the features, the int8 network is
                gone, this version of the pipeline computes something else, or the head learnt from others.
        """
        if head.task.target != CLASS:
            raise UsageError(
                f"head {head.name!r} answers with {described(head.task.target)}, and this works on heads of "
                "classes: `pipeline predict` answers for these"
            )
        self.selection = selection
        self.head = head
        self.sets = sets
        self.extractor = Extractor(selection, weights=weights)
        refuse_other_head(selection, head)

    def predict(
        self,
        source: ImageSource,
        *,
        batch_size: int | None = None,
        watch: Callable[[Answer], None] | None = None,
    ) -> Predictions:
        """Answers for every image of a source, and shows how far it is; see :meth:`answer`.

        Args:
            source: Lists and reads the images.
            batch_size: Images in a forward pass.
            watch: Is given every answer, with the features that it is made of.
        """
        for one in source.left_out:
            say(f"note: {readable(one.line, NOTE_WIDTH)}")
        answered: list[Answer] = []
        failures: list[BadImage] = []
        with progress("predict", len(source.items()), "images") as advance:
            for answer in self.answer(source, batch_size=batch_size):
                if watch is not None:
                    watch(answer)
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

        Arguments and errors are those of :meth:`pipeline.serving.extractor.Extractor.batches`.

        Yields:
            One answer per image; an image that cannot be read or used has a reason instead of probabilities.
        """
        for images in self.extractor.batches(source, batch_size=batch_size):
            made = [image.features for image in images if image.features is not None]
            features = np.stack(made) if made else np.empty((0, *self.head.task.feature_shape))
            judged = iter(self._judged(self.head.predict_new(features), features))
            for image in images:
                answer = Answer(**vars(image))
                yield answer if image.features is None else replace(answer, **next(judged))

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


def refuse_other_head(selection: Selection, head: TrainedHead) -> None:
    """Refuses a head that learnt from features of another spec.

    Raises:
        CacheMismatchError: It did; the message names the fields that differ.
    """
    differing = selection.spec.differences(head.spec)
    if differing:
        fields = ", ".join(f"{name} {mine!r} instead of {its!r}" for name, (mine, its) in differing.items())
        raise CacheMismatchError(
            f"{selection.entries[0].folder}: not what head {head.name!r} was trained on: {fields}. "
            f"Choose the entry that fits, or run `pipeline train-head --head {head.name}` on this one"
        )
