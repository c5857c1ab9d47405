"""Splits in one file or in several: time and memory of stage one, and of opening and reading what it made.

python benchmarks/rows_per_file.py
python benchmarks/rows_per_file.py --images 400000 --files 1 4 16
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from pathlib import Path

import numpy as np
from inputs import empty
from measuring import run_process, tell
from tables import RESULTS, number, write_table
from workers import extract_command

from pipeline.cache import find_entries, open_features

SIDE = 8
BATCH = 32


def main() -> None:
    """Measures and writes ``rows_per_file.csv``."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--images", type=int, default=100_000, help="tiny images, all of them in train")
    parser.add_argument("--files", type=int, nargs="+", default=[1, 4, 16, 64], help="files of the split")
    parser.add_argument("--batches", type=int, default=2000, help="shuffled batches that are read")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=RESULTS / "rows_per_file.csv")
    given = parser.parse_args()
    made: dict[int, list[tuple[float, ...]]] = {count: [] for count in given.files}
    with tempfile.TemporaryDirectory() as folder:
        source = make_source(Path(folder), given.images)
        for _ in range(given.rounds):
            for count in given.files:
                made[count].append(measure(source, Path(folder) / "cache", given, count))
    seconds, peak, opening, batch = range(4)
    medians = {
        count: [statistics.median(column) for column in zip(*rows, strict=True)]
        for count, rows in made.items()
    }
    first = medians[given.files[0]]
    write_table(
        given.out,
        [
            {
                "files": count,
                "rows_a_file": -(-given.images // count),
                "seconds_ratio": number(one[seconds] / first[seconds], 3),
                "peak_megabytes": number(one[peak] / 1e6, 0),
                "peak_bytes_a_row_less": number(
                    (first[peak] - one[peak]) / (given.images * (1 - 1 / count)), 0
                )
                if count > 1
                else "",
                "open_microseconds_a_row": number(one[opening] / given.images * 1e6, 2),
                "batch_microseconds": number(one[batch] * 1e6, 0),
                "batch_ratio": number(one[batch] / first[batch], 3),
                "images": given.images,
                "rounds": given.rounds,
            }
            for count, one in medians.items()
        ],
    )


def make_source(folder: Path, images: int) -> Path:
    """Makes an array source of tiny images, no two alike, and one of ``val``."""
    random = np.random.default_rng(0)
    path = folder / "tiny.npz"
    np.savez(
        path,
        x_train=random.integers(0, 256, (images, SIDE, SIDE, 3), dtype=np.uint8),
        y_train=np.arange(images) % 10,
        x_val=random.integers(0, 256, (10, SIDE, SIDE, 3), dtype=np.uint8),
        y_val=np.arange(10),
    )
    return path


def measure(source: Path, cache: Path, given: argparse.Namespace, files: int) -> tuple[float, ...]:
    """Runs stage one and reads what it made: seconds, peak bytes, seconds of opening, and of a batch."""
    options = ("--backbone", "pixels", "--image-size", SIDE, "--batch-size", 256)
    options += ("--rows-per-file", -(-given.images // files))
    ended = run_process(extract_command(source, empty(cache), *options))
    (entry,) = find_entries(cache)
    started = time.perf_counter()
    features = open_features(entry, "train")
    opened = time.perf_counter() - started
    random = np.random.default_rng(1)
    picked = [random.integers(0, given.images, BATCH) for _ in range(given.batches)]
    started = time.perf_counter()
    for rows in picked:
        features.read(rows)
    batch = (time.perf_counter() - started) / given.batches
    tell(
        f"  {len(entry.shards['train'])} files: {ended.seconds:.1f} s, peak {ended.peak_rss / 1e6:,.0f} MB, "
        f"opened in {opened:.2f} s, a batch in {batch * 1e6:.0f} microseconds"
    )
    return ended.seconds, float(ended.peak_rss), opened, batch


if __name__ == "__main__":
    main()
