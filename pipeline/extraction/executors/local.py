"""Fills blocks on this machine: threads decode ahead while the base computes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from joblib import Parallel, delayed

from pipeline.cache.writing import EntryWriter
from pipeline.errors import PipelineError
from pipeline.extraction.engines import Engine
from pipeline.extraction.loading import Batch, Failure, Loader
from pipeline.extraction.plan import Block
from pipeline.extraction.timing import Timings
from pipeline.progress import Advance

BATCHES_AHEAD = 3


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
        timings: Collects the seconds of each step.
        advance: Told how many rows are finished.

    Returns:
        The images that could not be loaded; all other rows are written and done.

    Raises:
        PipelineError: Features overflow the stored dtype, or the disk refuses them.
    """
    slices = [(block, start) for block in blocks for start in range(0, len(block), engine.batch_size)]
    failures: list[Failure] = []
    batches = timings.waiting_for("wait", _load_ahead(slices, loader, threads))
    for (block, start), batch in zip(slices, batches, strict=True):
        timings.add(batch.seconds)
        failures += batch.failures
        if batch.loaded.any():
            with timings.step("forward"):
                features = engine.fetch(engine.submit(batch.images))
            with timings.step("write"):
                for number, writer in enumerate(writers):
                    _store(writer, block, start, number, batch, features[number], loader)
        if start + engine.batch_size >= len(block):
            with timings.step("write"):
                for writer in writers:
                    writer.commit()
        advance(len(batch.loaded))
    return failures


def _load_ahead(slices: list[tuple[Block, int]], loader: Loader, threads: int) -> Iterator[Batch]:
    """Yields loaded batches in order while the next ones are being loaded; at most a few are in memory."""
    workers = max(threads, 2)  # joblib runs a single worker in the caller, which would hide nothing
    pool = Parallel(
        n_jobs=workers, backend="threading", return_as="generator", pre_dispatch=workers + BATCHES_AHEAD - 1
    )
    return pool(
        delayed(loader.load)(block.rows[start : start + loader.batch_size]) for block, start in slices
    )


def _store(
    writer: EntryWriter,
    block: Block,
    start: int,
    cut: int,
    batch: Batch,
    features: np.ndarray,
    loader: Loader,
) -> None:
    targets = block.targets[cut]
    position = targets[:, 0] - start
    inside = (position >= 0) & (position < len(batch.loaded))
    inside[inside] = batch.loaded[position[inside]]
    position, rows = position[inside], targets[inside, 1]
    chosen = features[position]
    if not np.isfinite(chosen).all():
        row = next(row for row, values in zip(rows, chosen, strict=True) if not np.isfinite(values).all())
        raise PipelineError(
            f"features of {loader.items[row].id} (row {row}) are not finite in {chosen.dtype}: "
            "use --store float32, or --precision float32 if they overflow there too. "
            "All finished rows are kept"
        )
    writer.write(rows, chosen)
