"""What stage one did, for people and for scripts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pipeline.cache.damage import DamageReport
from pipeline.cache.entries import Entry
from pipeline.extraction.loading import Failure
from pipeline.extraction.pixels import SettledPixels
from pipeline.extraction.timing import STEPS, bottleneck
from pipeline.extraction.understood import Understood
from pipeline.files import LeftAlone


@dataclass
class SplitReport:
    """What stage one did for one split.

    Attributes:
        files: The feature files; of one that is not published, the one being filled.
        rows: Rows it holds, or will hold.
        computed: Rows that went through the base in this run.
        reused: Rows that stood in the cache already, or share their image with a computed one.
        failed: Images that gave no features.
        seconds: This split's share of the time spent filling.
    """

    files: list[Path]
    rows: int
    computed: int
    reused: int
    failed: int
    seconds: float

    def to_json(self) -> dict[str, Any]:
        """Returns the report as plain types."""
        return {
            "files": [str(path) for path in self.files],
            "rows": self.rows,
            "computed": self.computed,
            "reused": self.reused,
            "failed": self.failed,
            "seconds": round(self.seconds, 3),
            "images_per_second": round(self.computed / self.seconds, 1) if self.seconds else None,
        }


@dataclass
class Extraction:
    """What stage one did for one cut.

    Attributes:
        entry: Folder of the feature files, and the spec of what is in them.
        splits: One report per split.
        failures: Images that gave no features, each with its reason.
        skipped: Images left out of the published files on request.
        unfinished: Splits that are not published because images failed.
        timings: Seconds per step, see ``STEPS``.
        measured: Images per second in each arithmetic, where ``auto`` measured them in this run.
        left: Files of the cache that were not used and stay, each with its reason.
        damaged: Files of the cache that were damaged, and how many rows were computed anew for each.
        pixels: The range of pixels deeper than 8 bits; None where there are none.
        understood: What the source holds; None where nobody asked.
    """

    entry: Entry
    splits: dict[str, SplitReport]
    failures: list[Failure] = field(default_factory=list)
    skipped: list[Failure] = field(default_factory=list)
    unfinished: list[str] = field(default_factory=list)
    timings: dict[str, float] = field(default_factory=dict)
    measured: dict[str, float] = field(default_factory=dict)
    left: list[LeftAlone] = field(default_factory=list)
    damaged: list[DamageReport] = field(default_factory=list)
    pixels: SettledPixels | None = None
    understood: Understood | None = None

    def count_earlier(self, computed: Mapping[str, int]) -> None:
        """Counts rows of each split as computed that this run computed before it had to begin anew."""
        for name, split in self.splits.items():
            rows = min(computed.get(name, 0), split.reused)
            split.computed += rows
            split.reused -= rows

    @property
    def computed(self) -> int:
        """Rows that went through the base in this run."""
        return sum(split.computed for split in self.splits.values())

    def to_json(self) -> dict[str, Any]:
        """Returns the object that ``pipeline extract --json`` prints."""
        return {
            "entry": str(self.entry.folder),
            "layer": self.entry.spec.layer,
            "engine": self.entry.spec.engine,
            "precision": self.entry.spec.precision,
            "weights": self.entry.spec.weights,
            "splits": {name: split.to_json() for name, split in self.splits.items()},
            "failures": [{"id": failure.id, "reason": failure.reason} for failure in self.failures],
            "skipped": [{"id": failure.id, "reason": failure.reason} for failure in self.skipped],
            "timings": {step: round(self.timings.get(step, 0.0), 3) for step in STEPS},
            "bottleneck": bottleneck(self.timings) if self.computed else None,
            "measured": {name: round(rate, 1) for name, rate in self.measured.items()},
            "damaged": [one.to_json() for one in self.damaged],
            "left_alone": [one.to_json() for one in self.left],
            "pixel_range": self.pixels.to_json() if self.pixels else None,
            **(self.understood.to_json() if self.understood else {}),
        }
