"""The feature file against compressed HDF5: bytes, writing, shuffled batches, reading it all.

python benchmarks/cache_format.py
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from feature_files import FORMATS, FeatureFile
from inputs import add_image_option, empty, place_images
from measuring import run_process, tell
from tables import RESULTS, number, write_table
from workers import extract_command

from pipeline.cache import open_features
from pipeline.cache.entries import read_entry
from pipeline.cache.features import FeatureSet

BATCH = 32
STEPS = ("write", "shuffled", "sequential")


def main() -> None:
    """Measures with the features of real bases and writes ``cache_format.csv``."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_image_option(parser)
    parser.add_argument("--count", type=int, default=640)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--base",
        action="append",
        metavar="BACKBONE=WEIGHTS",
        help="default: vgg16=random and mobilenet_v2=random",
    )
    parser.add_argument("--out", type=Path, default=RESULTS / "cache_format.csv")
    given = parser.parse_args()
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        images = place_images(given.images, work / "photographs", given.count)
        for base in given.base or ["vgg16=random", "mobilenet_v2=random"]:
            backbone, _, weights = base.partition("=")
            features = extracted(images, work / "cache", backbone, weights)
            rows += compare(features, work / "files", given.rounds)
    write_table(given.out, rows)


def extracted(images: Path, cache: Path, backbone: str, weights: str) -> FeatureSet:
    """Runs stage one and opens what it made."""
    tell(f"extracting features of {backbone}")
    answer = run_process(extract_command(images, cache, "--backbone", backbone, "--weights", weights)).answer
    return open_features(read_entry(Path(answer["entry"])), "train")


def compare(features: FeatureSet, folder: Path, rounds: int) -> list[dict[str, object]]:
    """Writes and reads the same features in every format, in turn; returns one row per format."""
    array = features.to_memory()
    empty(folder).mkdir()
    files = [made(folder, features) for made in FORMATS]
    order = np.random.default_rng(0).permutation(len(array))
    batches = [order[start : start + BATCH] for start in range(0, len(order), BATCH)]
    seconds: dict[tuple[str, str], list[float]] = {(file.name, step): [] for file in files for step in STEPS}
    for _ in range(rounds):
        for file in files:
            seconds[file.name, "write"].append(timed(lambda file=file: write(file, array)))
            with file.reader() as read:
                seconds[file.name, "shuffled"].append(
                    timed(lambda read=read: [read(rows) for rows in batches])
                )
            seconds[file.name, "sequential"].append(timed(lambda file=file: check_whole(file, array)))
    ours = os.path.getsize(files[0].path)
    rows = []
    for file in files:
        median = {step: statistics.median(seconds[file.name, step]) for step in STEPS}
        size = os.path.getsize(file.path)
        rows.append(
            {
                "features": f"{features.spec.backbone} {features.feature_shape}",
                "format": file.name,
                "rows": len(array),
                "megabytes": number(size / 1e6, 2),
                "size_ratio": number(size / ours, 3),
                "write_seconds": number(median["write"], 3),
                "shuffled_batch_ms": number(1e3 * median["shuffled"] / len(batches), 3),
                "sequential_seconds": number(median["sequential"], 3),
            }
        )
        tell("  " + ", ".join(f"{key} {value}" for key, value in rows[-1].items()))
    return rows


def write(file: FeatureFile, array: np.ndarray) -> None:
    """Writes all rows in batches, as they come out of a base, down to the disk."""
    file.write(array, BATCH)
    with open(file.path, "rb") as written:
        os.fsync(written.fileno())


def check_whole(file: FeatureFile, array: np.ndarray) -> None:
    """Reads the whole file into memory."""
    with file.reader() as read:
        assert len(read(None)) == len(array)  # noqa: S101


def timed(run: Callable[[], object]) -> float:
    """Returns the seconds that a call takes."""
    started = time.perf_counter()
    run()
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
