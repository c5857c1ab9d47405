"""How often the bootstrap intervals hold the truth, and what they cost.

python benchmarks/interval_coverage.py
python benchmarks/interval_coverage.py --trials 4000

Heads of a known quality answer a large population; samples of it stand for test splits. Coverage is the share
of samples whose 95 % interval holds the population's figure; its standard error is 0.5 % at 2,000 trials.
In the row with groups, ten rows share a patient whose images are all easy or all hard.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
from measuring import tell
from tables import RESULTS, number, write_table

from pipeline.evaluation import measure
from pipeline.evaluation.metrics import row_losses
from pipeline.evaluation.resampling import bootstrap_intervals

POPULATION = 300_000
SETTINGS = ((2, 100, 1), (2, 1000, 1), (3, 300, 1), (10, 500, 1), (3, 600, 10))
"""Classes, rows of a sample, rows of a group."""


def main() -> None:
    """Measures and writes ``interval_coverage.csv``."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--trials", type=int, default=2000)
    parser.add_argument("--resamples", type=int, default=1000)
    parser.add_argument("--out", type=Path, default=RESULTS / "interval_coverage.csv")
    given = parser.parse_args()
    rows = []
    for k, n, size in SETTINGS:
        tell(f"{k} classes, {n} rows, groups of {size}")
        rows += coverage(k, n, size, trials=given.trials, resamples=given.resamples)
    write_table(given.out, rows)


def coverage(k: int, n: int, size: int, *, trials: int, resamples: int) -> list[dict[str, object]]:
    """Returns a row for each figure: how many intervals held it, with and without regard to groups."""
    random = np.random.default_rng(k * n)
    labels, probabilities = population(random, k, size)
    truth = measure(labels, probabilities, [str(label) for label in range(k)])
    predicted, losses = probabilities.argmax(axis=1), row_losses(labels, probabilities)
    groups = np.arange(POPULATION) // size
    held = {name: [0, 0] for name in truth.intervals}
    seconds = []
    for trial in range(trials):
        first = size * random.integers(0, POPULATION // size, n // size)
        drawn = (first[:, None] + np.arange(size)).ravel()
        some = {name: values[drawn] for name, values in losses.items()}
        for place, regard in enumerate((groups[drawn], None)):
            started = time.perf_counter()
            found = bootstrap_intervals(
                labels[drawn], predicted[drawn], some, k=k, groups=regard, resamples=resamples, seed=trial
            )
            seconds.append(time.perf_counter() - started)
            for name, (low, high) in found.items():
                held[name][place] += low <= getattr(truth, name) <= high
    return [
        {
            "classes": k,
            "rows": n,
            "rows_a_group": size,
            "figure": name,
            "coverage": number(together / trials, 4),
            "coverage_without_groups": number(alone / trials, 4),
            "trials": trials,
            "resamples": resamples,
            "seconds": number(float(np.median(seconds)), 4),
        }
        for name, (together, alone) in held.items()
    ]


def population(random: np.random.Generator, k: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns labels and probabilities of classes of unequal size; rows of a group are alike."""
    weights = np.arange(1, k + 1) / np.arange(1, k + 1).sum()
    groups = POPULATION // size
    labels = np.repeat(random.choice(k, groups, p=weights), size)
    ease = np.repeat(random.normal(2.0, 1.0 if size > 1 else 0.0, groups), size)
    logits = random.normal(size=(POPULATION, k)) + ease[:, None] * np.eye(k)[labels]
    probabilities = np.exp(1.3 * logits)
    return labels, probabilities / probabilities.sum(axis=1, keepdims=True)


if __name__ == "__main__":
    main()
