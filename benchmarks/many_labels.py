"""What a sweep of ten penalties over many labels costs, in fits of one label by the same head.

    python benchmarks/many_labels.py --rounds 5

The rows are made up: rectified random projections of 300 hidden numbers, 1,280 of them in float16 as a pooled
MobileNetV2 has them, and in memory. A label is a hidden number above a bound, with noise. Both sides read
and scale the rows, fit, save each head, answer val and are scored, as a sweep does; the bootstrap intervals,
which a sweep adds, are left out. Rounds are in turn, and the ratio is the median of those within the rounds.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from inputs import MADE
from measuring import tell

from pipeline.cache import FeatureSet
from pipeline.cache.format import checksums
from pipeline.images.packed_strings import PackedStrings
from pipeline.images.row_table import DIGEST_BYTES, RowTable
from pipeline.images.targets import LABELS
from pipeline.sweeps.candidates import Candidate
from pipeline.sweeps.fitting import fit_and_answer, sweep_data

HIDDEN = 300
PENALTIES = {"ridge": ("alpha", np.geomspace(0.01, 100, 10)), "logreg": ("C", np.geomspace(1e-4, 1, 10))}
"""The option that ten values are tried of; the default is among them, or between two."""


def main() -> None:
    """Prints for each head the ratio in wall time and in processor time."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=2000)
    parser.add_argument("--val-rows", type=int, default=500)
    parser.add_argument("--width", type=int, default=1280)
    parser.add_argument("--labels", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--heads", nargs="+", default=list(PENALTIES), choices=list(PENALTIES))
    given = parser.parse_args()
    random = np.random.default_rng(0)
    projection = random.normal(size=(HIDDEN, given.width)) / HIDDEN**0.5
    train, val = (
        made_rows(split, rows, projection, given.labels)
        for split, rows in (("train", given.rows), ("val", given.val_rows))
    )
    for head in given.heads:
        rounds = measured(head, train, val, given.rounds)
        wall, cpu, wall_many, cpu_many, ratio, cpu_ratio = np.median(rounds, axis=0)
        print(
            f"{head}: {given.rows:,} x {given.width:,}, {given.labels:,} labels, 10 penalties: "
            f"{ratio:.1f} fits of one label ({cpu_ratio:.1f} in processor time); "
            f"{wall_many:.2f} s against {wall:.2f} s ({cpu_many:.2f} s and {cpu:.2f} s of processor time)"
        )


def measured(head: str, train: FeatureSet, val: FeatureSet, rounds: int) -> np.ndarray:
    """Returns seconds of one label and of the sweep, wall and processor, and their ratios, (rounds, 6)."""
    option, values = PENALTIES[head]
    one = [Candidate(head, {})]
    ten = [Candidate(head, {option: float(value)}) for value in values]
    few = [first_label(features) for features in (train, val)]
    fitted(*few, one)  # imports what either needs
    found = []
    for _ in range(rounds):
        single, many = timed(lambda: fitted(*few, one)), timed(lambda: fitted(train, val, ten))
        found.append(np.concatenate([single, many, many / single]))
        tell(f"  {head}: one label {single[0]:.2f} s, the sweep {many[0]:.2f} s")
    return np.array(found)


def fitted(train: FeatureSet, val: FeatureSet, candidates: list[Candidate]) -> None:
    """Fits candidates as a sweep does."""
    data = sweep_data(train, val, candidates)
    for candidate in candidates:
        result, _, _ = fit_and_answer(candidate, data, seed=0)
        if result.problem:
            raise SystemExit(result.problem)


def timed(run: Callable[[], None]) -> np.ndarray:
    """Returns the seconds that something takes, wall and processor time."""
    wall, cpu = time.perf_counter(), time.process_time()
    run()
    return np.array([time.perf_counter() - wall, time.process_time() - cpu])


def made_rows(split: str, count: int, projection: np.ndarray, labels: int) -> FeatureSet:
    """Makes rows of a split; one in five to one in twenty has each label."""
    random = np.random.default_rng(len(split))
    hidden = random.normal(size=(count, len(projection)))
    noise = random.normal(size=(count, labels)) / 2
    bounds = np.linspace(0.9, 1.8, labels)
    targets = (hidden[:, np.arange(labels) % len(projection)] + noise > bounds).astype(np.float32)
    features = np.maximum(hidden @ projection, 0).astype(np.float16)
    rows = RowTable(
        ids=PackedStrings.of(f"{split}/{number}" for number in range(count)),
        labels=np.full(count, -1, np.int32),
        digests=random.integers(0, 256, (count, DIGEST_BYTES), np.uint8),
        views=np.zeros(count, np.uint8),
        targets=targets,
    )
    return FeatureSet(
        features=features,
        rows=rows,
        crc32=checksums(features),
        spec=MADE,
        classes=tuple(f"label{number}" for number in range(labels)),
        split=split,
        dataset="made",
        path=Path(f"made/{split}.h5"),
        target=LABELS,
    )


def first_label(features: FeatureSet) -> FeatureSet:
    """Returns the same rows with one label."""
    rows = replace(features.rows, targets=features.rows.targets[:, :1])
    return replace(features, rows=rows, classes=features.classes[:1])


if __name__ == "__main__":
    main()
