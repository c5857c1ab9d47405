"""A few images with the answers a head gives to their cached features: what an export is checked on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.cache import FeatureSet
from pipeline.heads import TrainedHead
from pipeline.images import ImageSource
from pipeline.images.contents import read_checked
from pipeline.images.decode import DecodeError, decode
from pipeline.images.pixel_range import PixelRange
from pipeline.images.resizing import find_resize
from pipeline.serving.export._kinds import kind_of


@dataclass(frozen=True, eq=False)
class Sample:
    """Images and what is expected of them.

    Attributes:
        split: Where they are from.
        images: uint8 (n, size, size, 3), RGB.
        answers: float64 (n, k), probabilities or numbers, by the head from the cached features.
        familiarity: float64 (n,), likewise; None where it is not known of the head.
        units: What differences are divided by to be told, float64 (k,): of numbers, their deviations.
    """

    split: str
    images: np.ndarray
    answers: np.ndarray
    familiarity: np.ndarray | None = None
    units: np.ndarray | float = 1.0

    @property
    def probabilities(self) -> np.ndarray:
        """The answers of a head of classes, or labels."""
        return self.answers


def sample_rows(
    trained: TrainedHead, features: FeatureSet, source: ImageSource, *, count: int
) -> Sample | None:
    """Reads images behind cached rows, spread evenly over a split, and lets the head answer for the rows.

    Images that are gone, or are not what they were when the features were made, are passed over.

    Args:
        trained: The head.
        features: A split of the features it was trained on.
        source: Where the images are.
        count: How many rows to look at.

    Returns:
        The sample; None where not one image is as it was.

    Raises:
        CacheMismatchError: The features are not of the head's spec, or a row is damaged.
        UsageError: This machine lacks what resizes.
    """
    items = {item.id: item for item in source.items()}
    originals = np.flatnonzero(features.rows.views == 0)
    spec = features.spec
    pixel_range, resize = PixelRange.of(spec.pixel_range), find_resize(spec.resize, spec.geometry)
    images, index = [], []
    for row in originals[np.linspace(0, len(originals) - 1, min(count, len(originals))).astype(int)]:
        item = items.get(features.rows.ids[row])
        if item is None:
            continue
        try:
            data, _ = read_checked(source, item, features.rows.digests[row].tobytes())
            images.append(decode(data, features.spec.image_size, pixel_range, resize))
        except (OSError, DecodeError):
            continue
        index.append(row)
    if not images:
        return None
    rows = features.take(np.array(index))
    known = trained.familiarity
    familiarity = None if known is None else known.measure(rows.to_memory())
    kind = kind_of(trained)
    answers, units = kind.ask(trained, rows), kind.units(trained, features)
    return Sample(features.split, np.stack(images), answers, familiarity, units)
