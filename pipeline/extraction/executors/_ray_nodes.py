"""Sharing a cluster out among workers: how many there are, and what each is given. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pipeline.errors import UsageError
from pipeline.wording import counted


@dataclass(frozen=True)
class Share:
    """What workers are given.

    Attributes:
        workers: How many.
        cpus: Cores of each; below 1 where several share one.
        gpus: GPUs of each; below 1 where several share one.
    """

    workers: int
    cpus: float
    gpus: float

    @property
    def threads(self) -> int:
        """Threads of each worker."""
        return max(1, int(self.cpus))

    def __str__(self) -> str:
        gpus = f" and {self.gpus:g} GPU" if self.gpus else ""
        return f"{counted(self.workers, 'worker')}, each with {counted(self.cpus, 'core')}{gpus}"


def share_out(
    nodes: Sequence[Mapping[str, Any]], *, workers: int | None, gpus_per_worker: float | None
) -> Share:
    """Shares machines out.

    Args:
        nodes: As Ray lists them: ``Alive``, and ``Resources`` with ``CPU`` and ``GPU``.
        workers: How many the user wants; None = as many as the GPUs are enough for, or one per machine.
        gpus_per_worker: GPUs that each shall have; None = 1 where there are GPUs.

    Raises:
        UsageError: No machine has as many GPUs as a worker shall have.
    """
    machines = [node["Resources"] for node in nodes if node["Alive"]]
    cores = [machine.get("CPU", 0.0) for machine in machines]
    gpus = [machine.get("GPU", 0.0) for machine in machines]
    each = gpus_per_worker if gpus_per_worker is not None else float(any(gpus))
    if each > max(gpus, default=0.0):
        raise UsageError(
            f"--gpus-per-worker {each:g}: no machine of this Ray cluster has so many (the largest number is "
            f"{max(gpus, default=0.0):g}): give fewer, or 0 to compute on processors"
        )
    if each:
        places = [int(have / each + 1e-9) for have in gpus]
        computing = [core for core, place in zip(cores, places, strict=True) if place]
        count = workers or sum(places)
    else:
        computing = [core for core in cores if core] or [1.0]
        count = workers or len(computing)
    # A worker must fit one machine: shared out evenly, the smallest one decides.
    on_one = -(-count // len(computing))
    cpus = min(computing) / on_one
    return Share(count, float(int(cpus)) if cpus >= 1 else cpus, each)
