"""The forward pass over many images: threads decode ahead while the base computes."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np

from pipeline.extraction.engines import Engine
from pipeline.extraction.loading import Batch, Loader
from pipeline.extraction.timing import Timings

BATCHES_AHEAD = 3


def feature_batches(
    wanted: Sequence[np.ndarray], *, loader: Loader, engine: Engine, threads: int, timings: Timings
) -> Iterator[tuple[Batch, Sequence[np.ndarray]]]:
    """Computes features batch by batch, in order.

    Args:
        wanted: Per batch, the rows that the loader is to load, int (n,) with n <= batch size.
        loader: Reads and decodes the images of the rows.
        engine: Runs the base.
        threads: Decoding threads.
        timings: Collects the seconds of each step.

    Yields:
        The loaded batch, and per cut its features, (batch size, *feature shape) in the stored dtype; rows
        that are not loaded hold nothing of use.

    Raises:
        BatchTooLargeError: The memory does not suffice.
    """
    batches = timings.waiting_for("wait_images", load_ahead(wanted, loader, threads))
    for batch, features in _run_ahead(batches, engine, timings):
        timings.add(batch.seconds)
        yield batch, features


def load_ahead(wanted: Sequence[np.ndarray], loader: Loader, threads: int) -> Iterator[Batch]:
    """Yields loaded batches in order while the next ones are being loaded; only a few are in memory."""
    # joblib's generator is not used: its workers run on while nobody takes what they made.
    pool = ThreadPoolExecutor(threads, "load")
    try:
        ahead: deque[Future[Batch]] = deque()
        for rows in wanted:
            ahead.append(pool.submit(loader.load, rows))
            if len(ahead) >= threads + BATCHES_AHEAD:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def _run_ahead(
    loaded: Iterable[Batch], engine: Engine, timings: Timings
) -> Iterator[tuple[Batch, Sequence[np.ndarray]]]:
    """Runs the base one batch ahead of fetching, so that a device computes while the host copies."""
    ahead: tuple[Batch, Any] | None = None
    for batch in loaded:
        with timings.step("forward"):
            pending = engine.submit(batch.images)
            if ahead is not None:
                features = engine.fetch(ahead[1])
        if ahead is not None:
            yield ahead[0], features
        ahead = batch, pending
    if ahead is not None:
        with timings.step("forward"):
            features = engine.fetch(ahead[1])
        yield ahead[0], features
