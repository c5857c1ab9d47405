"""What labelling the images that ``pipeline next`` chooses is worth, against as many or more random ones.

    python benchmarks/next_images.py --entry CACHE/photos/ENTRY --head logreg

All training labels are known here and hidden. Some random images begin; then the head learns, so many more
are chosen, their labels are shown, and so on. Features are averaged over positions first.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from contextlib import redirect_stderr
from dataclasses import replace
from io import StringIO
from pathlib import Path

import numpy as np
from tables import markdown

from pipeline.cache import FeatureSet, open_features
from pipeline.cache.descriptions import Descriptions
from pipeline.cache.format import checksums
from pipeline.evaluation.next_images import margins_of, next_images
from pipeline.heads import TrainedHead, fit_head

FIRST = 20
Choose = Callable[[FeatureSet, TrainedHead, int, int], np.ndarray]


def averaged(features: FeatureSet) -> FeatureSet:
    """Returns a split in memory with its features averaged over positions."""
    blocks = Descriptions.of(features).read(features, np.arange(len(features)))
    rows = np.concatenate(list(blocks)).astype(np.float32)
    return replace(features, features=rows, crc32=checksums(rows))


def hidden(features: FeatureSet, shown: np.ndarray) -> FeatureSet:
    """Returns a split in which only some rows have their label."""
    labels = np.full(len(features), -1, np.int32)
    labels[shown] = features.labels[shown]
    return replace(features, rows=replace(features.rows, labels=labels))


def by_next(features: FeatureSet, head: TrainedHead, count: int, seed: int) -> np.ndarray:
    """Chooses as the command does."""
    return next_images(features, head, count, seed=seed).rows


def by_margin(features: FeatureSet, head: TrainedHead, count: int, seed: int) -> np.ndarray:
    """Chooses those that the head is least sure of, alike or not."""
    rows = np.flatnonzero(features.labels < 0)
    return rows[np.argsort(margins_of(head.predict_proba(features)[rows]))[:count]]


def accuracy(head: TrainedHead, test: FeatureSet) -> float:
    """Returns the share of right answers."""
    return float(np.mean(head.predict_proba(test).argmax(axis=1) == test.labels))


def main() -> None:
    """Prints the accuracy on test for each way of choosing."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--entry", type=Path, required=True, help="features with train and test")
    parser.add_argument("--head", default="logreg")
    parser.add_argument("--chosen", type=int, default=200)
    parser.add_argument("--random", type=int, nargs="+", default=[200, 500])
    parser.add_argument("--step", type=int, default=20)
    parser.add_argument("--seeds", type=int, default=5)
    options = parser.parse_args()
    train, test = (averaged(open_features(options.entry, split)) for split in ("train", "test"))
    ways: dict[str, Choose] = {"next": by_next, "margin alone": by_margin}
    found: dict[str, list[float]] = {}
    started = time.perf_counter()

    def learn(shown: np.ndarray) -> TrainedHead:
        with redirect_stderr(StringIO()):
            return fit_head(options.head, hidden(train, shown))

    for seed in range(options.seeds):
        order = np.random.default_rng(seed).permutation(len(train))
        for count in options.random:
            found.setdefault(f"{count} random", []).append(accuracy(learn(order[:count]), test))
        for name, choose in ways.items():
            shown = order[: max(FIRST, len(train.classes) * 2)]
            while len(shown) < options.chosen:
                count = min(options.step, options.chosen - len(shown))
                shown = np.concatenate([shown, choose(hidden(train, shown), learn(shown), count, seed)])
            found.setdefault(f"{options.chosen} by {name}", []).append(accuracy(learn(shown), test))
    rows = [
        [name, f"{np.mean(values):.4f}", " ".join(f"{value:.4f}" for value in values)]
        for name, values in found.items()
    ]
    print(markdown(["training images", "accuracy", "each seed"], rows))
    print(f"\n{options.head}, {time.perf_counter() - started:.0f} s")


if __name__ == "__main__":
    main()
