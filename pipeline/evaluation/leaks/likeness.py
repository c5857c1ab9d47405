"""Images whose features are nearly the same: crops, other shots of the same scene, and honest likeness."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import SupportsIndex

import numpy as np

from pipeline.cache import FeatureSet
from pipeline.evaluation.leaks.findings import Finding, Place
from pipeline.evaluation.pooled import FEWEST_CHANNELS
from pipeline.images.row_table import RowTable
from pipeline.images.targets import CLASS, LABELS

_ROWS = 4096  # vectors on either side of one product, which so stays at 64 MB

LEAST_COSINE = 0.75
"""Calibrated in docs/leaks.md on whitened features of several bases."""
_MOST_CHANNELS = 4096
_SAMPLE = 4096  # rows that the whitening is worked out from
_BLOCK_BYTES = 2**24

Pair = tuple[tuple[str, int], tuple[str, int]]
"""Two images, each as the name of its split and its row among the originals."""


def best_partners(blocks: Iterable[np.ndarray], held: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Finds, for each held vector, the one among all blocks with the largest dot product.

    Args:
        blocks: float32 (b, d) each, one after the other.
        held: float32 (m, d).

    Returns:
        float32 (m,), the largest product, -inf where there are no blocks; and int (m,), the position of the
        partner, counted through all blocks. Of equal ones the first is taken.
    """
    best = np.full(len(held), -np.inf, np.float32)
    partner = np.zeros(len(held), np.intp)
    start = 0
    for block in (big[top : top + _ROWS] for big in blocks for top in range(0, len(big), _ROWS)):
        for left in range(0, len(held), _ROWS):
            part = slice(left, left + _ROWS)
            # Held vectors are the rows, so that the maximum runs along contiguous memory.
            products = held[part] @ block.T
            winner = products.argmax(axis=1)
            value = products[np.arange(len(winner)), winner]
            better = value > best[part]
            best[part][better] = value[better]
            partner[part][better] = winner[better] + start
        start += len(block)
    return best, partner


@dataclass(frozen=True, eq=False)
class Originals:
    """The rows of a split that are images themselves.

    Attributes:
        features: The whole split.
        index: int (n,), their positions in it.
        rows: The n rows.
    """

    features: FeatureSet
    index: np.ndarray
    rows: RowTable

    def __len__(self) -> int:
        return len(self.index)

    @property
    def split(self) -> str:
        """``train``, ``val`` or ``test``."""
        return self.features.split

    @property
    def keys(self) -> list[bytes]:
        """SHA-256 of each image."""
        return [row.tobytes() for row in self.rows.digests]

    def label(self, row: SupportsIndex) -> str:
        """Name of a row's class, its labels or its numbers; empty where nothing is known."""
        if self.features.target != CLASS:
            return self.features.told(int(self.index[int(row)])) or ""
        label = int(self.rows.labels[int(row)])
        return self.features.classes[label] if label >= 0 else ""

    def place(self, row: SupportsIndex) -> Place:
        """Names one of the n rows."""
        return Place(self.split, self.rows.ids[int(row)], self.label(row))

    def differences(self, row: int, other: Originals, other_row: int) -> tuple[str, str] | None:
        """Says of two rows what is known otherwise of the other; None where nothing contradicts."""
        features = self.features
        if features.target == CLASS:
            both = self.label(row), other.label(other_row)
            return both if all(both) and both[0] != both[1] else None
        mine, its = self.rows.targets[row], other.rows.targets[other_row]
        differing = np.flatnonzero((mine != its) & ~np.isnan(mine) & ~np.isnan(its))
        if not len(differing):
            return None
        tell = _has if features.target == LABELS else _is
        names = features.classes
        one, two = (", ".join(tell(names[i], values[i]) for i in differing) for values in (mine, its))
        return one, two


def _has(name: str, mark: float) -> str:
    return name if mark else f"not {name}"


def _is(name: str, value: float) -> str:
    return f"{name} {value:g}"


def take_originals(features: FeatureSet) -> Originals:
    """Leaves the augmented views of a split out."""
    index = np.flatnonzero(features.rows.views == 0)
    return Originals(features, index, features.rows.take(index))


@dataclass(frozen=True, eq=False)
class Whitening:
    """Takes out what all images of a data set have in common, so that one threshold fits every base.

    Without it, unrelated images have a cosine of 0.55 with one base and of 0.99 with another: features vary
    much along a few directions. Here each direction is divided by its spread, with the mean variance added
    to all of them so that the faint ones are not blown up (docs/leaks.md has the figures).

    Attributes:
        mean: float32 (d,).
        matrix: float32 (d, d).
    """

    mean: np.ndarray
    matrix: np.ndarray

    @classmethod
    def of(cls, sample: np.ndarray) -> Whitening:
        """Works it out from float32 (n, d), n >= 1."""
        mean = sample.mean(axis=0)
        centred = sample - mean
        scale = np.abs(centred).max() or np.float32(1)  # a cosine has none, but float32 has its limits
        centred /= scale
        covariance = centred.T @ centred / np.float32(len(sample))
        covariance[np.diag_indices_from(covariance)] += np.trace(covariance) / len(covariance) or 1.0
        return cls(mean, np.linalg.inv(np.linalg.cholesky(covariance)).T / scale)

    def directions(self, pooled: np.ndarray) -> np.ndarray:
        """Returns float32 (n, d) of length 1, whose products are cosines."""
        white = (pooled - self.mean) @ self.matrix
        return white / np.maximum(np.linalg.norm(white, axis=1, keepdims=True), np.finfo(np.float32).tiny)


def find_near(splits: Sequence[Originals], *, least_cosine: float = LEAST_COSINE) -> Iterator[Finding]:
    """Yields each image with its nearest in every earlier split, where their features hardly differ.

    The first split is read in blocks, once, or twice where it is long; the later ones are held in memory,
    pooled.

    Args:
        splits: In the order train, val, test; of the same spec.
        least_cosine: Smallest cosine similarity of whitened features that is reported.

    Raises:
        CacheMismatchError: A row is damaged.
    """
    first = splits[0]
    sample = _sample(first)
    whitening = Whitening.of(sample)
    held = {one.split: _directions(one, whitening) for one in splits[1:]}
    for position, earlier in enumerate(splits[:-1]):
        later = splits[position + 1 :]
        if earlier is first:
            whole = [sample] if len(sample) == len(first) else pooled_rows(first, np.arange(len(first)))
            blocks: Iterable[np.ndarray] = (whitening.directions(block) for block in whole)
        else:
            blocks = [held[earlier.split]]
        best, partner = best_partners(blocks, np.concatenate([held[one.split] for one in later]))
        start = 0
        for one in later:
            for row in np.flatnonzero(best[start : start + len(one)] >= least_cosine):
                value = min(1.0, float(best[start + row]))
                yield Finding("near", earlier.place(partner[start + row]), one.place(row), value)
            start += len(one)


def cosines(splits: Sequence[Originals], pairs: Sequence[Pair]) -> np.ndarray:
    """Returns the cosine similarity of some pairs of images, float32 (n,), as :func:`find_near` has it.

    Args:
        splits: In the order train, val, test; the first is what the whitening is worked out from.
        pairs: Two images each, as the name of a split and a row among its originals.

    Raises:
        CacheMismatchError: A row is damaged.
    """
    whitening = Whitening.of(_sample(splits[0]))
    wanted: dict[str, dict[int, int]] = {one.split: {} for one in splits}
    for split, row in (side for pair in pairs for side in pair):
        wanted[split].setdefault(row, len(wanted[split]))
    known = {
        one.split: _directions(one, whitening, np.array([*wanted[one.split]]))
        for one in splits
        if wanted[one.split]
    }
    sides = [[known[split][wanted[split][row]] for split, row in pair] for pair in pairs]
    return np.minimum([first @ second for first, second in sides], np.float32(1))


def too_few_channels(one: Originals) -> int:
    """Returns the number of channels where they are too few for a comparison, else 0."""
    channels = _part(one).features.shape[-1]
    return channels if channels < FEWEST_CHANNELS else 0


def _part(one: Originals) -> FeatureSet:
    """Of several cuts side by side the last: usually the deepest."""
    return one.features.cuts[-1]


def _sample(first: Originals) -> np.ndarray:
    """Returns pooled features of every n-th row, float32 (m, channels); of all where they are few."""
    step = -(-len(first) // _SAMPLE)
    return np.concatenate(list(pooled_rows(first, np.arange(0, len(first), step))))


def _directions(one: Originals, whitening: Whitening, rows: np.ndarray | None = None) -> np.ndarray:
    chosen = np.arange(len(one)) if rows is None else rows
    return np.concatenate([whitening.directions(block) for block in pooled_rows(one, chosen)])


def pooled_rows(one: Originals, rows: np.ndarray) -> Iterator[np.ndarray]:
    """Yields the features of some originals, float32 (b, channels), their mean over all positions."""
    features = _part(one)
    shape = features.feature_shape
    size = max(1, _BLOCK_BYTES // max(1, features.features.dtype.itemsize * int(np.prod(shape))))
    thin = -(-shape[-1] // _MOST_CHANNELS)
    for start in range(0, len(rows), size):
        block = features.read(one.index[rows[start : start + size]])
        flat = block.reshape(len(block), -1, shape[-1])[..., ::thin]
        yield flat.mean(axis=1, dtype=np.float32)
