"""A pool's account of its workers and of what they have been asked."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

from pipeline.extraction.executors._messages import Filled, Introduction
from pipeline.extraction.plan import Block


@dataclass(eq=False)
class Member:
    """A worker as seen from here.

    Attributes:
        actor: Its handle.
        introduction: What it said of itself; None until its base is loaded.
        free: Blocks that it can take; 0 until it has been told of the job.
    """

    actor: Any
    introduction: Introduction | None = None
    free: int = 0


class Call(NamedTuple):
    """A call that has not been answered: ``load``, ``begin``, or ``fill`` with its block."""

    member: Member
    method: str
    block: Block | None = None
    takes: int = 0


class Worked(NamedTuple):
    """A block that is finished with; where ``filled`` is None it was given up, for a reason."""

    block: Block
    filled: Filled | None
    reason: str = ""
