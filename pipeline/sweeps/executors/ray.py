"""Fits on a Ray cluster: rows are put into the shared memory of each node once, and every fit is a task.

Ray gives each task its cores, moves what it needs, and tries it again where its process or machine is lost;
joblib's threads, as without Ray, each wait for one of them.

joblib's own Ray backend (``ray.util.joblib``, of Ray 2.60 with joblib 1.6) is not used. It hands tasks to its
processes in turn, also to a busy one while another is idle, ends with the first process that dies, and sends
the rows along with each task.
"""

from __future__ import annotations

import contextlib
import copy
import copyreg
import io
import os
import platform
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from types import ModuleType
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

import pipeline
from pipeline.errors import PipelineError, UsageError
from pipeline.extraction.executors._ray_nodes import Share, share_out
from pipeline.heads import TrainedHead
from pipeline.progress import say
from pipeline.runtimes.ray import main_reason, ray_connection
from pipeline.sweeps.candidates import Candidate
from pipeline.sweeps.fitting import SweepData, fit_one, unmeasured
from pipeline.sweeps.results import Result
from pipeline.wording import counted

if TYPE_CHECKING:
    from pipeline.heads import TrainedHead
    from pipeline.sweeps.executors import Fit, Fitted


Told = tuple[Result, list[str]]

TRIES = 3
"""How often a candidate is fitted whose process dies."""


class Order(NamedTuple):
    """What is to be fitted, and how.

    Attributes:
        candidate: The head and its options.
        seed: Seed of the fit.
        threads: Cores that it may use.
        version: Version of this package where the sweep runs.
    """

    candidate: Candidate
    seed: int
    threads: int
    version: str


def fit_here(data: SweepData, order: Order) -> tuple[Told, TrainedHead | None]:
    """Fits a candidate on rows that are mapped from shared memory, which nobody can write into.

    Returns:
        The result with the lines that the fit had for the user, and the fitted head, which stays in shared
        memory here until somebody asks for it.

    Raises:
        PipelineError: Another version of this package is installed here.
    """
    from threadpoolctl import threadpool_limits

    if order.version != pipeline.__version__:
        raise PipelineError(
            f"the worker on {platform.node()} has version {pipeline.__version__} of this package and the "
            f"sweep {order.version}: install the same one everywhere"
        )
    # Libraries that are loaded already are told directly, those that are loaded later read it.
    os.environ["OMP_NUM_THREADS"] = str(order.threads)
    heard = io.StringIO()
    with threadpool_limits(order.threads), contextlib.redirect_stderr(heard):
        result, trained = fit_one(order.candidate, data, seed=order.seed)
    return (result, heard.getvalue().splitlines()), trained


@dataclass(frozen=True, kw_only=True)
class RayExecutor:
    """Fits on a Ray cluster.

    Attributes:
        address: ``auto``, ``local``, ``host:port`` or ``ray://host:port``; None = a cluster that is there,
            otherwise this machine.
    """

    address: str | None = None

    @contextmanager
    def session(self, jobs: int | None) -> Iterator[RaySession]:
        """Connects; fewer fits at a time than there are cores have several each.

        Raises:
            UsageError: There is no cluster, or it has no cores.
        """
        with ray_connection(self.address) as ray:
            yield RaySession(ray, _share_out(ray.nodes(), jobs))


EXECUTOR = RayExecutor


class RaySession:
    """Tasks on a cluster; see :class:`pipeline.sweeps.executors.FitSession`."""

    def __init__(self, ray: ModuleType, share: Share) -> None:
        self._ray, self._share = ray, share
        self.workers = share.workers
        say(f"ray: {counted(share.workers, 'fit')} at a time, each with {counted(share.cpus, 'core')}")

    @contextmanager
    def share(self, data: SweepData, *, seed: int) -> Iterator[Fit]:
        """Puts rows into shared memory, where tasks map them, and takes them out of this process."""
        task = self._ray.remote(fit_here).options(
            num_cpus=self._share.cpus, num_returns=2, max_retries=TRIES - 1
        )
        rows = self._put(data)
        data.forget()
        waiting: set[Any] = set()

        def fit(candidate: Candidate) -> Fitted:
            order = Order(candidate, seed, self._share.threads, pipeline.__version__)
            answer, kept = task.remote(rows, order)
            waiting.add(answer)
            try:
                return self._result(answer, candidate, data.target), lambda: self._head(kept)
            finally:
                waiting.discard(answer)

        try:
            yield fit
        finally:
            for answer in list(waiting):  # nobody will take what they compute
                self._ray.cancel(answer, force=True)

    def _put(self, data: SweepData) -> Any:
        try:
            with _maps_as_arrays():
                return self._ray.put(data)
        except (self._ray.exceptions.ObjectStoreFullError, self._ray.exceptions.OutOfDiskError) as error:
            raise PipelineError(
                f"the rows do not fit into the shared memory of Ray ({main_reason(error)}): give it more "
                "with `ray start --object-store-memory`, or add --executor local"
            ) from error

    def _result(self, answer: Any, candidate: Candidate, target: str) -> Result:
        """Waits for a task.

        Raises:
            PipelineError: What concerns the whole sweep, not one candidate.
        """
        try:
            result, heard = self._ray.get(answer)
        except self._ray.exceptions.RayTaskError as error:
            if isinstance(error.cause, PipelineError):
                raise error.cause from None
            raise PipelineError(
                f"a worker cannot fit {candidate.label}: {main_reason(error.cause)}"
            ) from error
        except self._ray.exceptions.RayError as error:
            problem = f"the process that fitted it died ({main_reason(error)}; {TRIES} tries)"
            return replace(unmeasured(candidate, target), problem=problem)
        for line in heard:
            say(line)
        return result

    def _head(self, kept: Any) -> TrainedHead | None:
        """Brings a fitted head here; None where it was lost with its machine."""
        try:
            return copy.deepcopy(self._ray.get(kept))  # its arrays must outlive the cluster
        except self._ray.exceptions.RayError:
            return None


def _share_out(nodes: Sequence[Mapping[str, Any]], jobs: int | None) -> Share:
    """Gives each fit as many whole cores as there are for it, and at least one.

    Raises:
        UsageError: There are none.
    """
    cores = sum(int(node["Resources"].get("CPU", 0)) for node in nodes if node["Alive"])
    if not cores:
        raise UsageError(
            "no machine of this Ray cluster gives cores to fits: see `ray status`, or add --executor local"
        )
    share = share_out(nodes, workers=min(jobs or cores, cores), gpus_per_worker=0)
    return replace(share, cpus=max(share.cpus, 1.0))


def _as_array(mapped: np.memmap) -> tuple[Callable[..., Any], tuple[np.ndarray]]:
    return np.asarray, (mapped.view(np.ndarray),)


@contextmanager
def _maps_as_arrays() -> Iterator[None]:
    """Has memory maps travel as arrays, each once: as they are, pickle would copy them into its own text."""
    copyreg.pickle(np.memmap, _as_array)
    try:
        yield
    finally:
        del copyreg.dispatch_table[np.memmap]
