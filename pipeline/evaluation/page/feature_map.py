"""The map of the features: every image as a point, alike ones close together."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from pipeline.cache import FeatureSet
from pipeline.evaluation.page.html import embed
from pipeline.evaluation.page.pictures import SHEET, Album, sheets
from pipeline.evaluation.report import Report
from pipeline.progress import say
from pipeline.wording import counted, readable

UNIT = 10_000
"""Steps a layout's axis is cut into: finer than any screen, and short to write."""
THUMB, SMALL_THUMB = 96, 48
MANY = 1500
"""Points above which thumbnails are smaller, so that the page stays light enough to send."""
NAME = 70
MOST_POINTS = 5000
FEWEST = 3
FEWEST_NEIGHBOURS = 10
"""Rows below which neighbourhoods mean nothing."""
DIMENSIONS = 50
"""What the features are reduced to before neighbours are sought, as van der Maaten & Hinton (2008) do."""
PERPLEXITY = 30
STEPS = 500
MANY_CHANNELS = 64
GRID = 16
BLOCK_ROWS = 256


def map_contents(
    report: Report, features: FeatureSet | None, album: Album, *, seed: int
) -> dict[str, Any] | None:
    """Returns what the template and the script need; None where no map can be drawn.

    Raises:
        CacheMismatchError: A row of the features is damaged.
    """
    if features is None:
        return None
    if len(report.rows) > MANY:
        shown = counted(min(len(report.rows), MOST_POINTS), "image")
        say(f"laying out the features of {shown} for the report page")
    laid_out = map_features(features, seed=seed)
    if laid_out is None:
        return None
    rows = laid_out.rows
    ids = [report.rows.ids[i] for i in rows]
    size = THUMB if len(rows) <= MANY else SMALL_THUMB
    pictures = album.read(ids, size=size)
    slots = {name: slot for slot, name in enumerate(pictures)}
    probabilities = report.probabilities[rows]
    data = {
        "classes": [readable(name) for name in report.figures.classes],
        "names": [readable(name, NAME) for name in ids],
        "truth": report.rows.labels[rows].tolist(),
        "guess": probabilities.argmax(axis=1).tolist(),
        "sure": np.rint(1000 * probabilities.max(axis=1)).astype(int).tolist(),
        "slots": [slots.get(name, -1) for name in ids],
        "layouts": {
            name: np.rint(UNIT * plane).astype(int).T.tolist() for name, plane in laid_out.layouts.items()
        },
        "notes": laid_out.notes,
        "unit": UNIT,
        "sheets": sheets(pictures.values(), size=size),
        "size": size,
        "sheet": SHEET,
        "columns": math.isqrt(SHEET),
    }
    return {
        "data": embed(data),
        "shown": len(rows),
        "of": len(report.rows),
        "sampled": len(rows) < len(report.rows),
    }


@dataclass(frozen=True, eq=False)
class FeatureMap:
    """Where each of m rows stands on the plane.

    Attributes:
        rows: int (m,), row numbers among the originals (rows without augmented views), ascending.
        layouts: float32 (m, 2) in 0..1 by the name of the method, the best to look at first.
        notes: What a reader has to know about the methods.
    """

    rows: np.ndarray
    layouts: dict[str, np.ndarray]
    notes: dict[str, str] = field(default_factory=dict)


def map_features(features: FeatureSet, *, seed: int = 0, most: int = MOST_POINTS) -> FeatureMap | None:
    """Lays out the rows of a split by their features: PCA, and t-SNE that keeps neighbours together.

    Features with spatial axes are averaged over them first; of pixels a grid of 16 x 16 means is kept.

    Args:
        features: The split; augmented views are left out.
        seed: Seed of the sample and of both methods.
        most: Rows to show at most; of more, a random sample.

    Returns:
        The map; None where there are fewer than three rows, or all features are the same.

    Raises:
        CacheMismatchError: A row is damaged.
    """
    originals = np.flatnonzero(features.rows.views == 0)
    rows = np.arange(len(originals))
    if len(rows) > most:
        rows = np.sort(np.random.default_rng(seed).choice(rows, most, replace=False))
    if len(rows) < FEWEST:
        return None
    vectors = _vectors(features, originals[rows])
    if (vectors == vectors[0]).all():
        return None
    vectors -= vectors.mean(axis=0)
    return _laid_out(vectors / np.abs(vectors).max(), rows, seed)  # scaled, because squares would overflow


def _laid_out(vectors: np.ndarray, rows: np.ndarray, seed: int) -> FeatureMap:
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE
    from threadpoolctl import threadpool_limits

    # One thread: on a busy machine the threads of t-SNE wait for each other ten times as long as they work.
    with threadpool_limits(1):
        components = min(DIMENSIONS, *vectors.shape)
        pca = PCA(components, svd_solver="randomized", random_state=seed)
        reduced = pca.fit_transform(vectors)
        plane = np.pad(reduced, ((0, 0), (0, max(2 - components, 0))))[:, :2]
        layouts = {"PCA": _to_unit(plane)}
        notes = {"PCA": f"The two axes hold {pca.explained_variance_ratio_[:2].sum():.0%} of the variance."}
        if len(rows) >= FEWEST_NEIGHBOURS and components >= 2:
            perplexity = min(PERPLEXITY, (len(rows) - 1) / 3)
            tsne = TSNE(2, init="pca", max_iter=STEPS, perplexity=perplexity, random_state=seed)
            layouts = {"t-SNE": _to_unit(tsne.fit_transform(reduced)), **layouts}
            notes["t-SNE"] = (
                f"Neighbours stay neighbours (perplexity {perplexity:.0f}, seed {seed}); distances between "
                "clusters and their sizes mean nothing."
            )
    return FeatureMap(rows, layouts, notes)


def _vectors(features: FeatureSet, index: np.ndarray) -> np.ndarray:
    """Returns float32 (n, d): one vector a row, cuts that are joined side by side."""
    parts = getattr(features, "parts", ()) or (features,)
    blocks = [index[start : start + BLOCK_ROWS] for start in range(0, len(index), BLOCK_ROWS)]
    return np.concatenate(
        [np.hstack([_pooled(part.read(block).astype(np.float32)) for part in parts]) for block in blocks]
    )


def _pooled(block: np.ndarray) -> np.ndarray:
    """Returns float32 (n, d) of float32 (n, ...)."""
    if block.ndim == 4 and block.shape[3] < MANY_CHANNELS:
        height, width = (
            np.linspace(0, n, min(n, GRID), endpoint=False).astype(int) for n in block.shape[1:3]
        )
        block = np.add.reduceat(np.add.reduceat(block, height, axis=1), width, axis=2)
    elif block.ndim == 4:
        block = block.mean(axis=(1, 2))
    return block.reshape(len(block), -1)


def _to_unit(plane: np.ndarray) -> np.ndarray:
    """Scales both axes by the same factor into 0..1, float32, the smaller extent in the middle."""
    low, high = plane.min(axis=0), plane.max(axis=0)
    extent = max(float((high - low).max()), np.finfo(np.float32).tiny)
    return (0.5 + (plane - (low + high) / 2) / extent).astype(np.float32)
