"""Thumbnails put into the page itself: of the images that tell most about a head, and of leaks as pairs."""

from __future__ import annotations

import base64
import io
import itertools
import math
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from PIL import Image, features

from pipeline.answers import most_probable
from pipeline.evaluation.leaks.findings import KINDS, Finding, Leaks, Place
from pipeline.evaluation.report import Report
from pipeline.images import UNLABELLED, ImageItem, ImageSource
from pipeline.images.contents import ChangedError, read_checked
from pipeline.images.decode import DecodeError, decode
from pipeline.images.shown import shown_square
from pipeline.spec import FeatureSpec
from pipeline.wording import readable, verb

_T = TypeVar("_T")

SHEET = 1024
"""Most pictures on one sheet: at 96 pixels a picture, 28 MB when decoded, which a phone can hold."""
THREADS = 4
GONE, CHANGED = "gone", "changed"
FORMAT = "WEBP" if features.check("webp") else "JPEG"
SHOWN = 24
OTHERS = 3
NAME = 90
MOST = 12
"""Pairs shown of each kind."""

MEANING = {
    "exact": "the same file",
    "perceptual": "the same picture, encoded or sized anew",
    "mirrored": "the same picture, mirrored",
    "turned": "the same picture, turned or mirrored in another way",
    "augmented": "named like copies of images in another split, with features that are nearly the same",
    "named": "named like copies of images in another split; look whether they are",
    "near": "features that are nearly the same; look whether the pictures are",
    "conflict": "the same file with two labels",
    "group": "one group in two splits",
}
VALUES = dict.fromkeys(("perceptual", "mirrored", "turned"), "distance {:.0f}") | dict.fromkeys(
    ("near", "augmented", "named"), "cosine {:.4f}"
)


class Album:
    """Reads pictures by the id of their row, and counts those that cannot be shown.

    A picture whose bytes are no longer those that the features were computed from is not shown: beside
    that row's prediction it would mislead.

    Attributes:
        failures: What could not be shown: ``gone`` or ``changed`` by id.
    """

    def __init__(
        self,
        images: ImageSource | None,
        digests: Mapping[str, bytes],
        spec: FeatureSpec | None = None,
    ) -> None:
        """Finds the images of the rows.

        Args:
            images: Reads the images; None where they are gone.
            digests: SHA-256 of each row's image by id; an id that is not in it is not checked.
            spec: Of features, to show what their base is shown; None = whole pictures as squares.
        """
        self.failures: dict[str, str] = {}
        self._images = images
        self._digests = digests
        self._spec = spec
        self._items: dict[str, ImageItem] = {item.id: item for item in images.items()} if images else {}

    def read(self, ids: Sequence[str], *, size: int) -> dict[str, np.ndarray]:
        """Decodes pictures in threads.

        Args:
            ids: Of the rows.
            size: Height and width in pixels.

        Returns:
            uint8 (size, size, 3) by id, without those that cannot be shown.
        """
        spec = self._spec
        return self.look(ids, lambda data: shown_square(data, spec, size) if spec else decode(data, size))

    def look(self, ids: Sequence[str], at: Callable[[bytes | np.ndarray], _T]) -> dict[str, _T]:
        """Reads images in threads and asks something of each.

        Args:
            ids: Names of rows; one that occurs twice is read once.
            at: What is asked of an image as the source returns it; may raise ``DecodeError``.

        Returns:
            The answers by id, without images that cannot be read.
        """
        if self._images is None:
            return {}
        unique = list(dict.fromkeys(ids))
        pool = ThreadPoolExecutor(THREADS)
        try:
            answers = list(pool.map(lambda name: self._look(name, at), unique))
        finally:
            pool.shutdown(cancel_futures=True)  # Ctrl-C need not wait for thousands of pictures
        both = list(zip(unique, answers, strict=True))
        self.failures |= {name: failure for name, (_, failure) in both if failure}
        return {name: found for name, (found, failure) in both if not failure and found is not None}

    @property
    def note(self) -> str:
        """Says once which pictures are not there; empty where all are."""
        if self._images is None:
            return "The images are no longer where they were, so this page shows no pictures."
        counts = {kind: sum(one == kind for one in self.failures.values()) for kind in (GONE, CHANGED)}
        parts = []
        if counts[GONE]:
            parts.append(f"{counts[GONE]:,} {verb(counts[GONE])} gone or cannot be read")
        if counts[CHANGED]:
            were = verb(counts[CHANGED], "was", "were")
            parts.append(f"{counts[CHANGED]:,} {were} changed after the features were computed")
        return f"Some pictures are not shown: {' and '.join(parts)}." if parts else ""

    def _look(self, name: str, at: Callable[[bytes | np.ndarray], _T]) -> tuple[_T | None, str]:
        """Returns the answer and why there is none; one of both is empty."""
        item = self._items.get(name)
        if item is None or self._images is None:
            return None, GONE
        try:
            data, _ = read_checked(self._images, item, self._digests.get(name))
            return at(data), ""
        except ChangedError:
            return None, CHANGED
        except (OSError, DecodeError):
            return None, GONE


def encode(picture: np.ndarray, *, quality: int = 75) -> str:
    """Returns uint8 (height, width, 3) as a ``data:`` address."""
    file = io.BytesIO()
    Image.fromarray(picture).save(file, FORMAT, quality=quality)
    return f"data:image/{FORMAT.lower()};base64,{base64.b64encode(file.getvalue()).decode('ascii')}"


def sheets(pictures: Iterable[np.ndarray], *, size: int) -> list[str]:
    """Lays many pictures on few sheets, row by row, which takes a fraction of the bytes of single files.

    Args:
        pictures: uint8 (size, size, 3) each.
        size: Their side in pixels.

    Returns:
        ``data:`` addresses of sheets of ``SHEET`` pictures, 32 a row; the last may hold fewer.
    """
    columns = math.isqrt(SHEET)
    found = []
    waiting = iter(pictures)
    while batch := list(itertools.islice(waiting, SHEET)):
        rows = math.ceil(len(batch) / columns)
        sheet = np.full((rows * size, columns * size, 3), 127, np.uint8)
        for i, picture in enumerate(batch):
            top, left = i // columns * size, i % columns * size
            sheet[top : top + size, left : left + size] = picture
        found.append(encode(sheet, quality=60))
    return found


@dataclass(frozen=True)
class PicturedAnswer:
    """What a head said to one image.

    Attributes:
        id: Name of the image in its source, as it is.
        name: The same, fit to be shown.
        truth: Name of its class, fit to be shown; empty where it has none.
        right: Whether the prediction is right; None without a truth.
        guesses: The most probable classes with their probabilities, the best first.
        truth_probability: Probability of the true class; None without a truth.
    """

    id: str
    name: str
    truth: str
    right: bool | None
    guesses: tuple[tuple[str, float], ...]
    truth_probability: float | None


def worst_mistakes(report: Report, *, most: int = SHOWN) -> list[PicturedAnswer]:
    """Returns the rows whose wrong class got the highest probability, the worst first."""
    labels, best = report.rows.labels, report.probabilities.argmax(axis=1)
    wrong = np.flatnonzero((labels != UNLABELLED) & (labels != best))
    order = np.argsort(-report.probabilities[wrong, best[wrong]], kind="stable")
    return [answer(report, row) for row in wrong[order[:most]]]


def least_certain(report: Report, *, most: int = SHOWN) -> list[PicturedAnswer]:
    """Returns the rows whose two best classes are closest, labelled or not, the closest first."""
    second, first = np.partition(report.probabilities, -2, axis=1)[:, -2:].T
    order = np.argsort(first - second, kind="stable")
    return [answer(report, row) for row in order[:most]]


def answer(report: Report, row: int) -> PicturedAnswer:
    """Returns what the head said to one row."""
    probabilities, label = report.probabilities[row], int(report.rows.labels[row])
    classes = report.figures.classes
    order = most_probable(probabilities, OTHERS)
    known = label != UNLABELLED
    return PicturedAnswer(
        id=report.rows.ids[row],
        name=readable(report.rows.ids[row], NAME),
        truth=readable(classes[label]) if known else "",
        right=bool(order[0] == label) if known else None,
        guesses=tuple((readable(classes[i]), float(probabilities[i])) for i in order),
        truth_probability=float(probabilities[label]) if known else None,
    )


@dataclass(frozen=True)
class Side:
    """One image of a pair: its id as it is, and what is shown of it."""

    id: str
    name: str
    split: str
    label: str


@dataclass(frozen=True)
class PairOfPictures:
    """Two images that should not stand where they stand, and how alike they are in words."""

    first: Side
    second: Side
    value: str


@dataclass(frozen=True)
class KindOfLeak:
    """All findings of one kind: its name and meaning, how many there are, and the first of them."""

    kind: str
    meaning: str
    count: int
    pairs: tuple[PairOfPictures, ...]


def kinds_of_leaks(leaks: Leaks, *, most: int = MOST) -> list[KindOfLeak]:
    """Returns the kinds that were found, in the order of ``KINDS``, each with its surest pairs."""
    counts = Counter(one.kind for one in leaks.findings)
    order = [kind for kind in KINDS if kind in counts] + sorted(set(counts) - set(KINDS))
    return [
        KindOfLeak(
            kind,
            MEANING.get(kind, ""),
            counts[kind],
            tuple(_pair(one) for one in [one for one in leaks.findings if one.kind == kind][:most]),
        )
        for kind in order
    ]


def _pair(finding: Finding) -> PairOfPictures:
    words = VALUES.get(finding.kind, "").format(finding.value)
    if finding.kind == "named" and not finding.value:
        words = ""  # the features were not looked at
    value = ", ".join(filter(None, [finding.change, words]))
    return PairOfPictures(_side(finding.first), _side(finding.second), value)


def _side(place: Place) -> Side:
    label = readable(place.label) if place.label else ""
    return Side(place.id, readable(place.id, NAME), place.split, label)
