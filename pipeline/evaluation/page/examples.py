"""Examples of each class: a few of its images side by side as one picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.cache import FeatureSet
from pipeline.evaluation.page.pictures import Album, encode
from pipeline.evaluation.report import Report
from pipeline.wording import readable

SIZE = 96
MOST_PICTURES, MOST_OF_A_CLASS = 240, 6


@dataclass(frozen=True)
class Strip:
    """Some images of one class.

    Attributes:
        name: The class, fit to be shown.
        picture: ``data:`` address of the images side by side.
        count: How many they are.
    """

    name: str
    picture: str
    count: int


@dataclass(frozen=True)
class Examples:
    """Examples of the classes.

    Attributes:
        split: Where they come from.
        strips: One for each class that is shown, in order.
        each: Images of a class at most.
        left_out: Classes with images for which there was no room.
        size: Side of an image in pixels.
    """

    split: str
    strips: tuple[Strip, ...]
    each: int
    left_out: int
    size: int = SIZE


def class_examples(
    report: Report, features: Mapping[str, FeatureSet], album: Album, *, most: int = MOST_PICTURES
) -> Examples:
    """Reads some images of every class, evenly spaced among those of the class, from train where it is there.

    Args:
        report: The evaluation; its rows serve where the features of no split are there.
        features: The splits by name.
        album: Reads the pictures.
        most: Pictures in all.
    """
    split = "train" if "train" in features else report.split
    part = features.get(split)
    rows, classes = (part.rows, part.classes) if part else (report.rows, report.figures.classes)
    labels = np.where(rows.views == 0, rows.labels, -1)
    present = [int(label) for label in np.unique(labels) if label >= 0]
    shown = present[:most]
    each = max(1, min(MOST_OF_A_CLASS, most // max(len(present), 1)))
    ids = {label: [rows.ids[i] for i in _spaced(np.flatnonzero(labels == label), each)] for label in shown}
    pictures = album.read([name for names in ids.values() for name in names], size=SIZE)
    strips = []
    for label, names in ids.items():
        found = [pictures[name] for name in names if name in pictures]
        if found:
            strips.append(Strip(readable(classes[label]), encode(np.hstack(found)), len(found)))
    return Examples(split, tuple(strips), each, len(present) - len(shown))


def _spaced(rows: np.ndarray, count: int) -> Sequence[int]:
    """Returns up to ``count`` of some rows, the first and then at even distances."""
    places = np.arange(min(count, len(rows))) * len(rows) // max(min(count, len(rows)), 1)
    return rows[places].tolist()
