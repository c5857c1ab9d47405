"""What taking stock of a folder costs before anything is computed: images/s, and memory an image.

python benchmarks/stock.py
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
import tracemalloc
from pathlib import Path

from inputs import add_image_option, place_images
from measuring import tell
from tables import RESULTS, number, write_table

from pipeline.extraction.wanted import wanted_rows
from pipeline.images.catalog import take_stock
from pipeline.images.sources import open_source


def main() -> None:
    """Measures and writes ``stock.csv``."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_image_option(parser)
    parser.add_argument("--count", type=int, default=4000, help="photographs whose reading is timed")
    parser.add_argument("--many", type=int, default=30_000, help="small files whose memory is counted")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=RESULTS / "stock.csv")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        photographs = place_images(given.images, Path(folder) / "photographs", given.count)
        seconds = [time_stock(photographs) for _ in range(given.rounds)]
        sizes = [path.stat().st_size for path in photographs.rglob("*.jpg")]
        kept, peak = memory_of_stock(many_files(Path(folder) / "many", given.many))
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
            }
        ],
    )


def time_stock(folder: Path) -> float:
    """Returns the seconds of taking stock of a folder for the first time; its files are in memory."""
    started = time.perf_counter()
    take_stock(open_source(str(folder)))
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


def memory_of_stock(folder: Path) -> tuple[int, int]:
    """Returns the bytes of the catalog with its wanted rows and keys, and the most while they were made."""
    tracemalloc.start()
    catalog = take_stock(open_source(str(folder)))
    wanted = wanted_rows(catalog)
    keys = wanted.keys
    kept, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    tell(f"  {kept / len(keys):.0f} bytes an image, {peak / len(keys):.0f} at the peak")
    return kept, peak


if __name__ == "__main__":
    main()
