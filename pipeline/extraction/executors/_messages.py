"""What travels between this process and its workers."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from pipeline.cache.remote import FeaturePlace
from pipeline.extraction.loading import Failure, Loader


@dataclass(frozen=True)
class Introduction:
    """What a worker says of itself once its base is loaded.

    Attributes:
        host: Name of its machine.
        pid: Its process.
        version: Of this package there.
        feature_shapes: Shape of one row per cut.
    """

    host: str
    pid: int
    version: str
    feature_shapes: list[tuple[int, ...]]


@dataclass(frozen=True, eq=False)
class Job:
    """What all blocks of a run have in common.

    Attributes:
        loader: Reads and decodes the images.
        places: Per cut, where its features stand.
        probe: A file beside them.
        token: What stands in it.
    """

    loader: Loader
    places: list[list[FeaturePlace]]
    probe: Path
    token: str


@dataclass(frozen=True, eq=False)
class Filled:
    """A finished block.

    Attributes:
        rows: How many rows were to be computed.
        failures: The images that could not be loaded.
        cuts: Per cut and batch, the wanted rows, int (m,), and either the checksums of what was written,
            uint32 (m,), or the features themselves, (m, *feature shape).
        written: Whether the features are on disk.
        seconds: Time spent in each step.
    """

    rows: int
    failures: list[Failure]
    cuts: list[list[tuple[np.ndarray, np.ndarray]]]
    written: bool
    seconds: dict[str, float] = field(default_factory=dict)
