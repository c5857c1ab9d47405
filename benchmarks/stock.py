"""What taking stock costs before anything is computed: images/s, memory an image, and that of a long list.

The memory of a manifest is what Python allocates. The memory of a list of millions is what the process holds
and no file stands for (``RssAnon``): what is in a file may be in memory, too, until somebody else wants it.

python benchmarks/stock.py
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
import tracemalloc
from pathlib import Path

import numpy as np
from inputs import add_image_option, place_images
from measuring import tell
from tables import RESULTS, number, write_table

from pipeline.extraction.plan import DEFAULT_ROWS_PER_FILE, group_files
from pipeline.extraction.targets import target_rows
from pipeline.images.image_list import ImageListBuilder
from pipeline.images.manifest import scan
from pipeline.images.sources import open_source


def main() -> None:
    """Measures and writes ``stock.csv``."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_image_option(parser)
    parser.add_argument("--count", type=int, default=4000, help="photographs whose reading is timed")
    parser.add_argument("--many", type=int, default=100_000, help="small files whose memory is counted")
    parser.add_argument("--listed", type=int, default=8_000_000, help="images whose list goes to a file")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=RESULTS / "stock.csv")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        photographs = place_images(given.images, Path(folder) / "photographs", given.count)
        seconds = [time_stock(photographs) for _ in range(given.rounds)]
        sizes = [path.stat().st_size for path in photographs.rglob("*.jpg")]
        kept, peak, wanted = memory_of_stock(many_files(Path(folder) / "many", given.many))
    quarter, resident = resident_of_list(given.listed // 4), resident_of_list(given.listed)
    write_table(
        given.out,
        [
            {
                "images": given.count,
                "bytes_an_image": number(statistics.mean(sizes), 0),
                "images_per_second": number(given.count / statistics.median(seconds), 0),
                "images_per_second_min_max": "-".join(
                    number(given.count / limit, 0) for limit in (max(seconds), min(seconds))
                ),
                "many": given.many,
                "kept_bytes_an_image": number(kept / given.many, 0),
                "peak_bytes_an_image": number(peak / given.many, 0),
                "wanted_bytes_an_image": number(wanted / given.many, 0),
                "listed": given.listed,
                "resident_mb_of_a_quarter": number(quarter / 1e6, 0),
                "resident_mb": number(resident / 1e6, 0),
            }
        ],
    )


def time_stock(folder: Path) -> float:
    """Returns the seconds of taking stock of a folder for the first time; its files are in memory."""
    started = time.perf_counter()
    scan(open_source(str(folder)))
    seconds = time.perf_counter() - started
    tell(f"  {seconds:.2f} s")
    return seconds


def many_files(folder: Path, count: int) -> Path:
    """Makes many small files in ten classes; taking stock looks at no pixel."""
    for number_ in range(count):
        place = folder / "train" / f"class{number_ % 10}" / f"{number_:09}.jpg"
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(str(number_))
    return folder


def memory_of_stock(folder: Path) -> tuple[int, int, int]:
    """Returns the bytes of the manifest, the most while it was made, and those of it with all wanted rows."""
    tracemalloc.start()
    manifest = scan(open_source(str(folder)))
    kept, peak = tracemalloc.get_traced_memory()
    sizes = {split: len(rows) for split, rows in manifest.splits.items()}
    wanted = [target_rows(manifest, portion) for portion in group_files(sizes, DEFAULT_ROWS_PER_FILE)]
    keys = np.concatenate([one.keys for one in wanted])
    both, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    told = [f"{number / len(keys):.0f}" for number in (kept, peak, both)]
    tell(f"  {told[0]} bytes an image, {told[1]} at the peak, {told[2]} with the wanted rows")
    return kept, peak, both


def resident_of_list(count: int) -> int:
    """Returns by how many bytes the process grows, at most, while images are listed and looked at."""
    before = most = anonymous_bytes()
    builder = ImageListBuilder(root="/photographs")
    started = time.perf_counter()
    for number_ in range(count):
        name = f"train/class{number_ * 1000 // count}/{number_:09}.jpg"
        builder.add(name, number_ * 1000 // count, split="train", path=f"/photographs/{name}")
        if number_ % 2**16 == 0:
            most = max(most, anonymous_bytes())
    listed = builder.finish()
    seconds = time.perf_counter() - started
    for number_ in range(0, count, max(count // 10_000, 1)):
        if listed[number_].label != number_ * 1000 // count:
            raise AssertionError(f"image {number_} is another")
    most = max(most, anonymous_bytes())
    tell(f"  {count:,} images listed in {seconds:.1f} s, {(most - before) / 1e6:.0f} MB at the most")
    return most - before


def anonymous_bytes() -> int:
    """Returns the memory of this process that no file stands for."""
    line = next(line for line in Path("/proc/self/status").read_text().splitlines() if "RssAnon" in line)
    return int(line.split()[1]) * 1024


if __name__ == "__main__":
    main()
