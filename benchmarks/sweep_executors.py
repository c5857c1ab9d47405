"""What Ray costs a sweep: seconds of the same 20 candidates on the same cores, and memory of its workers.

python benchmarks/sweep_executors.py
python benchmarks/sweep_executors.py --rows 4000 --rounds 7 --memory-rows 16000
"""

from __future__ import annotations

import argparse
import os
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from time import perf_counter

import numpy as np
from measuring import Contender, Pass, Row, interleave, tell
from stage_two import COLUMNS, features_file
from tables import RESULTS, number, write_table

from pipeline.cache import FeatureSet
from pipeline.runtimes.ray import ray_connection
from pipeline.sweeps import Candidate, candidates, make_executor, sweep

CANDIDATES = (
    ("linear-svm", {"C": ("1e-6", "3e-6", "1e-5", "3e-5")}),
    ("svm-rbf", {"C": ("0.1", "1", "10", "100")}),
    ("knn", {"k": ("1", "5", "20", "50")}),
    ("random-forest", {"trees": ("100", "200")}),
    ("hist-gradient-boosting", {"rounds": ("50", "100")}),
    ("mlp", {"hidden": ("64", "128")}),
    ("lda", {}),
    ("ridge", {}),
)
PENALTIES = tuple(f"{value:.0e}" for value in np.logspace(-6, 0, 15))
IN_PLACE = (("prototype", {}), ("logreg", {"C": PENALTIES}))
"""Heads that copy no rows: what a worker has to itself does not grow with them."""


@dataclass
class Peaks:
    """Largest figures seen, in bytes.

    Attributes:
        all: Proportional set size of this process and all below it: shared pages count once.
        worker: Private memory of a process that fits for Ray.
    """

    all: int = 0
    worker: int = 0

    def look(self) -> None:
        """Takes what there is now."""
        sizes = [memory(pid) for pid in family(os.getpid())]
        self.all = max(self.all, sum(size["Pss"] for size, _ in sizes))
        private = [
            size["Private_Clean"] + size["Private_Dirty"]
            for size, title in sizes
            if title.startswith("ray::fit_here")
        ]
        self.worker = max([self.worker, *private])


def family(pid: int) -> Iterator[int]:
    """Yields a process and all below it (Linux)."""
    yield pid
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        try:
            below = children.read_text().split()
        except OSError:
            continue  # it has just ended
        for child in below:
            yield from family(int(child))


def memory(pid: int) -> tuple[dict[str, int], str]:
    """Returns the sizes of a process in bytes, and its title; zeros where it has just ended."""
    sizes = dict.fromkeys(("Pss", "Private_Clean", "Private_Dirty"), 0)
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            name, _, rest = line.partition(":")
            if name in sizes:
                sizes[name] = 1024 * int(rest.split()[0])
        return sizes, Path(f"/proc/{pid}/cmdline").read_text()
    except OSError:
        return sizes, ""


@contextmanager
def watched() -> Iterator[Peaks]:
    """Looks at the memory again and again."""
    peaks, over = Peaks(), threading.Event()

    def watch() -> None:
        while not over.wait(0.05):
            peaks.look()

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        yield peaks
    finally:
        over.set()
        watcher.join()


def passes(
    name: str, wanted: Sequence[Candidate], train: FeatureSet, valid: FeatureSet, *, jobs: int, runs: Path
) -> Callable[[], Sequence[Pass]]:
    """Returns what sweeps once and tells the seconds."""
    numbers = count()

    def run() -> Sequence[Pass]:
        started = perf_counter()
        executor = make_executor(name)
        sweep(wanted, train, valid, runs=runs / f"{name}{next(numbers)}", jobs=jobs, executor=executor)
        return [Pass(perf_counter() - started)]

    return run


def speed(rows: int, rounds: int, cores: int) -> list[dict[str, object]]:
    """Measures the same candidates with both executors, warm, in turn."""
    with tempfile.TemporaryDirectory() as folder, ray_connection("local"):
        runs = Path(folder)
        train, valid = made_features(runs, rows)
        wanted = candidates(CANDIDATES)
        contenders = []
        for name in ("local", "ray"):
            run = passes(name, wanted, train, valid, jobs=cores, runs=runs)
            run()  # starts processes and imports what they need
            contenders.append(Contender([Row(name, images=len(wanted))], run))
        measured = interleave(contenders, rounds, lambda run: run())
    return [
        {
            "what": row.what,
            "rows": rows,
            "jobs": cores,
            "candidates": row.images,
            "seconds": number(row.seconds, 2),
            "ratio_to_local": number(row.ratio_to(measured[0]), 3),
            "features_megabytes": "",
            "peak_pss_megabytes": "",
            "private_megabytes_a_worker": "",
            "rounds": rounds,
        }
        for row in measured
    ]


def memory_of(name: str, rows: int, jobs: int) -> dict[str, object]:
    """Measures the memory of a sweep, the start of Ray included."""
    wanted = candidates(IN_PLACE)
    with tempfile.TemporaryDirectory() as folder:
        runs = Path(folder)
        train, valid = made_features(runs, rows)
        with watched() as peaks, ray_connection("local") if name == "ray" else nullcontext():
            passes(name, wanted, train, valid, jobs=jobs, runs=runs)()
    tell(f"  {name}, {jobs} jobs: {peaks.all / 1e6:,.0f} MB, a worker {peaks.worker / 1e6:,.0f} MB")
    return {
        "what": f"{name}, memory",
        "rows": rows,
        "jobs": jobs,
        "candidates": len(wanted),
        "seconds": "",
        "ratio_to_local": "",
        "features_megabytes": number(6 * COLUMNS * (rows + len(valid)) / 1e6, 0),
        "peak_pss_megabytes": number(peaks.all / 1e6, 0),
        "private_megabytes_a_worker": number(peaks.worker / 1e6 or None, 0),
        "rounds": 1,
    }


def made_features(folder: Path, rows: int) -> tuple[FeatureSet, FeatureSet]:
    """Makes training rows and 1,000 validation rows."""
    return features_file(folder, "train", rows, 0), features_file(folder, "val", 1000, 1)


def main() -> None:
    """Measures and writes ``sweep_executors.csv``."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=2000)
    parser.add_argument("--memory-rows", type=int, nargs="+", default=[1000, 8000])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=RESULTS / "sweep_executors.csv")
    given = parser.parse_args()
    cores = os.cpu_count() or 1
    table = speed(given.rows, given.rounds, cores) if given.rounds else []
    for rows in given.memory_rows:
        table += [
            memory_of(name, rows, jobs) for name, jobs in (("local", cores), ("ray", 1), ("ray", cores))
        ]
    write_table(given.out, table)


if __name__ == "__main__":
    main()
