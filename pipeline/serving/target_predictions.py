"""Answers of heads of several labels or numbers for new images, and what they look like."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from typing import Any, TextIO

import numpy as np

from pipeline.cache.features import Selection
from pipeline.heads import TrainedHead
from pipeline.images import BadImage, ImageSource
from pipeline.images.row_table import DIGEST_BYTES
from pipeline.images.targets import LABELS
from pipeline.progress import progress, say
from pipeline.serving.extractor import Extractor
from pipeline.serving.predictor import NOTE_WIDTH, refuse_other_head
from pipeline.wording import counted, guarded, readable, verb


@dataclass(frozen=True, eq=False, kw_only=True)
class TargetPredictions:
    """What a head says about images.

    Attributes:
        head: The head.
        ids: Names of the n images that were answered, in the order they were given.
        answers: float64 (n, k): probabilities of labels, or numbers.
        failures: The images that were not, in order.
        trained_on: bool (n,), images that the head was trained on; None where that is not known.
        familiarity: float64 (n,), how near each is to those of the training; None where that is not known.
    """

    head: TrainedHead
    ids: list[str]
    answers: np.ndarray
    failures: list[BadImage]
    trained_on: np.ndarray | None = None
    familiarity: np.ndarray | None = None

    @property
    def names(self) -> tuple[str, ...]:
        """The k names of the labels, or of the numbers."""
        return self.head.classes

    def labels_of(self, image: int) -> list[str]:
        """Returns the labels of an image, those at or above their thresholds, the most probable first."""
        row, order = self.answers[image], np.argsort(-self.answers[image], kind="stable")
        return [self.names[i] for i in order if row[i] >= self.head.threshold(int(i))]

    def is_strange(self, image: int) -> bool:
        """Tells whether an image is known to be unlike anything the head was trained on."""
        known = self.head.familiarity
        return (
            known is not None and self.familiarity is not None and self.familiarity[image] < known.threshold
        )

    @property
    def notes(self) -> list[str]:
        """Remarks without which the answers would mislead."""
        notes = []
        if self.head.spec.weights.startswith("random:"):
            notes.append(
                f"RANDOM FILTERS ({self.head.spec.weights}): the base was never trained; expect poor answers"
            )
        if self.trained_on is not None and self.trained_on.any():
            notes.append(
                f"the head was trained on {self.trained_on.sum():,} of {counted(len(self.ids), 'image')}, "
                "so it knows their answers"
            )
        strange = sum(map(self.is_strange, range(len(self.ids))))
        if strange:
            notes.append(
                f"{strange:,} of {counted(len(self.ids), 'image')} {verb(strange)} unlike anything the head "
                "was trained on: the answers mean nothing"
            )
        return notes

    def to_json(self) -> dict[str, Any]:
        """Returns the object that ``pipeline predict --json`` prints."""
        return {
            "head": self.head.name,
            "dataset": self.head.dataset,
            "target": self.head.task.target,
            **({"thresholds": self.thresholds} if self.head.task.target == LABELS else {}),
            "images": [self._described(place) for place in range(len(self.ids))],
            "unreadable": [{"id": failure.id, "reason": failure.reason} for failure in self.failures],
        }

    @property
    def thresholds(self) -> dict[str, float]:
        """The probability from which each label is answered."""
        return {name: self.head.threshold(i) for i, name in enumerate(self.names)}

    def _described(self, image: int) -> dict[str, Any]:
        values = dict(zip(self.names, self.answers[image].tolist(), strict=True))
        found: dict[str, Any] = {"id": self.ids[image]}
        if self.head.task.target == LABELS:
            found |= {"labels": self.labels_of(image), "probabilities": values}
        else:
            found["numbers"] = values
        return found | {
            "trained_on": None if self.trained_on is None else bool(self.trained_on[image]),
            "familiarity": None if self.familiarity is None else float(self.familiarity[image]),
        }

    def write_csv(self, file: TextIO) -> None:
        """Writes one CSV row an image: id, labels with bars between them, and a column a label or number."""
        writer = csv.writer(file, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n")
        several = self.head.task.target == LABELS
        columns = [f"p({name})" if several else name for name in self.names]
        writer.writerow(["id", *(["labels"] if several else []), *map(guarded, columns)])
        for image, name in enumerate(self.ids):
            labels = [guarded("|".join(self.labels_of(image)))] if several else []
            writer.writerow([guarded(name), *labels, *self.answers[image]])

    def line(self, image: int) -> str:
        """Says in a line what is in an image."""
        row = self.answers[image]
        if self.head.task.target == LABELS:
            place = {name: i for i, name in enumerate(self.names)}
            said = ", ".join(f"{readable(one)} {row[place[one]]:.2%}" for one in self.labels_of(image))
            said = said or "none of the labels"
        else:
            said = ", ".join(f"{readable(name)} {row[i]:.6g}" for i, name in enumerate(self.names))
        return said + ("  unlike anything seen" if self.is_strange(image) else "")


def predict_targets(
    selection: Selection,
    head: TrainedHead,
    source: ImageSource,
    *,
    weights: str | None = None,
    batch_size: int | None = None,
) -> TargetPredictions:
    """Answers for every image of a source, and shows how far it is.

    Args:
        selection: The entry, or the entries, of the head.
        head: A head of labels or numbers.
        source: Lists and reads the images.
        weights: Weights file of the base, ``imagenet`` or ``random:<seed>``; None to find the filters.
        batch_size: Images in a forward pass; None = as stage one chooses it.

    Raises:
        UsageError: The filters cannot be found, or this machine lacks the engine.
        CacheMismatchError: The filters are others than those that made the features, or the head learnt from
            others.
    """
    refuse_other_head(selection, head)
    extractor = Extractor(selection, weights=weights)
    for one in source.left_out:
        say(f"note: {readable(one.line, NOTE_WIDTH)}")
    ids: list[str] = []
    answers, digests, familiarity = [], [], []
    failures: list[BadImage] = []
    with progress("predict", len(source.items()), "images") as advance:
        for images in extractor.batches(source, batch_size=batch_size):
            made = [image for image in images if image.features is not None]
            failures += [BadImage(image.id, image.reason) for image in images if image.features is None]
            if made:
                features = np.stack([image.features for image in made if image.features is not None])
                answers.append(head.new_targets(features))
                ids += [image.id for image in made]
                digests += [image.digest for image in made]
                if head.familiarity is not None:
                    familiarity.append(head.familiarity.measure(features))
            advance(len(images))
    rows = np.frombuffer(b"".join(digests), np.uint8).reshape(-1, DIGEST_BYTES)
    return TargetPredictions(
        head=head,
        ids=ids,
        answers=np.concatenate(answers) if answers else np.zeros((0, len(head.classes))),
        failures=failures,
        trained_on=None if head.seen is None else head.seen.trained_on(rows),
        familiarity=np.concatenate(familiarity) if familiarity else None,
    )
