"""From a batch to the rows of a cut: which features go where, and whether they can be stored."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from pipeline.errors import PipelineError
from pipeline.extraction.loading import Batch, Loader
from pipeline.extraction.plan import Block


@dataclass(frozen=True, eq=False)
class Part:
    """The rows of a block that go through the base together.

    Attributes:
        block: The block.
        start: First row, counted within the block.
        last: Whether the block is complete after it.
    """

    block: Block
    start: int
    last: bool


def parts_of(blocks: Sequence[Block], batch_size: int) -> list[Part]:
    """Cuts blocks into batches."""
    return [
        Part(block, start, start + batch_size >= len(block))
        for block in blocks
        for start in range(0, len(block), batch_size)
    ]


def wanted_by(parts: Sequence[Part], batch_size: int) -> list[np.ndarray]:
    """Lists, per part, the rows that are to be loaded, int (n,) with n <= batch size."""
    return [part.block.rows[part.start : part.start + batch_size] for part in parts]


def placed_rows(
    part: Part, batch: Batch, features: Sequence[np.ndarray], loader: Loader
) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Picks what one batch gives to each cut.

    Args:
        part: What was wanted of the batch.
        batch: What was loaded.
        features: Per cut, (batch size, *feature shape).
        loader: Knows the names of the images.

    Yields:
        Per cut, wanted rows, int (m,), ascending, and their features, (m, *feature shape).

    Raises:
        PipelineError: Features overflow the stored dtype.
    """
    for targets, computed in zip(part.block.targets, features, strict=True):
        rows, chosen = _placed(targets, part.start, batch.loaded, computed)
        finite = np.isfinite(chosen).all(axis=tuple(range(1, chosen.ndim)))
        if not finite.all():
            row = int(rows[~finite][0])
            raise PipelineError(
                f"features of {loader.items[row].id} (row {row}) are not finite in {chosen.dtype}: "
                "use --store float32, or --precision float32 if they overflow there too. "
                "All finished rows are kept"
            )
        yield rows, chosen


def _placed(
    targets: np.ndarray, start: int, loaded: np.ndarray, features: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    position = targets[:, 0] - start
    inside = (position >= 0) & (position < len(loaded))
    inside[inside] = loaded[position[inside]]
    position = position[inside]
    whole = len(position) and np.array_equal(position, np.arange(position[0], position[0] + len(position)))
    chosen = features[position[0] : position[0] + len(position)] if whole else features[position]
    return targets[inside, 1], chosen
