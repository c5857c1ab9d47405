"""Stage one on 1 to 1,000 workers, simulated: images/s, time, money, disk, and what saturates first.

Rates come from the measured tables in results/; options replace them. What nobody measured is an
assumption, and an option: the file system, prices, stragglers, losses.

python benchmarks/simulate_cluster.py
python benchmarks/simulate_cluster.py --backbone mobilenet_v2 --images 1e9 --workers 100 1000
python benchmarks/simulate_cluster.py --rate 3000 --price 2.5 --slow-share 0.05 --failure-hours 24
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path

from cluster import Cluster, Outcome, simulate
from measuring import tell
from tables import RESULTS, number, read_table, write_table

WORKERS = [1, 3, 10, 30, 100, 300, 1000]


def main() -> None:
    """Simulates every number of workers, prints a table and writes ``simulated.csv``."""
    given = parse_arguments()
    table = []
    for workers in given.workers:
        outcome = simulate(cluster_of(given, workers), given.images, seed=given.seed)
        table.append(described(given, workers, outcome))
        tell(line_about(table[-1]))
    write_table(given.out, table)


def parse_arguments() -> argparse.Namespace:
    """Reads the command line and fills what it leaves open from the measured tables."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    run = parser.add_argument_group("the run")
    run.add_argument("--backbone", default="vgg16")
    run.add_argument("--image-size", type=int, default=150)
    run.add_argument("--pooling", choices=("none", "avg"), default="avg")
    run.add_argument("--images", type=whole, default=10_000_000)
    run.add_argument("--workers", type=whole, nargs="+", default=WORKERS)
    measured = parser.add_argument_group("measured (default: benchmarks/results/)")
    measured.add_argument("--rate", type=above_zero, help="images/s of one worker")
    measured.add_argument("--record-ms", type=not_negative, help="milliseconds a block in the command")
    measured.add_argument("--stock-rate", type=above_zero, help="images/s that one machine reads and digests")
    measured.add_argument("--image-bytes", type=above_zero, help="bytes of an image file")
    measured.add_argument("--start-seconds", type=not_negative, help="until a worker has loaded its base")
    assumed = parser.add_argument_group("assumed")
    assumed.add_argument("--bandwidth", type=above_zero, default=1e9, help="bytes/s of the file system")
    assumed.add_argument("--slow-share", type=share, default=0.0, help="share of stragglers")
    assumed.add_argument("--slow-by", type=above_zero, default=2.0, help="how many times slower they are")
    assumed.add_argument("--failure-hours", type=above_zero, default=math.inf, help="mean life of a worker")
    assumed.add_argument("--restart-seconds", type=not_negative, default=120.0)
    assumed.add_argument("--price", type=not_negative, default=0.1, help="USD for a worker and hour")
    assumed.add_argument("--disk-price", type=not_negative, default=25.0, help="USD for 1e12 bytes a month")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=RESULTS / "simulated.csv")
    given = parser.parse_args()
    given.row_bytes = row_bytes_of(given.backbone, given.image_size, given.pooling)
    if given.rate is None:
        given.rate = rate_of(given.backbone)
    if given.record_ms is None:
        given.record_ms = record_milliseconds()
    if given.start_seconds is None:
        given.start_seconds = start_seconds()
    stock = read_table(RESULTS / "stock.csv")[0]
    given.stock_rate = given.stock_rate or float(stock["images_per_second"])
    given.image_bytes = given.image_bytes or float(stock["bytes_an_image"])
    given.memory_bytes = float(stock["kept_bytes_an_image"])
    return given


def cluster_of(given: argparse.Namespace, workers: int) -> Cluster:
    """Returns the cluster that the options describe."""
    return Cluster(
        workers=workers,
        rate=given.rate,
        bandwidth=given.bandwidth,
        image_bytes=given.image_bytes,
        row_bytes=given.row_bytes,
        record_seconds=given.record_ms / 1000,
        stock_rate=given.stock_rate,
        start_seconds=given.start_seconds,
        slow_share=given.slow_share,
        slow_by=given.slow_by,
        failure_hours=given.failure_hours,
        restart_seconds=given.restart_seconds,
    )


def described(given: argparse.Namespace, workers: int, outcome: Outcome) -> dict[str, object]:
    """Returns a row of the table: what was put in, and what came out."""
    hours = (outcome.stock_seconds + outcome.fill_seconds) / 3600
    disk = given.images * given.row_bytes
    return {
        "backbone": given.backbone,
        "image_size": given.image_size,
        "pooling": given.pooling,
        "images": given.images,
        "workers": workers,
        "worker_images_per_second": number(given.rate, 1),
        "record_milliseconds": number(given.record_ms, 2),
        "bandwidth_bytes_per_second": number(given.bandwidth, 0),
        "bytes_an_image": number(given.image_bytes, 0),
        "bytes_a_row": given.row_bytes,
        "slow_share": given.slow_share,
        "failure_hours": given.failure_hours,
        "images_per_second": number(outcome.rate, 0),
        "fill_images_per_second": number(outcome.fill_rate, 0),
        "efficiency": number(outcome.fill_rate / (workers * given.rate), 3),
        "first_limit": outcome.first_limit,
        **{f"{name.replace(' ', '_')}_busy": number(part, 3) for name, part in outcome.busy.items()},
        "rows_in_block": outcome.block_rows,
        "stock_hours": number(outcome.stock_seconds / 3600, 2),
        "fill_hours": number(outcome.fill_seconds / 3600, 2),
        "workers_lost": outcome.lost,
        "blocks_repeated": outcome.repeated,
        "blocks_given_up": outcome.given_up,
        "usd_workers": number(hours * workers * given.price, 0),
        "usd_disk_a_month": number(disk / 1e12 * given.disk_price, 0),
        "disk_terabytes": number(disk / 1e12, 2),
        "command_memory_gigabytes": number(given.memory_bytes * given.images / 1e9, 1),
    }


def line_about(row: dict[str, object]) -> str:
    """Returns what is most worth knowing of a row."""
    return (
        f"{row['workers']:>6} workers: {row['fill_images_per_second']:>8} images/s, efficiency "
        f"{row['efficiency']}; stock {row['stock_hours']} h + fill {row['fill_hours']} h, "
        f"{row['usd_workers']} USD; busiest: {row['first_limit']}; lost: {row['workers_lost']} workers"
    )


def rate_of(backbone: str) -> float:
    """Returns the measured images/s of one process: in this package's own rows, with float32.

    Raises:
        SystemExit: It has not been measured.
    """
    for row in read_table(RESULTS / "stage_one.csv"):
        if (row["what"], row["backbone"], row["arithmetic"]) == ("pipeline, end to end", backbone, "float32"):
            return float(row["images_per_second"])
    for row in read_table(RESULTS / "executor_overhead.csv"):
        if (row["what"], row["backbone"]) == ("local", backbone):
            return float(row["images_per_second"])
    raise SystemExit(f"no rate of {backbone!r} in {RESULTS}: give --rate IMAGES_PER_SECOND")


def record_milliseconds() -> float:
    """Returns what a block costs with a base that does nothing: an upper bound of the command's part."""
    rows = read_table(RESULTS / "executor_overhead.csv")
    return next(
        float(row["milliseconds_a_block"])
        for row in rows
        if row["what"] == "ray" and row["milliseconds_a_block"]
    )


def start_seconds() -> float:
    """Returns what the whole command took longer than its work: the start of Python and of the base."""
    seconds = {
        row["what"]: float(row["seconds"])
        for row in read_table(RESULTS / "stage_one.csv")
        if row["arithmetic"] == "float32"
    }
    return seconds["pipeline, whole command with its start"] - seconds["pipeline, end to end"]


def row_bytes_of(backbone: str, image_size: int, pooling: str) -> int:
    """Returns the bytes of a row.

    Raises:
        SystemExit: The table holds no such base or size.
    """
    wanted = (backbone, str(image_size), pooling)
    for row in read_table(RESULTS / "row_bytes.csv"):
        if (row["backbone"], row["image_size"], row["pooling"]) == wanted:
            return int(row["bytes_a_row"])
    raise SystemExit(
        f"no {backbone!r} at {image_size} pixels in {RESULTS / 'row_bytes.csv'}: "
        f"run `python benchmarks/row_bytes.py --size {image_size}`"
    )


def above_zero(text: str) -> float:
    """Reads a number above 0."""
    if not (value := float(text)) > 0:
        raise argparse.ArgumentTypeError(f"{text} is not above 0")
    return value


def not_negative(text: str) -> float:
    """Reads a number that is 0 or more."""
    if not (value := float(text)) >= 0 or math.isinf(value):
        raise argparse.ArgumentTypeError(f"{text} is not 0 or more")
    return value


def share(text: str) -> float:
    """Reads a number from 0 to 1."""
    if not 0 <= (value := float(text)) <= 1:
        raise argparse.ArgumentTypeError(f"{text} is not between 0 and 1")
    return value


def whole(text: str) -> int:
    """Reads a whole number above 0, also as 1e9."""
    if not (value := above_zero(text)).is_integer():
        raise argparse.ArgumentTypeError(f"{text} is not a whole number")
    return int(value)


if __name__ == "__main__":
    main()
