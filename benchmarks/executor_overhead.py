"""What Ray costs: milliseconds a block with a base that does nothing, and its rate on the same cores.

python benchmarks/executor_overhead.py
python benchmarks/executor_overhead.py --backbone vgg16 --count 320 --rounds 7
"""

from __future__ import annotations

import argparse
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from inputs import add_image_option, empty, place_images
from measuring import Contender, Pass, Row, interleave
from tables import RESULTS, number, write_table

from pipeline.backbones.weights import Weights
from pipeline.extraction import FeatureRequest, extract, filling, make_executor
from pipeline.extraction.executors import Executor, Session

NULL_ROWS = 4
"""Rows of a block with the null base: so few that nothing but the executor takes time."""


@dataclass(frozen=True, eq=False)
class Warm:
    """An executor whose session has loaded its base and goes from run to run.

    Attributes:
        ready: The session.
    """

    ready: Session

    @contextmanager
    def session(self) -> Iterator[Session]:
        """Hands out the session and leaves it as it is."""
        yield self.ready


def warm_crew(executor: Executor, opened: ExitStack, workers: int) -> Executor:
    """Opens a session that loads its base once, in the first run that asks, with all of its workers."""
    session = opened.enter_context(executor.session())
    load = session.load
    loaded: list[bool] = []

    def once(request: FeatureRequest, weights: Weights) -> None:
        if not loaded:
            load(request, weights)
            loaded.append(True)
            if workers:
                session.gather(workers)

    session.load = once
    return Warm(session)


def passes(
    data: str, request: FeatureRequest, cache: Path, executor: Executor
) -> Callable[[], Sequence[Pass]]:
    """Returns what fills an empty cache once and tells the seconds of filling it."""

    def run() -> Sequence[Pass]:
        (report,) = extract(data, request, cache=empty(cache), executor=executor)
        return [Pass(report.timings["fill"])]

    return run


def compare(
    data: str, request: FeatureRequest, images: int, cache: Path, *, rounds: int, cores: int
) -> list[Row]:
    """Measures one process against Ray with one worker a core."""
    with ExitStack() as opened:
        contenders = []
        for name, workers in (("local", 0), ("ray", cores)):
            options = {"workers": workers, "address": "local"} if workers else {}
            executor = warm_crew(make_executor(name, options), opened, workers)
            run = passes(data, request, cache, executor)
            run()  # loads the base
            row = Row(name, request.precision, request.batch_size, images)
            contenders.append(Contender([row], run))
        return interleave(contenders, rounds, lambda run: run())


def main() -> None:
    """Measures and writes ``executor_overhead.csv``."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_image_option(parser)
    parser.add_argument("--backbone", default="mobilenet_v2")
    parser.add_argument("--size", type=int, default=150)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--count", type=int, default=512)
    parser.add_argument("--null-count", type=int, default=800)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=RESULTS / "executor_overhead.csv")
    given = parser.parse_args()
    cores = os.cpu_count() or 1
    table = []
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        for backbone, count, size, batch, block_rows in (
            ("pixels", given.null_count, 8, NULL_ROWS, NULL_ROWS),
            (given.backbone, given.count, given.size, given.batch, filling.BLOCK_ROWS),
        ):
            filling.BLOCK_ROWS = block_rows
            images = place_images(given.images, work / backbone, count)
            request = FeatureRequest(
                backbone=backbone, image_size=size, weights="random", precision="float32", batch_size=batch
            )
            rows = compare(str(images), request, count, work / "cache", rounds=given.rounds, cores=cores)
            local = rows[0]
            blocks = count / NULL_ROWS if backbone == "pixels" else None
            table += [
                {
                    "what": row.what,
                    "backbone": "null" if blocks else backbone,
                    "workers": 1 if row is local else cores,
                    "images": count,
                    "images_per_second": number(row.images / row.seconds, 1),
                    "ratio_to_local": number(row.ratio_to(local), 3),
                    "milliseconds_a_block": number(1000 * row.seconds / blocks if blocks else None, 2),
                    "rounds": given.rounds,
                }
                for row in rows
            ]
    write_table(given.out, table)


if __name__ == "__main__":
    main()
