"""Runs of stage one by a given executor."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from photos import Photos

from pipeline.extraction import Extraction, FeatureRequest, extract, filling
from pipeline.extraction.executors import Executor

SIDE = 32
BATCH = 4
ROWS_A_BLOCK = 8


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
