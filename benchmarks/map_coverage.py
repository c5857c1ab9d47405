"""How often do the 95 % intervals of mean average precision hold that of all images there could be?

Scores of made-up labels, of which 100,000 images tell the truth, are drawn anew for each set. Beside the
interval that ``evaluate`` gives stands that of plain percentiles of the same kind of resamples.

    python benchmarks/map_coverage.py
"""

from __future__ import annotations

import argparse

import numpy as np

from pipeline.evaluation.targets.part_figures import ranking
from pipeline.evaluation.targets.resamples import intervals, percentile_interval, resampled
from pipeline.images.targets import LABELS

CASES = (
    (150, 10, 0.1, 0.5),
    (150, 10, 0.1, 2.0),
    (1000, 10, 0.1, 0.5),
    (1000, 10, 0.1, 2.0),
    (300, 3, 0.3, 1.0),
)
"""Images, labels, the share of images that have one, and how many standard deviations it moves the score."""


def main() -> None:
    """Prints a line for each case."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sets", type=int, default=200, help="how many sets are drawn")
    sets = parser.parse_args().sets
    random = np.random.default_rng(0)
    print("| images | labels | share | signal | true | mean of the sets | evaluate | percentiles |")
    print("| --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: |")
    for images, labels, share, signal in CASES:
        true = _figure(*_drawn(random, 100_000, labels, share, signal))
        values, held, plain = [], 0, 0
        for _ in range(sets):
            truth, scores = _drawn(random, images, labels, share, signal)
            figures = ranking(LABELS, truth, scores)
            values.append(_figure(truth, scores))
            held += _holds(intervals(figures, images, None).get("map"), true)
            (drawn,) = resampled([figures], images, None, resamples=1000, title="percentiles")
            plain += _holds(percentile_interval(drawn["map"]), true)
        print(
            f"| {images:,} | {labels} | {share:.0%} | {signal} | {true:.4f} | {np.mean(values):.4f} "
            f"| {held / sets:.1%} | {plain / sets:.1%} |",
            flush=True,
        )


def _drawn(
    random: np.random.Generator, images: int, labels: int, share: float, signal: float
) -> tuple[np.ndarray, np.ndarray]:
    truth = (random.random((images, labels)) < share).astype(np.float32)
    return truth, random.normal(size=truth.shape) + signal * truth


def _figure(truth: np.ndarray, scores: np.ndarray) -> float:
    return float(ranking(LABELS, truth, scores)(np.ones((1, len(truth))))["map"][0])


def _holds(ends: tuple[float, float] | None, value: float) -> bool:
    return ends is not None and ends[0] <= value <= ends[1]


if __name__ == "__main__":
    main()
