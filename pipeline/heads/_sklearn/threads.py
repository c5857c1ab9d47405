"""How many threads a fit may use."""

from __future__ import annotations

import functools
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from threadpoolctl import ThreadpoolController


LARGE_BYTES = 1 << 30

_LOCK = threading.Lock()
_holders = 0
_limits: Any = None


def worker_threads() -> int:
    """Returns the ``n_jobs`` of an estimator with threads of its own: all cores, or a worker's share.

    joblib tells its workers their share of the cores in OMP_NUM_THREADS, so that workers times threads
    never exceed the cores; a user's own setting counts just the same.
    """
    share = os.environ.get("OMP_NUM_THREADS", "")
    return int(share) if share.isdigit() and int(share) else -1


@contextmanager
def single_thread(data_bytes: int) -> Iterator[None]:
    """Keeps BLAS and OpenMP to one thread while the block runs, where the data are less than 1 GB.

    A solver of many small steps is slowed down by threads: NumPy and SciPy bring a BLAS each, and the
    waiting threads of one spin on the cores that the other needs. On two busy cores L-BFGS on 2,000 x 2,000
    took 0.25 s with two threads and 0.013 s with one. Several threads of this process may be in such a block
    at once.
    """
    if data_bytes >= LARGE_BYTES:
        yield
        return
    _enter()
    try:
        yield
    finally:
        _leave()


@functools.cache
def _libraries() -> ThreadpoolController:
    # Looking for them takes longer than a fit in the row space. Whoever has made an estimator has loaded all
    # that compute.
    from threadpoolctl import ThreadpoolController

    return ThreadpoolController()


def _enter() -> None:
    global _holders, _limits
    # The limits are those of the process: the first one in sets them, the last one out takes them back.
    with _LOCK:
        if not _holders:
            _limits = _libraries().limit(limits=1)
        _holders += 1


def _leave() -> None:
    global _holders
    with _LOCK:
        _holders -= 1
        if not _holders:
            _limits.restore_original_limits()
