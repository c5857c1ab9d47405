"""How long a search among many rows takes, in wall time and in processor time.

    python benchmarks/searching.py --rows 1000000

The rows are made up, 1,280 numbers each in float16 as a pooled MobileNetV2 has them, and in memory, as are
those of a file that was read before.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
from inputs import MADE

from pipeline.cache import FeatureSet
from pipeline.cache.format import checksums
from pipeline.images.packed_strings import PackedStrings
from pipeline.images.row_table import DIGEST_BYTES, RowTable
from pipeline.serving.search import search

WIDTH = 1280
DIFFERENT = 2_000
ROUNDS = 5


def main() -> None:
    """Prints the median of some searches."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rows", type=int, default=1_000_000)
    count = parser.parse_args().rows
    random = np.random.default_rng(0)
    few = np.maximum(random.standard_normal((DIFFERENT, WIDTH), np.float32), 0).astype(np.float16)
    rows = RowTable(
        ids=PackedStrings.of(map(str, range(count))),
        labels=np.zeros(count, np.int32),
        digests=np.zeros((count, DIGEST_BYTES), np.uint8),
        views=np.zeros(count, np.uint8),
    )
    features = FeatureSet(
        features=np.resize(few, (count, WIDTH)),
        rows=rows,
        crc32=np.resize(checksums(few), count),
        spec=MADE,
        classes=("one",),
        split="train",
        dataset="made",
        path=Path("made/train.h5"),
    )
    asked = np.maximum(random.standard_normal((1, WIDTH), np.float32), 0).astype(np.float16)
    times = []
    for _ in range(ROUNDS):
        wall, cpu = time.perf_counter(), time.process_time()
        search([features], asked, 10)
        times.append((time.perf_counter() - wall, time.process_time() - cpu))
    wall, cpu = np.median(times, axis=0)
    print(f"{count:,} rows: {wall:.2f} s, {cpu:.2f} s of processor time")


if __name__ == "__main__":
    main()
