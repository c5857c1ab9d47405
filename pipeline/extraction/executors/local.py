"""Fills blocks on this machine: a thread writes behind while the base computes."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from pipeline import registry
from pipeline.backbones.weights import Weights
from pipeline.cache.writer import EntryWriter
from pipeline.extraction import engines
from pipeline.extraction.engines import Engine
from pipeline.extraction.fastest import settle_batch_size
from pipeline.extraction.load import Batch, Loader, feature_batches
from pipeline.extraction.measurements import Rates
from pipeline.extraction.plan import Block
from pipeline.extraction.settle import SettledRequest
from pipeline.extraction.targets import BatchSlice, rows_to_load, scatter, slices_of
from pipeline.extraction.timing import Timings
from pipeline.hardware import cores
from pipeline.images import BadImage
from pipeline.progress import Advance

BATCHES_BEHIND = 2

T = TypeVar("T")


@dataclass(frozen=True)
class LocalExecutor:
    """Computes in this process, on all of its cores or its GPU."""

    @contextmanager
    def session(self) -> Iterator[LocalSession]:
        """Opens nothing: the base is loaded when it is needed."""
        yield LocalSession()


EXECUTOR = LocalExecutor


class LocalSession:
    """This process; see :class:`pipeline.extraction.executors.Session`."""

    workers = 1
    shares_files = True
    feature_shapes: list[tuple[int, ...]]

    def call(self, function: Callable[..., T], *arguments: Any) -> T:
        """Calls a function here."""
        return function(*arguments)

    def load(self, request: SettledRequest, weights: Weights) -> None:
        """Loads the base."""
        self._engine: Engine = registry.load(engines, "engine", request.engine).load(request, weights)
        self.feature_shapes = self._engine.feature_shapes

    def settle_batch_size(self, request: SettledRequest, rows: int, known: Rates) -> tuple[int, Rates]:
        """Chooses the images in a forward pass, see ``fastest.settle_batch_size``."""
        return settle_batch_size(request, self._engine, rows, known)

    def fill(
        self,
        blocks: Sequence[Block],
        *,
        loader: Loader,
        writers: Sequence[EntryWriter],
        timings: Timings,
        advance: Advance,
    ) -> list[BadImage]:
        """Computes every block and writes its rows into the entries."""
        pieces = slices_of(blocks, loader.batch_size)
        failures: list[BadImage] = []
        batches = feature_batches(
            rows_to_load(pieces, loader.batch_size),
            loader=loader,
            engine=self._engine,
            threads=cores(),
            timings=timings,
        )
        with ThreadPoolExecutor(1, "write") as writing:
            behind: deque[Future[int]] = deque()
            for piece, (batch, features) in zip(pieces, batches, strict=True):
                failures += batch.failures
                behind.append(writing.submit(_write, piece, batch, features, writers, loader, timings))
                while len(behind) > BATCHES_BEHIND:
                    with timings.step("wait_disk"):
                        advance(behind.popleft().result())
            with timings.step("wait_disk"):
                for written in behind:
                    advance(written.result())
        return failures


def _write(
    piece: BatchSlice,
    batch: Batch,
    features: Sequence[np.ndarray],
    writers: Sequence[EntryWriter],
    loader: Loader,
    timings: Timings,
) -> int:
    """Writes a batch to its places, makes a finished block durable, and returns the rows it took."""
    with timings.step("write"):
        placed = scatter(piece, batch, features, loader)
        for writer, (rows, chosen) in zip(writers, placed, strict=True):
            for file, inside, local in writer.files_of(rows):
                file.write(local, chosen[inside])
            if piece.last:
                writer.commit()
    return len(batch.loaded)
