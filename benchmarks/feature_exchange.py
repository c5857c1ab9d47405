"""Time and memory of ``pipeline cache export`` and ``cache import``, against a copy of the same file.

python benchmarks/feature_exchange.py
python benchmarks/feature_exchange.py --rows 60000 --width 1280 --formats parquet npz npy

The copy is read, written and made durable (fsync). Export and import are whole processes; their memory is
compared with that for a tenth of the rows.
"""

from __future__ import annotations

import argparse
import csv
import os
import shutil
import statistics
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from measuring import Ended, run_process, tell
from tables import RESULTS, number, write_table

PIPELINE = (sys.executable, "-m", "pipeline", "cache")
BLOCK = 4096


def main() -> None:
    """Measures and writes ``feature_exchange.csv``."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=60_000)
    parser.add_argument("--width", type=int, default=1280)
    parser.add_argument("--formats", nargs="+", default=["parquet", "npz", "npy"])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=RESULTS / "feature_exchange.csv")
    given = parser.parse_args()
    table = []
    with tempfile.TemporaryDirectory() as folder:
        sizes = (given.rows // 10, given.rows)
        caches = {rows: prepare(Path(folder, str(rows)), rows, given.width) for rows in sizes}
        for form in given.formats:
            few = exchange(caches[sizes[0]], form)
            passes = [exchange(caches[given.rows], form) for _ in range(given.rounds)]
            for what in ("export", "import"):
                ended = [one[what] for one in passes]
                ratio = statistics.median(one[what].seconds / one["copy"] for one in passes)
                peak = statistics.median(one.peak_rss for one in ended)
                table.append(
                    {
                        "what": what,
                        "format": form,
                        "rows": given.rows,
                        "width": given.width,
                        "seconds_of_copy": number(ratio, 2),
                        "start_seconds_of_copy": number(
                            statistics.median(few[what].seconds / one["copy"] for one in passes), 2
                        ),
                        "peak_megabytes": number(peak / 1e6, 0),
                        "peak_of_tenth_megabytes": number(few[what].peak_rss / 1e6, 0),
                    }
                )
                tell(f"  {what} {form}: {ratio:.2f} x a copy, peak {peak / 1e6:,.0f} MB")
    write_table(given.out, table)


def prepare(work: Path, rows: int, width: int) -> Path:
    """Makes an entry of made-up features, and returns the folder that its cache is in."""
    work.mkdir()
    generator = np.random.default_rng(0)
    array = np.lib.format.open_memmap(work / "made.npy", "w+", np.float16, (rows, width))
    for start in range(0, rows, BLOCK):
        array[start : start + BLOCK] = generator.normal(size=(min(BLOCK, rows - start), width))
    array.flush()
    with (work / "made.csv").open("w", newline="") as file:
        lines = csv.writer(file)
        lines.writerow(["id", "label"])
        lines.writerows((f"{row}.jpg", f"class {row % 100}") for row in range(rows))
    run_process((*PIPELINE, "import", str(work / "made.npy"), "--cache", str(work / "cache"), "--json"))
    return work


def exchange(work: Path, form: str) -> dict[str, Ended | float]:
    """Exports the entry, copies the file, and imports it into an empty cache."""
    file, copy, cache = work / f"out.{form}", work / f"copy.{form}", work / "imported"
    shutil.rmtree(cache, ignore_errors=True)
    exported = run_process(
        (
            *PIPELINE,
            "export",
            "--name",
            "made",
            "--cache",
            str(work / "cache"),
            "--out",
            str(file),
            "--force",
            "--json",
        )
    )
    started = time.perf_counter()
    with file.open("rb") as source, copy.open("wb") as target:
        shutil.copyfileobj(source, target, 1 << 20)
        target.flush()
        os.fsync(target.fileno())
    copied = time.perf_counter() - started
    copy.unlink()
    imported = run_process((*PIPELINE, "import", str(file), "--cache", str(cache), "--json"))
    return {"export": exported, "import": imported, "copy": copied}


if __name__ == "__main__":
    main()
