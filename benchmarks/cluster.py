"""A cluster in stage one as discrete events: what keeps which resource busy until every block is settled.

The rules are those of `pipeline.extraction.executors`: two blocks a worker at a time, features written by the
workers, checksums and `done` flags by the command alone, lost blocks tried again at the end. The shared file
system and the command serve one block after another, in the order in which they are asked.
"""

from __future__ import annotations

import heapq
import math
import random
from collections import Counter, deque
from dataclasses import dataclass
from typing import NamedTuple

from pipeline.extraction.executors._ray_pool import BLOCKS_AT_A_TIME, TRIES
from pipeline.extraction.filling import BLOCK_BYTES, BLOCK_ROWS
from pipeline.extraction.plan import rows_in_block


@dataclass(frozen=True, kw_only=True)
class Cluster:
    """What a run has at its disposal.

    Attributes:
        workers: Processes that compute.
        rate: Images/s of one worker that waits for nothing.
        bandwidth: Bytes/s of the file system that all share.
        image_bytes: Bytes of an image file.
        row_bytes: Bytes of an image's features.
        record_seconds: What the command takes for the checksums and flags of a block.
        stock_rate: Images/s that the command reads, alone, for their digests, before any block is computed.
        start_seconds: Until a worker has loaded its base.
        slow_share: Share of the workers that are stragglers.
        slow_by: How many times longer a straggler computes.
        failure_hours: Mean time until a worker is lost.
        restart_seconds: Until another one has its place, without loading.
        batch_size: Images in a forward pass.
    """

    workers: int
    rate: float
    bandwidth: float = math.inf
    image_bytes: float = 0.0
    row_bytes: int = 1
    record_seconds: float = 0.0
    stock_rate: float = math.inf
    start_seconds: float = 0.0
    slow_share: float = 0.0
    slow_by: float = 2.0
    failure_hours: float = math.inf
    restart_seconds: float = 120.0
    batch_size: int = 32

    def limits(self, block_rows: int = BLOCK_ROWS) -> dict[str, float]:
        """Returns the images/s at which each resource is saturated, whatever the number of the others."""
        moved = self.image_bytes + self.row_bytes
        return {
            "workers": self.workers * self.rate,
            "file system": self.bandwidth / moved,
            "command": block_rows / self.record_seconds if self.record_seconds else math.inf,
        }


class Outcome(NamedTuple):
    """What a run came to.

    Attributes:
        images: Images computed and recorded.
        stock_seconds: Reading all images for their digests; the workers have nothing to do meanwhile.
        fill_seconds: From the start of the workers until every block is settled.
        busy: Share of ``fill_seconds`` in which each resource works: ``workers`` (their mean),
            ``file system``, ``command``.
        block_rows: Images in a block.
        lost: Workers lost.
        repeated: Blocks computed again.
        given_up: Blocks that were lost too often.
    """

    images: int
    stock_seconds: float
    fill_seconds: float
    busy: dict[str, float]
    block_rows: int
    lost: int
    repeated: int
    given_up: int

    @property
    def fill_rate(self) -> float:
        """Images/s while blocks are computed."""
        return self.images / self.fill_seconds

    @property
    def rate(self) -> float:
        """Images/s of the whole run."""
        return self.images / (self.stock_seconds + self.fill_seconds)

    @property
    def first_limit(self) -> str:
        """Names the busiest resource."""
        return max(self.busy, key=self.busy.__getitem__)


def simulate(cluster: Cluster, images: int, *, seed: int = 0) -> Outcome:
    """Runs a cluster until every block is settled; the same seed gives the same run.

    Args:
        cluster: What there is.
        images: Images without features, all of them distinct.
        seed: Draws when workers are lost.
    """
    return _Run(cluster, images, seed).outcome()


class _Run:
    """One run. Times are in seconds since the workers were asked for."""

    def __init__(self, cluster: Cluster, images: int, seed: int) -> None:
        self.cluster, self.images = cluster, images
        self.block_rows = rows_in_block(
            cluster.batch_size,
            most=min(BLOCK_ROWS, BLOCK_BYTES // cluster.row_bytes),
            missing=images,
            workers=cluster.workers,
        )
        self.blocks = math.ceil(images / self.block_rows)
        count = cluster.workers
        slow = round(cluster.slow_share * count)
        self.row_seconds = [(cluster.slow_by if i < slow else 1.0) / cluster.rate for i in range(count)]
        self.free = [0] * count
        self.computes_until = [0.0] * count
        self.lives = [0] * count  # an event of an earlier life of a worker is void
        self.held: list[set[int]] = [set() for _ in range(count)]
        self.idle: set[int] = set()
        self.next_fresh, self.settled, self.given_up, self.lost, self.repeated = 0, 0, 0, 0, 0
        self.rows_done = 0
        self.again, self.tries = deque[int](), Counter[int]()
        self.disk_until, self.disk_busy, self.command_until, self.command_busy = 0.0, 0.0, 0.0, 0.0
        self.computing = 0.0
        self.events: list[tuple] = []
        self.ticket = 0
        self.random = random.Random(seed)  # noqa: S311
        for worker in range(count):
            self._at(cluster.start_seconds, self._join, worker)

    def outcome(self) -> Outcome:
        """Works off the events."""
        now = 0.0
        while self.settled < self.blocks:
            now, _, step, worker, life, block, takes = heapq.heappop(self.events)
            step(now, worker, life, block, takes)
        cluster = self.cluster
        stock_rate = min(cluster.stock_rate, cluster.bandwidth / max(cluster.image_bytes, 1e-9))
        return Outcome(
            images=self.rows_done,
            stock_seconds=self.images / stock_rate,
            fill_seconds=now,
            busy={
                "workers": self.computing / (now * cluster.workers),
                "file system": self.disk_busy / now,
                "command": self.command_busy / now,
            },
            block_rows=self.block_rows,
            lost=self.lost,
            repeated=self.repeated,
            given_up=self.given_up,
        )

    def _at(self, when: float, step: object, worker: int, block: int = -1, takes: int = 0) -> None:
        self.ticket += 1  # events of the same moment happen in the order in which they were noted
        heapq.heappush(self.events, (when, self.ticket, step, worker, self.lives[worker], block, takes))

    def _rows(self, block: int) -> int:
        return min(self.block_rows, self.images - block * self.block_rows)

    def _move(self, now: float, count: float) -> float:
        """Returns when the file system has moved so many bytes."""
        seconds = count / self.cluster.bandwidth
        self.disk_busy += seconds
        self.disk_until = max(self.disk_until, now) + seconds
        return self.disk_until

    def _join(self, now: float, worker: int, life: int, block: int, takes: int) -> None:
        self.free[worker], self.computes_until[worker] = BLOCKS_AT_A_TIME, now
        if math.isfinite(self.cluster.failure_hours):
            lasts = self.random.expovariate(1 / (3600 * self.cluster.failure_hours))
            self._at(now + lasts, self._lose, worker)
        self._hand_out(now, worker)

    def _hand_out(self, now: float, worker: int) -> None:
        """Gives a worker what it can take; a lost block is for a worker that does nothing else."""
        while self.free[worker] and self.next_fresh < self.blocks:
            self._begin(now, worker, self.next_fresh, 1)
            self.next_fresh += 1
        if self.again and self.free[worker] == BLOCKS_AT_A_TIME:
            self.repeated += 1
            self._begin(now, worker, self.again.popleft(), BLOCKS_AT_A_TIME)
        if self.free[worker] == BLOCKS_AT_A_TIME:
            self.idle.add(worker)
        else:
            self.idle.discard(worker)

    def _begin(self, now: float, worker: int, block: int, takes: int) -> None:
        self.free[worker] -= takes
        self.held[worker].add(block)
        read = self._move(now, self._rows(block) * self.cluster.image_bytes)
        self._at(read, self._compute, worker, block, takes)

    def _compute(self, now: float, worker: int, life: int, block: int, takes: int) -> None:
        if life == self.lives[worker]:
            seconds = self._rows(block) * self.row_seconds[worker]
            self.computing += seconds
            self.computes_until[worker] = max(self.computes_until[worker], now) + seconds
            self._at(self.computes_until[worker], self._write, worker, block, takes)

    def _write(self, now: float, worker: int, life: int, block: int, takes: int) -> None:
        if life == self.lives[worker]:
            written = self._move(now, self._rows(block) * self.cluster.row_bytes)
            self._at(written, self._record, worker, block, takes)

    def _record(self, now: float, worker: int, life: int, block: int, takes: int) -> None:
        if life == self.lives[worker]:
            self.held[worker].discard(block)
            self.command_busy += self.cluster.record_seconds
            self.command_until = max(self.command_until, now) + self.cluster.record_seconds
            self._at(self.command_until, self._settle, worker, block, takes)

    def _settle(self, now: float, worker: int, life: int, block: int, takes: int) -> None:
        self.settled += 1
        self.rows_done += self._rows(block)
        if life == self.lives[worker]:
            self.free[worker] += takes
            self._hand_out(now, worker)

    def _lose(self, now: float, worker: int, life: int, block: int, takes: int) -> None:
        self.lost += 1
        self.computing -= max(0.0, self.computes_until[worker] - now)
        self.lives[worker] += 1
        self.free[worker] = 0
        self.idle.discard(worker)
        for lost in sorted(self.held[worker]):
            self.tries[lost] += 1
            if self.tries[lost] < TRIES:
                self.again.append(lost)
            else:
                self.given_up += 1
                self.settled += 1
        self.held[worker].clear()
        self._at(now + self.cluster.restart_seconds + self.cluster.start_seconds, self._join, worker)
        if self.next_fresh == self.blocks:
            for other in sorted(self.idle):
                self._hand_out(now, other)
