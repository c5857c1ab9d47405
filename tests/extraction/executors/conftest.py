"""A Ray cluster of two cores on this machine, and runs of stage one that can be watched."""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType

import pytest
from photos import Photos

from pipeline.extraction import Extraction, FeatureRequest, extract, stage
from pipeline.extraction.executors import Executor
from pipeline.ray_runtime import import_ray

SIDE = 32
BATCH = 4
ROWS_A_BLOCK = 8


@pytest.fixture(scope="session")
def cluster() -> Iterator[ModuleType]:
    """Starts Ray once for all tests, or skips them where it is not installed."""
    if importlib.util.find_spec("ray") is None:
        pytest.skip("the package ray is not installed")
    ray = import_ray()
    ray.init(
        num_cpus=2,
        include_dashboard=False,
        object_store_memory=100_000_000,
        logging_level=logging.ERROR,
        log_to_driver=False,
    )
    yield ray
    ray.shutdown()


@pytest.fixture
def fill(photos: Photos, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Extraction]:
    """Runs stage one over the photographs with a given executor, into a cache of a given name."""
    monkeypatch.setattr(stage, "BLOCK_ROWS", ROWS_A_BLOCK)

    def run(
        executor: Executor | None, cache: str, *, skip_bad: bool = False, **request: object
    ) -> Extraction:
        wanted = FeatureRequest(**({"backbone": "pixels", "image_size": SIDE, "batch_size": BATCH} | request))
        (report,) = extract(
            str(photos.root), wanted, cache=tmp_path / cache, skip_bad=skip_bad, executor=executor
        )
        return report

    return run
