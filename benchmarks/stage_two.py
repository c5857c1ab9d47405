"""Stage two: an epoch of the lecture's head, a sweep against one fit, what workers share, and large sets.

``python benchmarks/stage_two.py`` writes ``benchmarks/results/stage_two.csv``. All figures of a row come from
one process and one sitting, taken in turn.

``python benchmarks/stage_two.py --entry FOLDER`` trains heads on an entry of the cache, each in a process of
its own, and writes ``benchmarks/results/stage_two_heads.csv``: time against that of logreg, and memory
against the features in float32. ``--heads`` chooses which. All of CIFAR-10 at block3_pool is::

    pipeline extract --data keras:cifar10 --backbone vgg16 --image-size 48 --layer block3_pool
"""

from __future__ import annotations

import argparse
import csv
import json
import math
import multiprocessing
import os
import statistics
import sys
import tempfile
import threading
import time
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from inputs import MADE as SPEC
from measuring import run_process, tell
from tables import number, write_table

from pipeline.cache import FeatureSet, open_features
from pipeline.cache.feature_file import open_feature_file
from pipeline.cache.format import Header
from pipeline.cache.partial_file import create_feature_file
from pipeline.images.row_table import RowTable
from pipeline.runtimes.keras import import_keras

ROWS, COLUMNS, BATCH, EPOCHS = 2000, 8192, 20, 7
RESULTS = Path(__file__).parent / "results" / "stage_two.csv"


def features_file(folder: Path, split: str, rows: int, seed: int) -> FeatureSet:
    """Writes rows of the lecture's shape, (4, 4, 512), sparse and positive like VGG16's, and maps them."""
    draw = np.random.default_rng(seed)
    labels = draw.integers(0, 2, rows).astype(np.int32)
    values = np.maximum(draw.normal(size=(rows, COLUMNS)), 0).astype(np.float32)
    values[:, :200] += 0.3 * labels[:, None]
    stored = values.astype(np.float16).reshape(rows, 4, 4, 512)
    described = RowTable(
        ids=[f"{split}/{number}.jpg" for number in range(rows)],
        labels=labels,
        digests=draw.integers(0, 256, (rows, 32), np.uint8),
        views=np.zeros(rows, np.uint8),
    )
    path = folder / f"{split}.h5"
    create_feature_file(path, Header(SPEC, "bench", "bench", split, ("a", "b")), described, stored.shape[1:])
    layout = open_feature_file(path)
    np.memmap(path, np.float16, "r+", offset=layout.offsets["features"], shape=stored.shape)[:] = stored
    crc32 = np.array([zlib.crc32(row.data) for row in stored], np.uint32)
    return FeatureSet(layout.features, described, crc32, SPEC, ("a", "b"), split, "bench", path)


def time_epochs(train: FeatureSet) -> dict[str, float]:
    """Times an epoch of the lecture's head, 256 units and dropout in batches of 20: the median of several."""
    from pipeline.heads._keras.feeding import MemoryFeed
    from pipeline.heads._keras.fitting import EpochLoop

    keras = import_keras()
    table = train.to_memory().reshape(len(train), -1).astype(np.float32)

    def build() -> object:
        keras.utils.set_random_seed(0)
        layers = keras.layers
        hidden = [
            layers.Dense(256, activation="relu"),
            layers.Dropout(0.5),
            layers.Dense(2, activation="softmax"),
        ]
        return keras.Sequential([keras.Input((COLUMNS,)), *hidden])

    def plain(jit: bool) -> Callable[[], object]:
        model = build()
        model.compile(keras.optimizers.RMSprop(1e-4), "sparse_categorical_crossentropy", jit_compile=jit)
        return lambda: model.fit(table, train.labels, batch_size=BATCH, epochs=1, verbose=0)

    def ours(compiled: bool) -> Callable[[], object]:
        feed = MemoryFeed(table, train.labels, np.ones(len(table), np.float32))
        order = np.random.default_rng(0)
        loop = EpochLoop(build(), keras.optimizers.RMSprop(1e-4), dtype="float32", compiled=compiled)
        return lambda: loop.run(feed.chunks(order, batch_size=BATCH), batch_size=BATCH)

    steps = {
        "fit": plain(False),
        "fit, jit_compile": plain(True),
        "pipeline": ours(False),
        "pipeline, XLA": ours(True),
    }
    return _medians(steps, repeats=EPOCHS)


def time_sweep(train: FeatureSet, valid: FeatureSet) -> dict[str, float]:
    """Times one logreg fit from the file, and a sweep over ten penalties."""
    from pipeline.heads import fit_head
    from pipeline.sweeps import candidates, sweep

    penalties = [f"{value:.0e}" for value in np.logspace(-6, 0, 10)]
    wanted = candidates([("logreg", {"C": penalties})])

    def swept() -> None:
        with tempfile.TemporaryDirectory() as runs:
            sweep(wanted, train, valid, runs=Path(runs))

    fitted = {"one fit": lambda: fit_head("logreg", train, valid), "ten penalties": swept}
    return _medians(fitted, repeats=4)


def sweep_memory(train: FeatureSet, valid: FeatureSet, jobs: int) -> int:
    """Returns the peak of the memory of a sweep in bytes, shared pages counted once (Linux)."""
    answers: multiprocessing.Queue[int] = multiprocessing.get_context("spawn").Queue()
    process = multiprocessing.get_context("spawn").Process(
        target=_sweep_watched, args=(train.path, valid.path, jobs, answers)
    )
    process.start()
    peak = answers.get()
    process.join()
    return peak


def _sweep_watched(train: Path, valid: Path, jobs: int, answers: multiprocessing.Queue[int]) -> None:
    from joblib.externals.loky import get_reusable_executor

    from pipeline.sweeps import candidates, sweep

    peak, over = 0, threading.Event()

    def watch() -> None:
        nonlocal peak
        while not over.wait(0.05):
            peak = max(peak, _proportional_bytes(os.getpid()))

    watcher = threading.Thread(target=watch)
    watcher.start()
    wanted = candidates([("logreg", {"C": [f"{value:.0e}" for value in np.logspace(-6, 0, 16)]})])
    with tempfile.TemporaryDirectory() as runs:
        sweep(wanted, _mapped(train), _mapped(valid), runs=Path(runs), jobs=jobs)
    over.set()
    watcher.join()
    get_reusable_executor().shutdown(wait=True)  # idle workers would keep this process waiting
    answers.put(peak)


def _mapped(path: Path) -> FeatureSet:
    layout = open_feature_file(path)
    crc32 = np.array([zlib.crc32(np.ascontiguousarray(row).data) for row in layout.features], np.uint32)
    return FeatureSet(layout.features, layout.rows, crc32, SPEC, ("a", "b"), path.stem, "bench", path)


def _proportional_bytes(pid: int) -> int:
    """Sums the proportional set size of a process and its descendants."""
    total = 0
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                total += 1024 * int(line.split()[1])
        for task in Path(f"/proc/{pid}/task").iterdir():
            total += sum(_proportional_bytes(int(child)) for child in (task / "children").read_text().split())
    except (OSError, ValueError):
        pass  # it has just ended
    return total


def _medians(steps: dict[str, Callable[[], object]], repeats: int) -> dict[str, float]:
    """Runs the steps in turn, leaves the first round out, and returns the median seconds of each."""
    seconds: dict[str, list[float]] = {name: [] for name in steps}
    for _ in range(repeats + 1):
        for name, step in steps.items():
            started = time.perf_counter()
            step()
            seconds[name].append(time.perf_counter() - started)
    return {name: statistics.median(values[1:]) for name, values in seconds.items()}


HEADS = ("logreg", "ridge", "lda", "knn", "sgd", "gaussian-nb", "prototype", "mlp", "hist-gradient-boosting")
HEADS += ("random-forest", "dense")


def time_heads(entry: Path, heads: list[str]) -> None:
    """Trains heads on an entry, each in a process of its own, and writes ``stage_two_heads.csv``."""
    train = open_features(entry, "train")
    table = 4 * len(train) * math.prod(train.feature_shape)
    rows, first = [], math.nan
    for head in heads:
        ended = run_process([sys.executable, __file__, "--entry", str(entry), "--alone", head])
        first = ended.answer["seconds"] if head == "logreg" else first
        rows.append(
            {
                "head": head,
                "rows": len(train),
                "columns": math.prod(train.feature_shape),
                "fit_seconds": number(ended.answer["seconds"], 1),
                "fit_to_logreg": number(ended.answer["seconds"] / first, 2),
                "whole_seconds": number(ended.seconds, 1),
                "peak_megabytes": number(ended.peak_rss / 1e6, 0),
                "peak_to_float32_features": number(ended.peak_rss / table, 2),
                "val_accuracy": number(ended.answer["val_accuracy"], 4),
            }
        )
        tell(f"  {rows[-1]}")
    write_table(RESULTS.parent / "stage_two_heads.csv", rows)


def train_alone(entry: Path, head: str) -> None:
    """Trains and saves a head, and prints what it took."""
    from pipeline.heads import train_head

    with tempfile.TemporaryDirectory() as runs:
        trained = train_head(head, open_features(entry, "train"), open_features(entry, "val"), runs=runs)
    print(json.dumps({"seconds": trained.seconds, "val_accuracy": trained.val_accuracy}))


def main() -> None:
    """Measures what is asked for."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--entry", type=Path, help="train heads on this entry instead")
    parser.add_argument("--heads", nargs="+", default=HEADS, help="which; logreg first, for the ratios")
    parser.add_argument("--alone", metavar="HEAD", help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.alone:
        train_alone(given.entry, given.alone)
    elif given.entry:
        time_heads(given.entry, given.heads)
    else:
        time_all()


def time_all() -> None:
    """Measures epochs, sweeps and what workers share, and writes ``stage_two.csv``."""
    rows: list[tuple[str, str, float, float]] = []
    with tempfile.TemporaryDirectory() as folder:
        train = features_file(Path(folder), "train", ROWS, 0)
        valid = features_file(Path(folder), "val", 1000, 1)
        for title, unit, figures in (
            ("epoch of Dense 256 at 2,000 x 8,192, batch 20", "s", time_epochs(train)),
            ("logreg at 2,000 x 8,192", "s", time_sweep(train, valid)),
        ):
            base = next(iter(figures.values()))
            rows += [
                (f"{title}: {name}", unit, round(value, 3), round(value / base, 3))
                for name, value in figures.items()
            ]
        one, eight = (sweep_memory(train, valid, jobs) for jobs in (1, 8))
        copy = train.features.nbytes
        rows.append(("sweep with 1 worker: peak memory", "MB", round(one / 1e6), 1.0))
        rows.append(
            ("sweep with 8 workers: peak memory", "MB", round(eight / 1e6), round(eight / (one + copy), 3))
        )
    RESULTS.parent.mkdir(exist_ok=True)
    with open(RESULTS, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(("what", "unit", "value", "ratio"))
        writer.writerows(rows)
    for row in rows:
        print(*row, sep="  ")


if __name__ == "__main__":
    main()
