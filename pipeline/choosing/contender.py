"""A base at one image size, and its features of a data set: one pass of stage one gives all its cuts."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from pipeline import registry
from pipeline.backbones.at_hand import BaseAtHand
from pipeline.backbones.table import Cut
from pipeline.cache.entries import Entry
from pipeline.cache.features import FeatureSet, Selection, open_features
from pipeline.errors import UsageError
from pipeline.extraction import FeatureRequest, engines, extract
from pipeline.extraction.fastest import TRIAL_BATCH, forward_rate
from pipeline.extraction.settle import request_of
from pipeline.images.source_options import SourceOptions
from pipeline.images.targets import NUMBER
from pipeline.serving.extractor import filters_of
from pipeline.spec import RAW, FeatureSpec

ENOUGH_ROWS = 32
"""Rows from which on the time of a pass tells what an image takes."""


@dataclass(frozen=True)
class Contender:
    """What is tried: a base at one image size.

    Attributes:
        base: The base with its filters.
        image_size: Height and width in pixels.
    """

    base: BaseAtHand
    image_size: int

    def __str__(self) -> str:
        return f"{self.base.backbone} at {self.image_size}"

    def request(self, settled: FeatureSpec | None) -> FeatureRequest:
        """Returns what is asked of stage one: all cuts worth trying.

        Args:
            settled: What an earlier pass of this contender has settled, so that its rows are used again.
        """
        chosen: dict[str, Any] = {}
        if settled is not None:
            chosen["resize"] = settled.resize
            if settled.engine != RAW:
                chosen |= {"engine": settled.engine, "precision": settled.precision}
        return FeatureRequest(
            backbone=self.base.backbone,
            weights=self.base.weights or FeatureRequest.weights,
            image_size=self.image_size,
            layers=self.base.cuts(self.image_size),
            **chosen,
        )


@dataclass(frozen=True, kw_only=True)
class Images:
    """Where the images are and how their features are kept.

    Attributes:
        data: Address of the source.
        options: How it is to be read.
        name: Name of the data set in the cache; None = the source's own.
        cache: Folder of the cache.
    """

    data: str
    options: SourceOptions = field(default_factory=SourceOptions)
    name: str | None = None
    cache: str = "features_cache"

    def sample(self, count: int) -> Images:
        """Returns a sample of them as a data set of its own."""
        return Images(
            data=f"sample:{count}:{self.data}",
            options=self.options,
            name=None if self.name is None else f"{self.name}-sample-{count}",
            cache=self.cache,
        )


@dataclass(frozen=True, eq=False)
class Extracted:
    """Features of a contender.

    Attributes:
        contender: The base and the size.
        entries: One for each cut.
        seconds: Wall time of the pass.
        computed: Images that went through the base; the others were in the cache.
        image_s: Seconds an image, reading and decoding included; None where too few went through the base.
        bad: Images that cannot be read.
    """

    contender: Contender
    entries: tuple[Entry, ...]
    seconds: float
    computed: int
    image_s: float | None
    bad: int = 0

    @property
    def spec(self) -> FeatureSpec:
        """What determines the features of the first cut."""
        return self.entries[0].spec

    def cut(self, position: int) -> str:
        """Names a cut as ``--layer`` does."""
        spec = self.entries[position].spec
        return str(Cut(spec.layer, spec.pooling)).removesuffix(":none")

    def open(self, position: int, split: str) -> FeatureSet:
        """Opens the features of a split at a cut.

        Raises:
            UsageError: There is no such split, or nothing is known of any of its rows.
        """
        entry = self.entries[position]
        features = open_features(entry, split)
        if not features.known.any():
            what = "number" if features.target == NUMBER else "label"
            raise UsageError(f"no {split} image of {entry.source} has a {what} to choose by")
        return features

    def selection(self, positions: Sequence[int]) -> Selection:
        """Returns some of the cuts side by side."""
        return Selection(tuple(self.entries[position] for position in positions))


def extracted(contender: Contender, images: Images, settled: FeatureSpec | None) -> Extracted:
    """Brings the cache to hold the features of a contender, and measures what an image takes.

    Images that cannot be read are left out, as ``extract --skip-bad`` does.
    """
    started = time.perf_counter()
    reports = extract(
        images.data,
        contender.request(settled),
        cache=images.cache,
        name=images.name,
        skip_bad=True,
        source_options=images.options,
    )
    first = reports[0]
    seconds, fill_s = time.perf_counter() - started, first.timings.get("fill", 0.0)
    return Extracted(
        contender,
        tuple(report.entry for report in reports),
        seconds,
        first.passed,
        fill_s / first.passed if first.passed >= ENOUGH_ROWS and fill_s else None,
        len(first.skipped),
    )


def base_alone_s(found: Extracted) -> float:
    """Times the base of some features without reading an image: where all were in the cache already.

    Returns:
        Seconds an image.
    """
    engine = registry.load(engines, "engine", found.spec.engine).load(
        request_of(found.entries), filters_of(found.entries[0], None)
    )
    return 1 / forward_rate(engine, found.contender.image_size, TRIAL_BATCH)
