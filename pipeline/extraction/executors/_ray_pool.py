"""A pool of workers on Ray: blocks go to whoever is free, and whoever dies is replaced."""

from __future__ import annotations

import contextlib
from collections import Counter, deque
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Any, NamedTuple

import pipeline
from pipeline.backbones.weights import Weights
from pipeline.errors import PipelineError
from pipeline.extraction.engines import BatchTooLargeError
from pipeline.extraction.executors._ray_nodes import Share
from pipeline.extraction.executors._ray_worker import Filled, Introduction, Job, Worker
from pipeline.extraction.plan import Block
from pipeline.extraction.settle import SettledRequest
from pipeline.memory import ShortageError
from pipeline.progress import say
from pipeline.runtimes.ray import first_sentence, main_reason
from pipeline.wording import counted, verb

BLOCKS_AT_A_TIME = 2
"""Blocks that a worker has: while one waits for its images, or travels, the other is computed."""
TRIES = 3
"""How often a block is tried before it is given up, and how many workers in a row may fail to start."""
PATIENCE_S = 30.0


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


class WorkerPool:
    """Workers that load the same base. All of it happens in the calling thread."""

    def __init__(self, ray: ModuleType, share: Share, request: SettledRequest, weights: Weights) -> None:
        """Asks Ray for the workers and does not wait for them."""
        self._ray, self._share, self._base = ray, share, (request, weights)
        self._actors = ray.remote(Worker).options(
            num_cpus=share.cpus,
            num_gpus=share.gpus,
            max_concurrency=BLOCKS_AT_A_TIME,
            scheduling_strategy="SPREAD",
        )
        self._members: list[Member] = []
        self._calls: dict[Any, Call] = {}
        self._failed_starts = 0
        self._told: set[str] = set()
        # The first to load an int8 base makes its network, which the others then find.
        for _ in range(1 if request.networks else share.workers):
            self._hire()

    def gather(self, count: int = 1) -> Introduction:
        """Waits until some workers have loaded their base, and returns what one of them says of itself.

        Raises:
            PipelineError: None can be started, or the base cannot be loaded.
        """
        while True:
            there = [member.introduction for member in self._members if member.introduction is not None]
            while there and len(self._members) < self._share.workers:
                self._hire()
            if len(there) >= count:
                return there[0]
            self._answer()

    def ask(self, method: str, *arguments: Any) -> Any:
        """Calls a method of one worker and waits for what it returns."""
        self.gather()
        member, host = next((one, one.introduction.host) for one in self._members if one.introduction)
        try:
            return self._ray.get(getattr(member.actor, method).remote(*arguments))
        except self._ray.exceptions.RayTaskError as error:
            raise error.cause from None
        except self._ray.exceptions.RayError as error:
            raise PipelineError(
                f"the worker on {host} died while batch sizes were tried "
                f"({main_reason(error)}): give it more memory, or name a --batch-size"
            ) from error

    def work(self, blocks: Sequence[Block], job: Job, *, write: str) -> Generator[Worked]:
        """Has every block computed.

        A block whose worker dies, or that fails for no known reason, is tried again when all others are
        done, by a worker that does nothing else meanwhile, so that it can only harm itself.

        Args:
            blocks: What to compute.
            job: What they have in common.
            write: ``auto``, ``driver`` or ``workers``.

        Yields:
            Each block once, in the order in which they are finished.

        Raises:
            BatchTooLargeError: The memory of some worker does not suffice; the others have finished first.
            ShortageError: It does not suffice for a block alone.
            PipelineError: What a worker raised, or no worker can be started any more.
        """
        begin, token = (self._ray.put(job), write), job.token
        fresh, again, tries = deque(blocks), deque[Block](), Counter[int]()
        too_large: BatchTooLargeError | None = None
        for member in self._members:
            member.free = 0
            if member.introduction is not None:
                self._call(member, "begin", begin)
        try:
            # A worker that is still preparing for this job must not be taken for one that has for the next.
            while fresh or again or self._busy():
                self._hand_out(fresh, again, token)
                try:
                    call, result, fault = self._answer()
                except BatchTooLargeError as error:  # others may be writing: they come to an end first
                    too_large = error
                    fresh.clear()
                    again.clear()
                    continue
                if call is None:
                    continue
                if call.method == "load" and not fault:
                    self._call(call.member, "begin", begin)
                elif call.method == "begin" and not fault:
                    self._tell(call.member, result)
                    call.member.free = BLOCKS_AT_A_TIME
                elif fault is None:
                    if call.block is not None:
                        yield Worked(call.block, result)
                elif call.block is not None and too_large is None:
                    tries[call.block.number] += 1
                    if tries[call.block.number] < TRIES:
                        again.append(call.block)
                    elif isinstance(fault, self._ray.exceptions.OutOfMemoryError):
                        raise _shortage(first_sentence(fault)) from fault
                    else:
                        yield Worked(call.block, None, f"{main_reason(fault)} ({TRIES} tries)")
        finally:
            if self._busy():
                self.end()  # nobody will take what they compute
        if too_large is not None:
            raise too_large

    def end(self) -> None:
        """Ends all workers at once."""
        for member in self._members:
            self._ray.kill(member.actor)
        self._members, self._calls = [], {}

    def _hire(self) -> None:
        member = Member(self._actors.remote())
        self._members.append(member)
        self._call(member, "load", (*self._base, self._share.threads))

    def _call(
        self,
        member: Member,
        method: str,
        arguments: tuple[Any, ...],
        block: Block | None = None,
        takes: int = 0,
    ) -> None:
        self._calls[getattr(member.actor, method).remote(*arguments)] = Call(member, method, block, takes)
        member.free -= takes

    def _hand_out(self, fresh: deque[Block], again: deque[Block], token: str) -> None:
        """Gives blocks to workers; never more than they can take."""
        while fresh:
            member = max(self._members, key=lambda one: one.free)
            if not member.free:
                return
            block = fresh.popleft()
            self._call(member, "fill", (block, token), block, takes=1)
        for member in self._members:
            if again and member.free == BLOCKS_AT_A_TIME:
                block = again.popleft()
                self._call(member, "fill", (block, token), block, takes=BLOCKS_AT_A_TIME)

    def _busy(self) -> bool:
        """Tells whether a worker has to do with the job at hand; others may still load their base."""
        return any(call.method in ("begin", "fill") for call in self._calls.values())

    def _answer(self) -> tuple[Call | None, Any, BaseException | None]:
        """Waits for the next answer: the call, what it returned, and what it failed with where it did.

        Raises:
            BatchTooLargeError: As the worker raised it.
            PipelineError: As the worker raised it, or no worker can be started.
        """
        ready, _ = self._ray.wait(list(self._calls), timeout=PATIENCE_S)
        if not ready:
            there = sum(member.introduction is not None for member in self._members)
            if there < self._share.workers:
                workers = counted(self._share.workers, "worker")
                say(f"ray: {there} of {workers} {verb(there)} there; see `ray status`")
            return None, None, None
        call = self._calls.pop(ready[0])
        call.member.free += call.takes
        try:
            result = self._ray.get(ready[0])
        except self._ray.exceptions.RayTaskError as error:
            if isinstance(error.cause, PipelineError | BatchTooLargeError):
                raise error.cause from None
            if isinstance(error.cause, MemoryError):  # no fault of the images in the block
                raise _shortage(main_reason(error.cause)) from error
            if call.method != "fill":
                raise PipelineError(f"a worker cannot {call.method}: {main_reason(error.cause)}") from error
            return call, None, error.cause
        except self._ray.exceptions.RayError as error:
            if not isinstance(error, self._ray.exceptions.ObjectLostError):
                short = isinstance(error, self._ray.exceptions.OutOfMemoryError)
                self._replace(call, first_sentence(error) if short else main_reason(error))
            return call, None, error
        if call.method == "load":
            self._welcome(call.member, result)
        return call, result, None

    def _welcome(self, member: Member, introduction: Introduction) -> None:
        if introduction.version != pipeline.__version__:
            raise PipelineError(
                f"the worker on {introduction.host} has version {introduction.version} of this package and "
                f"this process {pipeline.__version__}: install the same one everywhere"
            )
        self._failed_starts = 0
        member.introduction = introduction

    def _replace(self, call: Call, reason: str) -> None:
        """Puts another worker in the place of one that is gone."""
        if call.member not in self._members:
            return  # an earlier call to it has told
        self._members.remove(call.member)
        with contextlib.suppress(self._ray.exceptions.RayError):
            self._ray.kill(call.member.actor)  # it may only be out of reach
        if call.member.introduction is None:
            self._failed_starts += 1
            if self._failed_starts >= TRIES:
                raise PipelineError(f"no worker can be started ({reason}). All finished rows are kept")
        else:
            about = call.member.introduction
            say(f"ray: the worker on {about.host}, process {about.pid}, is gone ({reason}): starting another")
        self._hire()

    def _tell(self, member: Member, reason: str) -> None:
        host = member.introduction.host if member.introduction else "?"
        line = f"ray: the rows of the workers on {host} come back to this process ({reason})"
        line = line if reason else f"ray: the workers on {host} write their rows where the cache lies"
        if line not in self._told:
            self._told.add(line)
            say(line)


def _shortage(reason: str) -> ShortageError:
    return ShortageError(
        f"the memory of a worker does not suffice ({reason}). All finished rows are kept: give the workers "
        "more of it, or have fewer of them (--workers), and run the same command again"
    )
