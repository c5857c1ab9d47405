"""How often conformal sets hold the true class, and how large they are, over many halves of val and test.

    python benchmarks/conformal_coverage.py --entry CACHE/photos/ENTRY --head logreg

The head learns from train once. The labelled rows of val and test are thrown together and halved at random:
one half tells the sets, the other is asked.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
from tables import markdown

from pipeline.cache import open_features
from pipeline.evaluation.conformal import least_probability
from pipeline.heads import fit_head

COVERAGES = (0.9, 0.95, 0.99)


def main() -> None:
    """Prints a row for each coverage, over all images and per class."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--entry", type=Path, required=True, help="features with train, val and test")
    parser.add_argument("--head", default="logreg")
    parser.add_argument("--splits", type=int, default=200)
    options = parser.parse_args()
    train, *others = (open_features(options.entry, split) for split in ("train", "val", "test"))
    head = fit_head(options.head, train, None)
    started = time.perf_counter()
    answers = np.concatenate([head.predict_proba(part) for part in others])
    labels = np.concatenate([part.labels for part in others])
    answers, labels = answers[labels >= 0], labels[labels >= 0]
    random = np.random.default_rng(0)
    orders = [random.permutation(len(labels)) for _ in range(options.splits)]
    rows = []
    for coverage in COVERAGES:
        for per_class in (False, True):
            found = [_one(answers, labels, order, coverage, per_class=per_class) for order in orders]
            covered, worst, size, empty = np.mean(found, axis=0)
            cells = [f"{covered:.4f}", f"{worst:.4f}", f"{size:.3f}", f"{empty:.2%}"]
            rows.append([f"{coverage:.0%}", "per class" if per_class else "all together", *cells])
    columns = [
        "coverage",
        "promised to",
        "covered",
        "covered of the worst class",
        "classes in a set",
        "empty",
    ]
    print(markdown(columns, rows))
    print(f"\n{len(labels):,} rows, {options.splits} splits, {time.perf_counter() - started:.1f} s")


def _one(
    answers: np.ndarray, labels: np.ndarray, order: np.ndarray, coverage: float, *, per_class: bool
) -> tuple[float, float, float, float]:
    """Returns the share covered, of all and of the worst class, the size of sets, and how many are empty."""
    told, asked = order[: len(order) // 2], order[len(order) // 2 :]
    given = answers[told, labels[told]]
    classes = range(answers.shape[1])
    parts = [given[labels[told] == label] if per_class else given for label in classes]
    members = answers[asked] >= [least_probability(part, coverage) for part in parts]
    held = members[np.arange(len(asked)), labels[asked]]
    worst = min(held[labels[asked] == label].mean() for label in classes)
    return held.mean(), worst, members.sum(axis=1).mean(), (~members.any(axis=1)).mean()


if __name__ == "__main__":
    main()
