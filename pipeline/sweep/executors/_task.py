"""What runs in a process of Ray: one fit, on the cores that it was given."""

from __future__ import annotations

import contextlib
import io
import os
import platform
from typing import NamedTuple

import pipeline
from pipeline.errors import PipelineError
from pipeline.heads import TrainedHead
from pipeline.sweep.candidates import Candidate
from pipeline.sweep.fitting import Ground, fit_one
from pipeline.sweep.results import Result

Told = tuple[Result, list[str]]


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


def fit_here(ground: Ground, order: Order) -> tuple[Told, TrainedHead | None]:
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
        result, trained = fit_one(order.candidate, ground, seed=order.seed)
    return (result, heard.getvalue().splitlines()), trained
