"""Fills blocks on this machine: a thread writes behind while the base computes."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from pipeline.cache.writing import EntryWriter
from pipeline.errors import PipelineError
from pipeline.extraction.engines import Engine
from pipeline.extraction.forward import feature_batches
from pipeline.extraction.loading import Batch, Failure, Loader
from pipeline.extraction.plan import Block
from pipeline.extraction.timing import Timings
from pipeline.progress import Advance

BATCHES_BEHIND = 2


@dataclass(frozen=True, eq=False)
class Part:
    """The rows of a block that go through the base together.

    Attributes:
        block: The block.
        start: First row, counted within the block.
        last: Whether the block is complete after it.
    """

    block: Block
    start: int
    last: bool


def fill(
    blocks: Sequence[Block],
    *,
    loader: Loader,
    engine: Engine,
    writers: Sequence[EntryWriter],
    threads: int,
    timings: Timings,
    advance: Advance,
) -> list[Failure]:
    """Computes every block and writes its rows into the entries.

    Args:
        blocks: What to compute.
        loader: Reads and decodes the images of wanted rows.
        engine: Runs the base; returns one array per entry.
        writers: One per cut, in the order of the engine's outputs.
        threads: Decoding threads.
        timings: Collects the seconds of each step; ``read``, ``decode`` and ``write`` pass in threads.
        advance: Told how many rows are finished.

    Returns:
        The images that could not be loaded; all other rows are written and done.

    Raises:
        BatchTooLargeError: The memory does not suffice; what was written stays.
        PipelineError: Features overflow the stored dtype, or the disk refuses them.
    """
    size = loader.batch_size
    parts = [
        Part(block, start, start + size >= len(block))
        for block in blocks
        for start in range(0, len(block), size)
    ]
    failures: list[Failure] = []
    wanted = [part.block.rows[part.start : part.start + size] for part in parts]
    batches = feature_batches(wanted, loader=loader, engine=engine, threads=threads, timings=timings)
    with ThreadPoolExecutor(1, "write") as writing:
        behind: deque[Future[int]] = deque()
        for part, (batch, features) in zip(parts, batches, strict=True):
            failures += batch.failures
            behind.append(writing.submit(_write, part, batch, features, writers, loader, timings))
            while len(behind) > BATCHES_BEHIND:
                with timings.step("wait_disk"):
                    advance(behind.popleft().result())
        with timings.step("wait_disk"):
            for written in behind:
                advance(written.result())
    return failures


def _write(
    part: Part,
    batch: Batch,
    features: Sequence[np.ndarray],
    writers: Sequence[EntryWriter],
    loader: Loader,
    timings: Timings,
) -> int:
    """Writes a batch to its places, makes a finished block durable, and returns the rows it took."""
    with timings.step("write"):
        for cut, writer in enumerate(writers):
            rows, chosen = _placed(part.block.targets[cut], part.start, batch.loaded, features[cut])
            finite = np.isfinite(chosen).all(axis=tuple(range(1, chosen.ndim)))
            if not finite.all():
                row = int(rows[~finite][0])
                raise PipelineError(
                    f"features of {loader.items[row].id} (row {row}) are not finite in {chosen.dtype}: "
                    "use --store float32, or --precision float32 if they overflow there too. "
                    "All finished rows are kept"
                )
            writer.write(rows, chosen)
            if part.last:
                writer.commit()
    return len(batch.loaded)


def _placed(
    targets: np.ndarray, start: int, loaded: np.ndarray, features: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Picks what one batch gives to one cut: wanted rows, int (m,), ascending, and their features."""
    position = targets[:, 0] - start
    inside = (position >= 0) & (position < len(loaded))
    inside[inside] = loaded[position[inside]]
    position = position[inside]
    whole = len(position) and np.array_equal(position, np.arange(position[0], position[0] + len(position)))
    chosen = features[position[0] : position[0] + len(position)] if whole else features[position]
    return targets[inside, 1], chosen
