"""How long a leak check looks for near and for copied pictures among many, and what memory it takes.

python benchmarks/leak_speed.py
python benchmarks/leak_speed.py --train 50000 --test 10000 --channels 512
"""

from __future__ import annotations

import argparse
import hashlib
import resource
import tempfile
import time
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
from inputs import MADE
from measuring import tell
from tables import RESULTS, number, write_table

from pipeline.cache import FeatureSet
from pipeline.evaluation.leaks import find_leaks
from pipeline.evaluation.leaks.hashes import FILE_NAME, HashStore
from pipeline.images.row_table import RowTable

SPEC = replace(MADE, pooling="avg")


def main() -> None:
    """Measures and writes ``leak_speed.csv``."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--train", type=int, default=50_000)
    parser.add_argument("--test", type=int, default=10_000)
    parser.add_argument("--channels", type=int, default=512)
    parser.add_argument("--out", type=Path, default=RESULTS / "leak_speed.csv")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        splits = {
            split: drawn_split(Path(folder), split, count, given.channels)
            for split, count in (("train", given.train), ("test", given.test))
        }
        plant(splits)
        store = HashStore(Path(folder) / "drawn" / FILE_NAME)
        for one in splits.values():
            digests = [row.tobytes() for row in one.rows.digests]
            store.store({each: hashlib.sha256(each).digest() for each in digests})
        rows = [
            measured(splits, kinds)
            for kinds in (
                ("exact", "conflict", "group"),
                ("perceptual", "mirrored", "turned"),
                ("named",),
                ("near",),
            )
        ]
    write_table(
        given.out,
        [{"train": given.train, "test": given.test, "channels": given.channels, **row} for row in rows],
    )


def measured(splits: dict[str, FeatureSet], kinds: tuple[str, ...]) -> dict[str, str]:
    """Looks for some kinds once; memory is what the peak grew by."""
    before = peak()
    started, busy = time.perf_counter(), time.process_time()
    leaks = find_leaks(splits, kinds=kinds)
    seconds, busy = time.perf_counter() - started, time.process_time() - busy
    tell(f"{', '.join(kinds)}: {seconds:.1f} s, {len(leaks.findings)} found")
    return {
        "kinds": " ".join(kinds),
        "seconds": number(seconds, 2),
        "cpu_seconds": number(busy, 2),
        "peak_grew_megabytes": number((peak() - before) / 1e6, 0),
        "found": str(len(leaks.findings)),
    }


def peak() -> int:
    """Returns the largest resident memory of this process so far in bytes (Linux)."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def drawn_split(folder: Path, split: str, count: int, channels: int) -> FeatureSet:
    """Makes a split of features whose spectrum falls as that of a base does, mapped from a file."""
    random = np.random.default_rng([len(split), count])
    turn, _ = np.linalg.qr(np.random.default_rng(0).normal(size=(channels, channels)))
    directions = (np.arange(1, channels + 1)[:, None] ** -0.7 * turn).astype(np.float32)
    path = folder / "drawn" / "entry" / f"{split}.npy"
    path.parent.mkdir(parents=True, exist_ok=True)
    features = np.lib.format.open_memmap(path, "w+", np.float16, (count, channels))
    for start in range(0, count, 5000):
        drawn = random.standard_normal((min(5000, count - start), channels), np.float32)
        features[start : start + 5000] = drawn @ directions
    digests = random.integers(0, 256, (count, 32), dtype=np.uint8)
    return FeatureSet(
        features=features,
        rows=RowTable(
            ids=[f"{split}/{i}.jpg" for i in range(count)],
            labels=np.zeros(count, np.int32),
            digests=digests,
            views=np.zeros(count, np.uint8),
        ),
        crc32=np.array([zlib.crc32(row.data) for row in features], np.uint32),
        spec=SPEC,
        classes=("drawn",),
        split=split,
        dataset="drawn",
        path=path,
    )


def plant(splits: dict[str, FeatureSet], count: int = 100) -> None:
    """Makes the last test rows nearly equal to the last training rows, so that there is something to find."""
    train, test = splits["train"], splits["test"]
    for row in range(1, count + 1):
        noise = np.random.default_rng(row).normal(0, 0.01, train.features.shape[1])
        test.features[-row] = train.features[-row] + noise.astype(np.float16)
        test.crc32[-row] = zlib.crc32(test.features[-row].data)


if __name__ == "__main__":
    main()
