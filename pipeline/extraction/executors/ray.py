"""Fills blocks on a Ray cluster: each worker loads the base once and writes its rows where the cache lies.

Ray starts the workers, gives them cores and GPUs, moves what they need, and notices when one dies. A worker
that is gone is replaced, and its blocks go to whoever is free.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any, TypeVar

from pipeline.backbones.weights import Weights
from pipeline.cache.entries import cache_of
from pipeline.cache.partial_file import refused
from pipeline.cache.row_places import FeatureFiles
from pipeline.cache.writer import EntryWriter
from pipeline.errors import PipelineError, unknown
from pipeline.extraction.executors._ray_nodes import Share, share_out
from pipeline.extraction.executors._ray_pool import WorkerPool
from pipeline.extraction.executors._ray_worker import Filled, Introduction, Job
from pipeline.extraction.load import Loader
from pipeline.extraction.measurements import Rates
from pipeline.extraction.plan import Block
from pipeline.extraction.settle import SettledRequest
from pipeline.extraction.timing import Timings
from pipeline.files import create, discard
from pipeline.images import BadImage
from pipeline.options import Check, Count
from pipeline.progress import Advance, say
from pipeline.runtimes.ray import main_reason, ray_connection

T = TypeVar("T")
WRITES = ("auto", "driver", "workers")
NotNegative = Annotated[float, Check("0 or more", lambda value: value >= 0)]


@dataclass(frozen=True, kw_only=True)
class RayExecutor:
    """Computes on a Ray cluster.

    Attributes:
        address: ``auto``, ``local``, ``host:port`` or ``ray://host:port``; None = a cluster that is there,
            otherwise this machine.
        workers: Processes that compute; None = one per GPU, or per machine where there is none.
        gpus_per_worker: GPUs that each is given, also a part of one; None = 1 where there are GPUs.
        write: Who writes rows: ``workers``, ``driver``, or ``auto`` = each worker that sees the cache.
    """

    address: str | None = None
    workers: Count | None = None
    gpus_per_worker: NotNegative | None = None
    write: str = "auto"

    def __post_init__(self) -> None:
        if self.write not in WRITES:
            raise unknown("--write", self.write, WRITES)

    @contextmanager
    def session(self) -> Iterator[RaySession]:
        """Opens nothing yet: a run that computes nothing needs no cluster. Closes what was opened."""
        session = RaySession(self)
        try:
            yield session
        finally:
            session.close()


EXECUTOR = RayExecutor


class RaySession:
    """Workers on a cluster; see :class:`pipeline.extraction.executors.Session`."""

    feature_shapes: list[tuple[int, ...]]
    shares_files = False
    _pool: WorkerPool

    def __init__(self, executor: RayExecutor) -> None:
        self._executor = executor
        self._opened = ExitStack()
        self._ray: ModuleType | None = None

    @property
    def workers(self) -> int:
        """How many workers were asked for."""
        return self._share.workers

    def call(self, function: Callable[..., T], *arguments: Any) -> T:
        """Calls a function in a process on a machine of the cluster, as a worker would run.

        Raises:
            PipelineError: The function raised it; or it raised something else, or its process died.
        """
        ray = self._connect()
        # After one call the process ends: TensorFlow would keep the memory that it has taken.
        task = ray.remote(num_cpus=self._share.cpus, num_gpus=self._share.gpus, max_calls=1)(function)
        try:
            return ray.get(task.remote(*arguments))
        except ray.exceptions.RayTaskError as error:
            if isinstance(error.cause, PipelineError):
                raise error.cause from None
            raise PipelineError(
                f"a process on the Ray cluster cannot measure: {main_reason(error.cause)}. "
                "Install this package on every machine, or name --precision and --engine"
            ) from error
        except ray.exceptions.RayError as error:
            raise PipelineError(
                f"the process that measured on the Ray cluster died ({main_reason(error)}): give it more "
                "memory, or name --precision and --engine"
            ) from error

    def load(self, request: SettledRequest, weights: Weights) -> None:
        """Starts the workers and waits until the first has loaded its base; the others join later.

        Raises:
            UsageError: There is no cluster, or it can never give what is asked for.
            PipelineError: No worker can load the base.
        """
        ray = self._connect()
        self._pool = WorkerPool(ray, self._share, request, weights)
        self._opened.callback(self._pool.end)
        self.feature_shapes = self.gather().feature_shapes

    def gather(self, count: int = 1) -> Introduction:
        """Waits until some workers have loaded their base."""
        return self._pool.gather(count)

    def settle_batch_size(self, request: SettledRequest, rows: int, known: Rates) -> tuple[int, Rates]:
        """Chooses the images in a forward pass, measured by a worker."""
        return self._pool.ask("settle_batch_size", request, rows, known)

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
        places = [writer.places() for writer in writers]
        failures: list[BadImage] = []
        folder = next(place.path.parent for of_cut in places for place in of_cut)
        with ExitStack() as opened:
            probe, token = opened.enter_context(_probe(folder))
            files = [opened.enter_context(FeatureFiles(of_cut)) for of_cut in places]
            job = Job(loader, places, probe, token)
            finished = opened.enter_context(closing(self._pool.work(blocks, job, write=self._executor.write)))
            for block, filled, reason in finished:
                if filled is None:
                    failures += _given_up(block, reason, loader)
                    continue
                with timings.step("wait_disk"):
                    _keep(filled, files, writers)
                timings.add(filled.seconds)
                failures += filled.failures
                advance(filled.rows)
        return failures

    def close(self) -> None:
        """Ends the workers, and the cluster where it was started for them."""
        self._opened.close()

    def _connect(self) -> ModuleType:
        if self._ray is None:
            self._ray = self._opened.enter_context(ray_connection(self._executor.address))
            self._share: Share = share_out(
                self._ray.nodes(),
                workers=self._executor.workers,
                gpus_per_worker=self._executor.gpus_per_worker,
            )
            say(f"ray: {self._share}")
        return self._ray


@contextmanager
def _probe(folder: Path) -> Iterator[tuple[Path, str]]:
    """Puts a file where the features stand, by which a worker can tell whether it sees them."""
    token = secrets.token_hex(16)
    path = folder / f"probe-{token[:8]}.tmp"
    root = cache_of(path)
    with refused(path), os.fdopen(create(path, root=root), "w") as file:
        file.write(token)
    try:
        yield path, token
    finally:
        discard(path, root=root)


def _keep(filled: Filled, files: Sequence[FeatureFiles], writers: Sequence[EntryWriter]) -> None:
    """Writes what a worker has left to write, and marks the rows of a block done."""
    for opened, writer, batches in zip(files, writers, filled.cuts, strict=True):
        for rows, result in batches:
            crc32 = result if filled.written else opened.write(rows, result)
            for file, inside, local in writer.files_of(rows):
                file.record(local, crc32[inside])
        writer.commit()


def _given_up(block: Block, reason: str, loader: Loader) -> list[BadImage]:
    """Lists the images of a block that could not be computed."""
    names = dict.fromkeys(loader.items[row].id for row in block.rows)
    return [BadImage(name, f"its block was given up: {reason}") for name in names]
