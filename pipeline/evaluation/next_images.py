"""Which images to label next: those a head is least sure of, as different from one another as can be."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.cache import FeatureSet
from pipeline.cache.descriptions import Descriptions, draw_rows
from pipeline.errors import UsageError
from pipeline.evaluation.unsure import DISTANCE, MEASURES, farthest_first, how_unsure, margins_of
from pipeline.heads import TrainedHead
from pipeline.images.targets import NUMBER

__all__ = ["NextImages", "margins_of", "next_images", "representatives"]

POOL = 10
"""How many times as many images as are wanted are looked at: those with the smallest margins."""
CLUSTERS = 20
SAMPLE = 10_000
"""Rows that clusters are found on; all others are put into the nearest one."""


@dataclass(frozen=True, eq=False)
class NextImages:
    """Images to label next, and the kinds of images there are among those without a label.

    Attributes:
        features: The split.
        rows: int (n,), the images, those that are least sure or farthest first.
        measure: ``margin`` of classes, ``entropy`` of labels, see ``unsure.py``; ``distance`` of numbers: one
            minus the cosine to the nearest image that has a number or was chosen before.
        values: float (n,), what it is of each image; None where nothing could be learnt from yet.
        guesses: n texts, what the head takes them for; None without a head.
        clusters: int (n,), the kind of each.
        sizes: int (k,), unlabelled images of each kind.
        representatives: int (k,), the row in the middle of each kind.
    """

    features: FeatureSet
    rows: np.ndarray
    measure: str
    values: np.ndarray | None
    guesses: list[str] | None
    clusters: np.ndarray
    sizes: np.ndarray
    representatives: np.ndarray

    @property
    def margins(self) -> np.ndarray | None:
        """What ``values`` are where images have classes."""
        return self.values

    def described(self) -> Iterator[tuple[int, dict[str, Any]]]:
        """Yields the row of each image and what is known of it."""
        for i, row in enumerate(self.rows.tolist()):
            yield (
                row,
                {
                    "id": self.features.rows.ids[row],
                    self.measure: None if self.values is None else float(self.values[i]),
                    "guess": None if self.guesses is None else self.guesses[i],
                    "cluster": int(self.clusters[i]),
                },
            )

    def to_json(self) -> dict[str, Any]:
        """Returns the object that ``pipeline next --json`` prints."""
        ids = self.features.rows.ids
        return {
            "split": self.features.split,
            "unlabelled": int(self.sizes.sum()),
            "next": [one for _, one in self.described()],
            "clusters": [
                {"cluster": i, "images": int(size), "representative": ids[int(row)]}
                for i, (size, row) in enumerate(zip(self.sizes, self.representatives, strict=True))
            ],
        }


def next_images(
    features: FeatureSet,
    head: TrainedHead | None,
    count: int,
    *,
    train: FeatureSet | None = None,
    seed: int = 0,
    clusters: int = CLUSTERS,
) -> NextImages:
    """Chooses images without a label.

    Source: F. Zhdanov, "Diverse mini-batch active learning", 2019: of ten times as many images as are wanted,
    those with the smallest margins, weighted k-means makes as many groups as are wanted, and the image
    nearest to the middle of each is taken. Without a head all unlabelled images are looked at. Of several
    labels the mean entropy is what margins are of classes. A head says nothing of how sure it is of numbers:
    there the images farthest from those with a number are taken, one after the other, and no head is asked.

    Args:
        features: A split; augmented views take no part.
        head: What learnt from the labelled rows; None where there are too few of them.
        count: How many; all where there are fewer.
        train: Images with numbers, to be far from; only for numbers.
        seed: Of what k-means begins with.
        clusters: Kinds of images to tell apart.

    Raises:
        UsageError: Every image has a label.
        CacheMismatchError: The head belongs to other features, or a row is damaged.
    """
    open_rows = np.flatnonzero(~features.known & (features.rows.views == 0))
    if not len(open_rows):
        noun = "number" if features.target == NUMBER else "label"
        raise UsageError(
            f"{features.path}: every image has a {noun}, so there is none to label next. Give a source with "
            f"unlabelled images: a table with empty {noun}s, or a folder `unlabelled` beside the classes"
        )
    descriptions = Descriptions.of(features)
    nearest, sizes, middles = _kinds(features, open_rows, descriptions, clusters, seed)
    learnt = np.flatnonzero(train.known & (train.rows.views == 0)) if train is not None else np.zeros(0, int)
    unsure = None if head is None or features.target == NUMBER else how_unsure(head, features, open_rows)
    measure, values, guesses = MEASURES.get(features.target, DISTANCE), None, None
    if unsure is not None:
        pool = np.sort(np.argsort(unsure.sureness, kind="stable")[: POOL * count])
        weights = 1 - unsure.sureness[pool] + 1e-6
        described = np.concatenate(list(descriptions.read(features, open_rows[pool])))
        taken = pool[representatives(described, min(count, len(pool)), weights=weights, seed=seed)]
        taken = taken[np.argsort(unsure.sureness[taken], kind="stable")]
        values, guesses = unsure.values[taken], [unsure.guesses[i] for i in taken]
    else:
        random = np.random.default_rng(seed)
        pool = draw_rows(np.arange(len(open_rows)), max(SAMPLE, count), random)
        described = np.concatenate(list(descriptions.read(features, open_rows[pool])))
        if features.target == NUMBER and train is not None and len(learnt):
            known = np.concatenate(list(descriptions.read(train, draw_rows(learnt, SAMPLE, random))))
            order, values = farthest_first(described, known, min(count, len(pool)))
            taken = pool[order]
        else:
            taken = np.sort(pool[representatives(described, min(count, len(pool)), seed=seed)])
    return NextImages(
        features=features,
        rows=open_rows[taken],
        measure=measure,
        values=values,
        guesses=guesses,
        clusters=nearest[taken],
        sizes=sizes,
        representatives=open_rows[middles],
    )


def representatives(
    described: np.ndarray, count: int, *, weights: np.ndarray | None = None, seed: int = 0
) -> np.ndarray:
    """Returns the rows nearest to the middles of as many groups, int (count,), all different.

    Args:
        described: float32 (n, d), n >= count.
        count: How many.
        weights: float (n,), what each row counts; None = the same.
        seed: Of what k-means begins with.
    """
    centres = _centres(described, count, weights, seed)
    squares = (described**2).sum(axis=1)[:, None] - 2 * described @ centres.T + (centres**2).sum(axis=1)
    group = squares.argmin(axis=1)
    distance = squares[np.arange(len(described)), group]
    # Of each group its nearest row comes first; where rows are equal, groups are empty, and others fill up.
    order = np.lexsort((distance, group))
    first = np.r_[True, np.diff(group[order]) != 0] if len(order) else np.zeros(0, bool)
    return np.concatenate([order[first], order[~first]])[:count]


def _centres(described: np.ndarray, count: int, weights: np.ndarray | None, seed: int) -> np.ndarray:
    from sklearn.cluster import KMeans
    from sklearn.exceptions import ConvergenceWarning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # fewer different rows than groups
        means = KMeans(count, n_init=1, max_iter=50, random_state=seed).fit(described, sample_weight=weights)
    return means.cluster_centers_


def _kinds(
    features: FeatureSet, rows: np.ndarray, descriptions: Descriptions, count: int, seed: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Returns the kind of each row, int (n,), the size of each kind, and the position of its middle row."""
    sample = draw_rows(rows, SAMPLE, np.random.default_rng(seed))
    known = np.concatenate(list(descriptions.read(features, sample)))
    centres = _centres(known, min(count, len(known)), None, seed)
    lengths = (centres**2).sum(axis=1)
    # Descriptions have the same length, so the nearest centre has the largest of these.
    closeness = [2 * block @ centres.T - lengths for block in descriptions.read(features, rows)]
    nearest = np.concatenate([block.argmax(axis=1) for block in closeness])
    best = np.concatenate([block.max(axis=1) for block in closeness])
    used, nearest = np.unique(nearest, return_inverse=True)
    middles = [int(np.flatnonzero(nearest == i)[best[nearest == i].argmax()]) for i in range(len(used))]
    return nearest, np.bincount(nearest), np.array(middles)
