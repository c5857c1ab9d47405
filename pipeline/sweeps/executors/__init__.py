"""Executors: who fits the candidates of a sweep. One file each; the folder is the registry.

Each file names as ``EXECUTOR`` a frozen dataclass whose fields are its options. It is a value: nothing is
started before ``session`` is entered.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Protocol

from pipeline.options import make_configured

if TYPE_CHECKING:
    from pipeline.heads import TrainedHead
    from pipeline.sweeps.candidates import Candidate
    from pipeline.sweeps.fitting import SweepData
    from pipeline.sweeps.results import Result

    Fitted = tuple[Result, Callable[[], TrainedHead | None]]
    """How a candidate did, and what brings the head that was fitted; None where there is none any more."""
    Fit = Callable[[Candidate], Fitted]

DEFAULT = "local"


class FitSession(Protocol):
    """Whoever fits for one sweep."""

    @property
    def workers(self) -> int:
        """How many fits there are at the same time, at most."""
        ...

    def share(self, data: SweepData, *, seed: int) -> AbstractContextManager[Fit]:
        """Brings rows to wherever fits will run.

        Args:
            data: The rows and all that was made of them, which may be taken out of this process.
            seed: Seed of every fit.

        Returns:
            What fits one candidate and waits for it; it may be called from several threads at once.

        Raises:
            PipelineError: There is no room for them.
        """
        ...


class Executor(Protocol):
    """Says who fits; a frozen dataclass."""

    def session(self, jobs: int | None) -> AbstractContextManager[FitSession]:
        """Opens what is needed, and closes it whatever happens.

        Args:
            jobs: Fits at the same time; None = one per core.
        """
        ...


def make_executor(name: str = DEFAULT, options: Mapping[str, object] | None = None) -> Executor:
    """Makes the executor of a name.

    Args:
        name: A file of this folder.
        options: Values of its fields, text or typed.

    Raises:
        UsageError: The name, an option or a value is not among the choices.
    """
    from pipeline.sweeps import executors

    return make_configured(executors, name, options)
