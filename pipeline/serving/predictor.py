"""Predictor: a base and a head, loaded once, that answer for raw images."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.cache.features import Selection
from pipeline.errors import CacheMismatchError
from pipeline.heads import TrainedHead
from pipeline.images import BadImage, ImageSource
from pipeline.images.row_table import DIGEST_BYTES
from pipeline.progress import progress, say
from pipeline.serving.extractor import Extractor, NewImage
from pipeline.serving.kinds import kind_of
from pipeline.serving.predictions import Predictions
from pipeline.serving.target_predictions import LabelPredictions, NumberPredictions
from pipeline.wording import readable

if TYPE_CHECKING:
    from pipeline.evaluation.conformal import ConformalSets
    from pipeline.evaluation.targets.number_intervals import NumberIntervals

    Bounds = ConformalSets | NumberIntervals
    """What tells how sure answers are."""

Answers = Predictions | LabelPredictions | NumberPredictions
NOTE_WIDTH = 300


@dataclass(frozen=True, eq=False)
class Answer(NewImage):
    """What came of one image.

    Attributes:
        probabilities: float64 (k,), in the order of the head's classes: those of classes or labels, or of a
            head of numbers these; None where there is no answer.
        familiarity: How near it is to images that the head was trained on; None where that is not known.
        members: bool (k,), the classes of its conformal set; None where none were asked for.
    """

    probabilities: np.ndarray | None = None
    familiarity: float | None = None
    members: np.ndarray | None = None

    @property
    def values(self) -> np.ndarray | None:
        """What was answered, whatever the kind of head."""
        return self.probabilities


class Predictor:
    """Takes raw images the way of stage one, and their features to a trained head.

    Attributes:
        selection: The stored features that the head was trained on; they say how new ones are made.
        head: The trained head.
        extractor: What makes features of new images.
        sets: What makes a set of classes of each answer, or an interval of each number, if anything.
    """

    def __init__(
        self,
        selection: Selection,
        head: TrainedHead,
        *,
        weights: str | None = None,
        sets: Bounds | None = None,
    ) -> None:
        """Loads the base of a head.

        Args:
            selection: The entry, or the entries, of the head.
            head: The trained head.
            weights: Weights file of the base, ``imagenet`` or ``random:<seed>``; None to find the filters by
                their identity.
            sets: What makes a set of classes of each answer, or an interval of each number, see
                :func:`pipeline.serving.sets_of`; None = none are made.

        Raises:
            UsageError: The filters cannot be found, or this machine lacks the engine, the arithmetic or
                what resizes.
            CacheMismatchError: The filters are others than those that made the features, the int8 network is
                gone, this version of the pipeline computes something else, or the head learnt from others.
        """
        self.selection = selection
        self.head = head
        self.sets = sets
        self._kind = kind_of(head)
        self.extractor = Extractor(selection, weights=weights)
        refuse_other_head(selection, head)

    def predict(
        self,
        source: ImageSource,
        *,
        batch_size: int | None = None,
        watch: Callable[[Answer], None] | None = None,
    ) -> Answers:
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
                if answer.values is None:
                    failures.append(BadImage(answer.id, answer.reason))
                else:
                    answered.append(replace(answer, features=None))
                advance(1)
        return self.collect(answered, failures)

    def collect(self, answered: Sequence[Answer], failures: Sequence[BadImage] = ()) -> Answers:
        """Puts answers together, with what is known of all of them.

        Args:
            answered: Answers of :meth:`answer`, those that there are.
            failures: The images that have none.
        """
        head, digests = self.head, np.frombuffer(b"".join(one.digest for one in answered), np.uint8)
        return self._kind.of(
            head,
            np.reshape([one.values for one in answered], (len(answered), len(head.classes))),
            self.sets,
            dataset=self.selection.dataset,
            spec=self.selection.spec,
            classes=head.classes,
            ids=[one.id for one in answered],
            failures=[*failures],
            trained_on=None if head.seen is None else head.seen.trained_on(digests.reshape(-1, DIGEST_BYTES)),
            remarks={one.id: one.remark for one in answered if one.remark},
            familiar_by=head.familiarity,
            familiarity=_column([one.familiarity for one in answered]),
        )

    def answer(self, source: ImageSource, *, batch_size: int | None = None) -> Iterator[Answer]:
        """Answers for every image of a source, in its order.

        Arguments and errors are those of :meth:`pipeline.serving.extractor.Extractor.batches`.

        Yields:
            One answer per image; an image that cannot be read or used has a reason instead of values.
        """
        for images in self.extractor.batches(source, batch_size=batch_size):
            made = [image.features for image in images if image.features is not None]
            features = np.stack(made) if made else np.empty((0, *self.head.task.feature_shape))
            judged = iter(self._judged(self._kind.ask(self.head, features), features))
            for image in images:
                answer = Answer(**vars(image))
                yield answer if image.features is None else replace(answer, **next(judged))

    def _judged(self, values: np.ndarray, features: np.ndarray) -> list[dict[str, Any]]:
        """Puts together what there is to say of each image: fields of its :class:`Answer`."""
        judged = [{"probabilities": row} for row in values]
        if self.head.familiarity is not None:
            for one, value in zip(judged, self.head.familiarity.measure(features).tolist(), strict=True):
                one["familiarity"] = value
        sets = self._kind.in_sets(self.sets, values)
        if sets is not None:
            for one, members in zip(judged, sets, strict=True):
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
