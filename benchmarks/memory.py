"""Peak memory of ``pipeline extract`` over many images, against few.

python benchmarks/memory.py
python benchmarks/memory.py --few 1000 --many 20000 --backbone mobilenet_v2
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from pathlib import Path

from inputs import add_image_option, empty, place_images
from measuring import run_process, tell
from tables import RESULTS, number, write_table
from workers import extract_command


def main() -> None:
    """Measures and writes ``memory.csv``."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_image_option(parser)
    parser.add_argument("--backbone", default="mobilenet_v2")
    parser.add_argument("--size", type=int, default=150)
    parser.add_argument("--few", type=int, default=1000)
    parser.add_argument("--many", type=int, default=8000)
    parser.add_argument("--rounds", type=int, default=1)
    parser.add_argument("--out", type=Path, default=RESULTS / "memory.csv")
    given = parser.parse_args()
    counts = (given.few, given.many)
    # Arithmetic and batch are fixed: chosen by measurement, they could differ between two runs.
    options = ("--backbone", given.backbone, "--image-size", given.size, "--weights", "random")
    options += ("--precision", "float32", "--batch-size", 32)
    peaks: dict[int, list[int]] = {count: [] for count in counts}
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        placed = {count: place_images(given.images, work / str(count), count) for count in counts}
        for _ in range(given.rounds):
            for count, images in placed.items():
                ended = run_process(extract_command(images, empty(work / "cache"), *options))
                peaks[count].append(ended.peak_rss)
                tell(f"  {count:,} images: peak {ended.peak_rss / 1e6:,.0f} MB in {ended.seconds:.1f} s")
    few = statistics.median(peaks[given.few])
    write_table(
        given.out,
        [
            {
                "what": "pipeline extract",
                "backbone": given.backbone,
                "images": count,
                "peak_rss_megabytes": number(statistics.median(peaks[count]) / 1e6, 0),
                "ratio_to_few": number(statistics.median(peaks[count]) / few, 3),
            }
            for count in counts
        ],
    )


if __name__ == "__main__":
    main()
