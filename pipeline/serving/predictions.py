"""Predictions: the classes of many images, and what they look like as JSON, CSV and text."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from pipeline.answers import most_probable, write_answers
from pipeline.cache.features import Selection
from pipeline.errors import UsageError
from pipeline.heads import Temperature, TrainedHead
from pipeline.images import UNLABELLED, BadImage, LeftOut, remarks_on
from pipeline.images.listing import ImageListBuilder
from pipeline.images.row_table import DIGEST_BYTES
from pipeline.images.sources._files import FileSource
from pipeline.images.sources._walk import Walker
from pipeline.images.sources._words import printable
from pipeline.paths import expanded
from pipeline.progress import progress, say
from pipeline.serving.predictor import Predictor
from pipeline.spec import FeatureSpec
from pipeline.wording import counted, readable


def gather_images(places: Sequence[str | Path]) -> FileSource:
    """Lists images without labels, in the order of the places; folders as the folder source walks them.

    A file that is named is taken whatever its name ends in; in folders its name decides, or its first bytes
    where that says nothing, and hidden files are passed over.

    Args:
        places: Files and folders.

    Returns:
        A source whose items are named as the user would name them.

    Raises:
        UsageError: There is no such file, a folder cannot be listed, or there is no image anywhere.
    """
    items = ImageListBuilder()
    left_out: list[LeftOut] = []
    for place in map(str, map(expanded, places)):
        if not os.path.lexists(place):
            raise UsageError(f"{place!r} does not exist: give image files, or folders of images")
        if os.path.isdir(place):
            walker = Walker(os.path.realpath(place))
            for folder, names in walker.images(""):
                for name in names:
                    path = os.path.join(folder, name)
                    _add(items, os.path.join(place, path), os.path.join(walker.root, path))
            left_out += walker.omissions.left_out()
        else:
            _add(items, place, place)
    if not len(items):
        where = ", ".join(map(repr, map(str, places[:3]))) or "nothing"
        raise UsageError(f"no image in {where}: give image files, or folders with images in them")
    return FileSource(
        uri="", name="images", classes=(), notes=(), listed=items.finish(), left_out=tuple(left_out)
    )


def _add(items: ImageListBuilder, name: str, path: str) -> None:
    items.add(printable(name), UNLABELLED, path=path)


NOTE_WIDTH = 300
NOTES = 10


@dataclass(frozen=True, eq=False, kw_only=True)
class Predictions:
    """What a head says about images.

    Attributes:
        head: Name of the head.
        dataset: Name of the data set it was trained on.
        spec: What determined the features.
        classes: The k class names.
        ids: Names of the n images that were answered, in the order they were given.
        probabilities: float64 (n, k).
        failures: The images that were not, in order.
        trained_on: bool (n,), images that the head was trained on; None where that is not known.
        temperature: What the probabilities are calibrated with; None where they are not.
        remarks: What the pixel range of the data set costs an image, by its name; most have none.
    """

    head: str
    dataset: str
    spec: FeatureSpec
    classes: tuple[str, ...]
    ids: list[str]
    probabilities: np.ndarray
    failures: list[BadImage]
    trained_on: np.ndarray | None = None
    temperature: Temperature | None = None
    remarks: dict[str, str] = field(default_factory=dict)

    @property
    def notes(self) -> tuple[str, ...]:
        """Remarks without which the answers would mislead."""
        notes = []
        if self.spec.weights.startswith("random:"):
            notes.append(
                f"RANDOM FILTERS ({self.spec.weights}): the base was never trained; expect poor answers"
            )
        if self.temperature is not None:
            notes.append(f"probabilities are calibrated: {self.temperature.line}")
        if self.trained_on is not None and self.trained_on.any():
            notes.append(
                f"the head was trained on {self.trained_on.sum():,} of {counted(len(self.ids), 'image')}, "
                "so it knows their answers"
            )
        told = [f"{name!r}: {remark}" for name, remark in self.remarks.items()]
        if len(told) > NOTES:
            told[NOTES:] = [f"... and {counted(len(told) - NOTES, 'more image')} (all of them with --json)"]
        notes += told
        return tuple(notes)

    def to_json(self, *, top: int) -> dict[str, Any]:
        """Returns the object that ``pipeline predict --json`` prints; names are as they are.

        Args:
            top: Classes to name for each image, the most probable first.
        """
        return {
            "head": self.head,
            "dataset": self.dataset,
            "temperature": None if self.temperature is None else self.temperature.value,
            "images": [
                {"id": name, "top": named(row, self.classes, top), "trained_on": trained} | self._remark(name)
                for name, row, trained in zip(self.ids, self.probabilities, self._trained_on, strict=True)
            ],
            "unreadable": [{"id": failure.id, "reason": failure.reason} for failure in self.failures],
        }

    @property
    def _trained_on(self) -> list[bool | None]:
        return [None] * len(self.ids) if self.trained_on is None else self.trained_on.tolist()

    def _remark(self, name: str) -> dict[str, str]:
        return {"remark": self.remarks[name]} if name in self.remarks else {}

    def write_csv(self, file: TextIO, *, top: int) -> None:
        r"""Writes one CSV row an image, with the columns and the quoting of ``predictions.csv``.

        Up to 100 classes have a column ``p(<class>)`` each; of more, the most probable are named.

        Args:
            file: Where to.
            top: Classes to name where there are more than 100.
        """
        write_answers(file, self.classes, self.ids, self.probabilities, top=top)


def predict(
    images: Sequence[str | Path],
    head: TrainedHead,
    selection: Selection,
    *,
    weights: str | None = None,
    batch_size: int | None = None,
) -> Predictions:
    """Says what is in some image files.

    Args:
        images: Files, and folders of files, in any order.
        head: A trained head.
        selection: The stored features it was trained on; they say how new ones are made.
        weights: Weights file of the base, ``imagenet`` or ``random:<seed>``; None to find the filters by
            their identity.
        batch_size: Images in a forward pass; None = as stage one chooses it.

    Raises:
        UsageError: A path does not exist, there are no images, or the filters cannot be found.
        CacheMismatchError: The filters are others than those that made the features.
    """
    source = gather_images(images)
    for note in remarks_on(source):
        say(f"note: {readable(note, NOTE_WIDTH)}")
    predictor = Predictor(selection, head, weights=weights)
    ids: list[str] = []
    rows: list[np.ndarray] = []
    digests: list[bytes] = []
    failures: list[BadImage] = []
    remarks: dict[str, str] = {}
    with progress("predict", len(source.items()), "images") as advance:
        for answer in predictor.answer(source, batch_size=batch_size):
            if answer.probabilities is None:
                failures.append(BadImage(answer.id, answer.reason))
            else:
                ids.append(answer.id)
                rows.append(answer.probabilities)
                digests.append(answer.digest)
                if answer.remark:
                    remarks[answer.id] = answer.remark
            advance(1)
    return Predictions(
        head=head.name,
        dataset=selection.dataset,
        spec=selection.spec,
        classes=head.classes,
        ids=ids,
        probabilities=np.reshape(rows, (len(rows), len(head.classes))),
        failures=failures,
        temperature=head.temperature,
        trained_on=None if head.seen is None else head.seen.trained_on(_columns(digests)),
        remarks=remarks,
    )


def _columns(digests: Sequence[bytes]) -> np.ndarray:
    return np.frombuffer(b"".join(digests), np.uint8).reshape(-1, DIGEST_BYTES)


def named(probabilities: np.ndarray, classes: Sequence[str], count: int) -> list[dict[str, Any]]:
    """Returns the most probable classes with their names, as JSON."""
    best = most_probable(probabilities, count)
    return [{"class": classes[i], "probability": float(probabilities[i])} for i in best]
