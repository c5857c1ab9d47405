"""How often intervals of a cross-validated accuracy hold what they should: few rows drawn from many.

Rows of a pooled entry are the population. Noise makes the task as hard as wanted. What an interval should
hold is the accuracy, on all other rows, of the head that is fitted on all drawn ones.

    python benchmarks/fold_intervals.py --entry features_cache/photos/mobilenet_v2-150-out_relu-avg-1a2b3c4d
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
from measuring import tell
from tables import RESULTS, markdown, number, read_table, write_table

from pipeline.cache import open_features
from pipeline.cache.entries import read_entry
from pipeline.cache.whole_set import whole_set
from pipeline.evaluation.fold_interval import fold_interval
from pipeline.evaluation.metrics import wilson_interval

MARK = "fold-intervals"
SETTINGS = ((100, 10, 1), (100, 10, 3), (200, 5, 1))
"""Rows, folds, repeats."""
NOISES = (0.0, 4.0, 10.0)
"""Standard deviation of what is added, in that of a feature."""


def main() -> None:
    """Measures and writes ``fold_intervals.csv``."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--entry", type=Path, required=True)
    parser.add_argument("--trials", type=int, default=100)
    parser.add_argument("--out", type=Path, default=RESULTS / "fold_intervals.csv")
    given = parser.parse_args()
    entry = read_entry(given.entry)
    every = whole_set([open_features(entry, split) for split in entry.splits])
    rows, labels = every.to_memory().reshape(len(every), -1).astype(np.float32), every.labels
    rows = (rows - rows.mean(axis=0)) / np.maximum(rows.std(axis=0), 1e-6)
    random, found = np.random.default_rng(0), []
    for noise in NOISES:
        noisy = rows + noise * random.normal(size=rows.shape).astype(np.float32)
        for setting in SETTINGS:
            found.append({"noise": noise, **coverage(noisy, labels, *setting, given.trials, random)})
            tell(str(found[-1]))
            write_table(given.out, found)


def summary(results: Path) -> str:
    """Returns the table of the page."""
    columns = ["rows", "folds", "repeats", "draws", "accuracy", "held", "wide", "Wilson held", "wide"]
    shares = ["accuracy", "coverage_folds", "width_folds", "coverage_wilson", "width_wilson"]
    cells = [
        [
            *(row[name] for name in ("rows", "folds", "repeats", "trials")),
            *(f"{100 * float(row[name]):.0f} %" for name in shares),
        ]
        for row in read_table(results)
    ]
    return markdown(columns, cells)


def coverage(
    rows: np.ndarray,
    labels: np.ndarray,
    n: int,
    folds: int,
    repeats: int,
    trials: int,
    random: np.random.Generator,
) -> dict[str, object]:
    """Returns how many intervals held the accuracy on all other rows, and how wide they were."""
    accuracies, held, widths = [], [], []
    for _ in range(trials):
        order = random.permutation(len(labels))
        drawn, others = order[:n], order[n:]
        accuracy = np.mean(ridge(rows[drawn], labels[drawn])(rows[others]) == labels[others])
        by_fold, mean = cross_validated(rows[drawn], labels[drawn], folds, repeats)
        ends = np.array([fold_interval(by_fold, mean, n), wilson_interval(round(mean * n), n)])
        accuracies.append(accuracy)
        held.append((ends[:, 0] <= accuracy) & (accuracy <= ends[:, 1]))
        widths.append(np.diff(ends)[:, 0])
    names = ("folds", "wilson")
    return {
        "rows": n,
        "folds": folds,
        "repeats": repeats,
        "trials": trials,
        "accuracy": number(float(np.mean(accuracies)), 3),
        **{f"coverage_{name}": number(share, 3) for name, share in zip(names, np.mean(held, 0), strict=True)},
        **{f"width_{name}": number(width, 3) for name, width in zip(names, np.mean(widths, 0), strict=True)},
    }


def cross_validated(
    rows: np.ndarray, labels: np.ndarray, folds: int, repeats: int
) -> tuple[np.ndarray, float]:
    """Returns the accuracy of each fold, float (repeats, folds), and that of all rows."""
    from sklearn.model_selection import StratifiedKFold

    by_fold, right = np.empty((repeats, folds)), 0
    for repeat in range(repeats):
        cut = StratifiedKFold(folds, shuffle=True, random_state=repeat).split(rows, labels)
        for fold, (learn, asked) in enumerate(cut):
            hits = ridge(rows[learn], labels[learn])(rows[asked]) == labels[asked]
            by_fold[repeat, fold] = hits.mean()
            right += hits.sum()
    return by_fold, right / (repeats * len(labels))


def ridge(rows: np.ndarray, labels: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """Fits ridge regression on -1 and 1 through the rows."""
    mean, target = rows.mean(axis=0), 2.0 * labels - 1
    centred = rows - mean
    gram = centred @ centred.T + rows.shape[1] * np.eye(len(rows))
    coef = centred.T @ np.linalg.solve(gram, target - target.mean())
    return lambda asked: ((asked - mean) @ coef + target.mean() > 0).astype(int)


if __name__ == "__main__":
    main()
