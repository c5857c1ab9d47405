"""A Ray cluster of two cores on this machine, and runs of stage one that can be watched."""

from __future__ import annotations

import importlib.util
import logging
import os
import secrets
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest
from photos import Photos

from pipeline.extraction import Extraction, FeatureRequest, extract, filling
from pipeline.extraction.executors import Executor
from pipeline.ray_runtime import import_ray

SIDE = 32
BATCH = 4
ROWS_A_BLOCK = 8


CLUSTER = """
import sys
from pipeline.ray_runtime import import_ray
ray = import_ray()
started = ray.init(num_cpus=2, include_dashboard=False, object_store_memory=100_000_000, log_to_driver=False)
print(started.address_info["address"], flush=True)
sys.stdin.read()
"""


@pytest.fixture(scope="session")
def cluster() -> Iterator[ModuleType]:
    """Starts Ray once for all tests and connects to it, or skips them where it is not installed.

    It has a process of its own: Ray leaves the pipes of what it starts to the garbage collector.
    """
    if importlib.util.find_spec("ray") is None:
        pytest.skip("the package ray is not installed")
    os.environ |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    ray = import_ray()
    holder = subprocess.Popen(
        [sys.executable, "-c", CLUSTER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    with holder:
        ray.init(address=holder.stdout.readline().strip(), logging_level=logging.ERROR, log_to_driver=False)
        yield ray
        ray.shutdown()
        holder.stdin.close()


@pytest.fixture
def fill(photos: Photos, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Extraction]:
    """Runs stage one over the photographs with a given executor, into a cache of a given name."""
    monkeypatch.setattr(filling, "BLOCK_ROWS", ROWS_A_BLOCK)

    def run(
        executor: Executor | None,
        cache: str,
        *,
        skip_bad: bool = False,
        rows_per_file: int | None = None,
        **request: object,
    ) -> Extraction:
        wanted = FeatureRequest(**({"backbone": "pixels", "image_size": SIDE, "batch_size": BATCH} | request))
        (report,) = extract(
            str(photos.root),
            wanted,
            cache=tmp_path / cache,
            skip_bad=skip_bad,
            rows_per_file=rows_per_file,
            executor=executor,
        )
        return report

    return run
