"""What checking the rows costs: the share of ``train-head`` and ``evaluate`` that goes into checksums.

``python benchmarks/checksum_cost.py --data photos/ --cache features_cache [--pooling avg] [--head logreg]``
"""

from __future__ import annotations

import argparse
import dataclasses
import statistics
import tempfile
import time
import zlib
from pathlib import Path

import numpy as np

from pipeline.cache import FeatureSet, find_entries, open_features
from pipeline.cache.entries import Entry
from pipeline.evaluation import evaluate
from pipeline.heads import load_head, train_head


@dataclasses.dataclass(frozen=True, eq=False)
class Counting(FeatureSet):
    """A feature set that knows how many of its rows were read."""

    read_rows: list[int] = dataclasses.field(default_factory=list)

    def read(self, index: np.ndarray) -> np.ndarray:
        """Reads rows as a plain set does."""
        self.read_rows.append(len(index))
        return super().read(index)


def counting(entry: Entry, split: str) -> Counting:
    """Opens a split."""
    plain = open_features(entry, split)
    return Counting(**{field.name: getattr(plain, field.name) for field in dataclasses.fields(plain)})


def checksum_seconds(features: FeatureSet) -> float:
    """Returns the seconds that the checksum of one row takes, in memory: the median of 5 passes."""
    block = np.ascontiguousarray(features.features[: min(len(features), 512)])
    passes = []
    for _ in range(5):
        started = time.perf_counter()
        for row, wanted in zip(block, features.crc32, strict=False):
            if zlib.crc32(row.data) != wanted:
                raise AssertionError("the entry is damaged")
        passes.append((time.perf_counter() - started) / len(block))
    return statistics.median(passes)


def main() -> None:
    """Prints a line for each of the two commands."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--cache", type=Path, required=True)
    parser.add_argument("--pooling", default="none")
    parser.add_argument("--head", default="logreg")
    chosen = parser.parse_args()
    source = str(chosen.data.resolve())
    (entry,) = find_entries(
        chosen.cache, lambda entry: entry.source == source and entry.spec.pooling == chosen.pooling
    )
    train, valid, test = (counting(entry, split) for split in ("train", "val", "test"))
    row = checksum_seconds(train)
    with tempfile.TemporaryDirectory() as runs:
        started = time.perf_counter()
        trained = train_head(chosen.head, train, valid, runs=Path(runs))
        _report("train-head", time.perf_counter() - started, [train, valid], row)
        started = time.perf_counter()
        evaluate(load_head(trained.folder), test).write()
        _report("evaluate", time.perf_counter() - started, [test], row)


def _report(what: str, seconds: float, sets: list[Counting], row: float) -> None:
    rows = sum(sum(features.read_rows) for features in sets)
    size = sets[0].features[:1].nbytes
    share = rows * row / seconds
    print(
        f"{what}: {rows:,} rows of {size:,} bytes read in {seconds:.2f} s, "
        f"checksums {rows * row * 1e3:.1f} ms, {share:.2%}"
    )


if __name__ == "__main__":
    main()
