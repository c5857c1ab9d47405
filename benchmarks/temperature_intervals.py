"""How well val must tell a temperature, so that new images gain from it.

Logits are drawn, labels from their softmax, and a head that answers with the softmax of T times the logits
is calibrated on n rows of val, over many n, T, numbers of classes and degrees of certainty. By the factor
between the ends of the 95 % interval of the temperature it is shown how far the log-loss on new rows is above
that of the right temperature, and how often it is above that of no calibration at all.

    python benchmarks/temperature_intervals.py > benchmarks/results/temperature_intervals.csv
"""

from __future__ import annotations

import argparse
import csv
import itertools
import sys

import numpy as np
from scipy.special import softmax

from pipeline.heads._core.temperature import FLOOR, HOTTEST, likely_temperature

EDGES = (1, 1.5, 2, 3, 4, 6, 10, 30, HOTTEST**2, np.inf)
NEW = 3_000


def log_loss(labels: np.ndarray, logits: np.ndarray, temperature: float) -> float:
    """Returns the mean log-loss at a temperature."""
    answers = softmax(logits / temperature, axis=1)[np.arange(len(labels)), labels]
    return float(-np.log(np.maximum(answers, FLOOR)).mean())


def one_case(random: np.random.Generator) -> dict[str, float]:
    """Draws one problem and solves it."""
    classes, scale = int(random.choice([2, 3, 10])), random.choice([1, 2, 4, 8, 16])
    rows, true = int(np.exp(random.uniform(np.log(5), np.log(1000)))), np.exp(random.uniform(-1.2, 1.2))

    def draw(count: int) -> tuple[np.ndarray, np.ndarray]:
        logits = scale * random.normal(size=(count, classes))
        chances = softmax(logits, axis=1).cumsum(axis=1)
        labels = np.minimum((chances < random.random(count)[:, None]).sum(axis=1), classes - 1)
        return labels, np.log(np.maximum(softmax(true * logits, axis=1), FLOOR))

    (labels, logits), (new, new_logits) = draw(rows), draw(NEW)
    found = likely_temperature(labels, softmax(logits, axis=1))
    best, plain = log_loss(new, new_logits, true), log_loss(new, new_logits, 1.0)
    calibrated = log_loss(new, new_logits, found.value)
    return {
        "factor": found.high / found.low if found.low else np.inf,
        "excess": calibrated / best - 1,
        "worse": calibrated > plain,
        "wrong": np.count_nonzero(logits.argmax(axis=1) != labels),
        "rows": rows,
        "covered": found.low <= true <= found.high,
    }


def main() -> None:
    """Prints a line for each range of factors."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, default=5_000)
    cases = parser.parse_args().cases
    random = np.random.default_rng(0)
    found = [one_case(random) for _ in range(cases)]
    columns = {name: np.array([one[name] for one in found]) for name in found[0]}
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(
        [
            "factor_up_to",
            "cases",
            "excess_median",
            "excess_95",
            "worse_than_plain",
            "wrong_median",
            "covered",
        ]
    )
    for low, high in itertools.pairwise(EDGES):
        inside = (columns["factor"] > low) & (columns["factor"] <= high)
        part = {name: values[inside] for name, values in columns.items()}
        excess = (f"{value:.3f}" for value in (np.median(part["excess"]), np.quantile(part["excess"], 0.95)))
        shares = (f"{part[name].mean():.2f}" for name in ("worse", "covered"))
        worse, covered = shares
        writer.writerow([high, inside.sum(), *excess, worse, int(np.median(part["wrong"])), covered])


if __name__ == "__main__":
    main()
