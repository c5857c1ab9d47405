"""What runs in a worker's process, and what travels to it and back."""

from __future__ import annotations

import os
import platform
import threading
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

import pipeline
from pipeline import registry
from pipeline.backbones.weights import Weights, resolve_weights
from pipeline.cache.row_places import FeatureFiles, FeaturePlace
from pipeline.errors import PipelineError, UsageError, reason_of
from pipeline.extraction import engines
from pipeline.extraction.engines import Engine
from pipeline.extraction.fastest import settle_batch_size
from pipeline.extraction.load import Loader, feature_batches
from pipeline.extraction.measurements import Rates
from pipeline.extraction.plan import Block
from pipeline.extraction.settle import SettledRequest
from pipeline.extraction.targets import rows_to_load, scatter, slices_of
from pipeline.extraction.timing import Timings
from pipeline.images import BadImage


@dataclass(frozen=True)
class Introduction:
    """What a worker says of itself once its base is loaded.

    Attributes:
        host: Name of its machine.
        pid: Its process.
        version: Of this package there.
        feature_shapes: Shape of one row per cut.
    """

    host: str
    pid: int
    version: str
    feature_shapes: list[tuple[int, ...]]


@dataclass(frozen=True, eq=False)
class Job:
    """What all blocks of a run have in common.

    Attributes:
        loader: Reads and decodes the images.
        places: Per cut, where its features stand.
        probe: A file beside them.
        token: What stands in it.
    """

    loader: Loader
    places: list[list[FeaturePlace]]
    probe: Path
    token: str


@dataclass(frozen=True, eq=False)
class Filled:
    """A finished block.

    Attributes:
        rows: How many rows were to be computed.
        failures: The images that could not be loaded.
        cuts: Per cut and batch, the wanted rows, int (m,), and either the checksums of what was written,
            uint32 (m,), or the features themselves, (m, *feature shape).
        written: Whether the features are on disk.
        seconds: Time spent in each step.
    """

    rows: int
    failures: list[BadImage]
    cuts: list[list[tuple[np.ndarray, np.ndarray]]]
    written: bool
    seconds: dict[str, float] = field(default_factory=dict)


class Worker:
    """Computes blocks; an actor of Ray, which may be asked for two blocks at a time."""

    def load(self, request: SettledRequest, weights: Weights, threads: int) -> Introduction:
        """Loads the base, to run on a number of cores.

        Raises:
            PipelineError: The base cannot be loaded here.
        """
        os.environ.setdefault("TF_NUM_INTRAOP_THREADS", str(threads))  # each worker has cores of its own
        os.environ.setdefault("TF_FORCE_GPU_ALLOW_GROWTH", "true")  # several may share a GPU
        self._threads = threads
        _check_weights(request, weights)
        engine = registry.load(engines, "engine", request.engine).load(request, weights)
        self._measured, self._engine = engine, OneAtATime(engine)
        self._token, self._opened = "", ExitStack()
        return Introduction(platform.node(), os.getpid(), pipeline.__version__, engine.feature_shapes)

    def settle_batch_size(self, request: SettledRequest, rows: int, known: Rates) -> tuple[int, Rates]:
        """Chooses the images in a forward pass, see ``fastest.settle_batch_size``."""
        return settle_batch_size(request, self._measured, rows, known)

    def begin(self, job: Job, write: str) -> str:
        """Prepares for the blocks of a job, and is done with those of the one before.

        Args:
            job: What they have in common.
            write: ``auto``, ``driver`` or ``workers``.

        Returns:
            Why this worker will not write its rows but hand them back; empty where it will write them.

        Raises:
            PipelineError: It is to write them and cannot.
        """
        self._opened.close()
        self._token, self._loader = job.token, job.loader
        self._files: list[FeatureFiles] | None = None
        reason = "as was asked" if write == "driver" else self._open_files(job)
        if reason and write == "workers":
            raise PipelineError(
                f"--write workers: the worker on {platform.node()} cannot write where the cache lies "
                f"({reason}): put the cache on a file system that all machines share, or give --write auto"
            )
        return reason

    def fill(self, block: Block, token: str) -> Filled:
        """Computes a block, and writes its features where this worker can.

        Args:
            block: Which rows.
            token: Of the job that counts its rows so.

        Raises:
            RuntimeError: This worker has prepared for another job: its rows would be other images.
            BatchTooLargeError: The memory does not suffice.
            PipelineError: Features overflow the stored dtype, or the disk refuses them.
        """
        if token != self._token:
            raise RuntimeError("a block came before its job had begun")
        size, timings = self._loader.batch_size, Timings()
        pieces = slices_of([block], size)
        failures: list[BadImage] = []
        cuts: list[list[tuple[np.ndarray, np.ndarray]]] = [[] for _ in block.targets]
        batches = feature_batches(
            rows_to_load(pieces, size),
            loader=self._loader,
            engine=self._engine,
            threads=self._threads,
            timings=timings,
        )
        for piece, (batch, features) in zip(pieces, batches, strict=True):
            failures += batch.failures
            for number, (rows, chosen) in enumerate(scatter(piece, batch, features, self._loader)):
                with timings.step("write"):
                    result = self._files[number].write(rows, chosen) if self._files else chosen
                cuts[number].append((rows, result))
        return Filled(len(block), failures, cuts, self._files is not None, dict(timings.seconds))

    def _open_files(self, job: Job) -> str:
        """Opens the files of all cuts; returns why that is not possible."""
        try:
            if job.probe.read_text() != job.token:
                return f"another folder stands at {job.probe.parent}"
            with ExitStack() as opened:
                self._files = [opened.enter_context(FeatureFiles(places)) for places in job.places]
                self._opened = opened.pop_all()  # until the next job begins
        except OSError as error:
            return f"{error.filename}: {reason_of(error)}"
        return ""


class OneAtATime:
    """An engine for several threads: while one block waits for its images, another is computed."""

    def __init__(self, engine: Engine) -> None:
        self._engine, self._lock = engine, threading.Lock()
        self.feature_shapes, self.bytes_per_image = engine.feature_shapes, engine.bytes_per_image
        self.ahead = engine.ahead

    def submit(self, images: np.ndarray) -> Any:
        """Starts the forward pass of uint8 (n, size, size, 3)."""
        with self._lock:
            return self._engine.submit(images)

    def fetch(self, pending: Any) -> Sequence[np.ndarray]:
        """Waits for a submitted batch: per cut (n, *feature shape)."""
        with self._lock:
            return self._engine.fetch(pending)


def _check_weights(request: SettledRequest, weights: Weights) -> None:
    """Makes sure that the file at the same path is the same file here.

    Raises:
        PipelineError: It is not.
    """
    if weights.path is None:
        return
    try:
        found = resolve_weights(request.backbone, str(weights.path), request.image_size).identity
    except UsageError:
        found = "nothing"
    if found != weights.identity:
        raise PipelineError(
            f"the worker on {platform.node()} finds {found[:15]} at {weights.path}, not the filters "
            f"{weights.identity[:15]}...: put the file there, or on a file system that all machines share"
        )
