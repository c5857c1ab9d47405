"""Fits in threads of this process, which share all they are given."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.hardware import cores
from pipeline.sweeps.candidates import Candidate
from pipeline.sweeps.fitting import SweepData, fit_one

if TYPE_CHECKING:
    from pipeline.sweeps.executors import Fit, Fitted


@dataclass(frozen=True)
class LocalExecutor:
    """Fits on all cores of this machine."""

    @contextmanager
    def session(self, jobs: int | None) -> Iterator[LocalSession]:
        """Opens nothing."""
        yield LocalSession(jobs or cores())


EXECUTOR = LocalExecutor


@dataclass(frozen=True)
class LocalSession:
    """This process; see :class:`pipeline.sweeps.executors.FitSession`."""

    workers: int

    @contextmanager
    def share(self, data: SweepData, *, seed: int) -> Iterator[Fit]:
        """Fits with the rows as they are, in whatever thread asks."""

        def fit(candidate: Candidate) -> Fitted:
            result, trained = fit_one(candidate, data, seed=seed)
            return result, lambda: trained

        yield fit
