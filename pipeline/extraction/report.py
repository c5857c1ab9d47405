"""What stage one did, for people and for scripts."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.cache.damage import DamageLog, DamageReport
from pipeline.cache.entries import Entry
from pipeline.cache.shards import ShardName
from pipeline.extraction.plan import FileGroup
from pipeline.extraction.settle import SettledPixels
from pipeline.extraction.targets import TargetRows
from pipeline.extraction.timing import STEPS, Bound, bottleneck
from pipeline.extraction.understood import Understood
from pipeline.files import LeftAlone
from pipeline.hardware import cores, gpus
from pipeline.images import SPLITS, BadImage


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
        measured: Images per second in each arithmetic, where ``auto`` measured them.
        forward_rate: Images per second of the base alone on this machine; None where it was not measured.
        passed: Rows that went through the base in the time of ``timings``, for this cut or another.
        left: Files of the cache that were not used and stay, each with its reason.
        damaged: Files of the cache that were damaged, and how many rows were computed anew for each.
        pixels: The range of pixels deeper than 8 bits; None where there are none.
        understood: What the source holds; None where nobody asked.
    """

    entry: Entry
    splits: dict[str, SplitReport]
    failures: list[BadImage] = field(default_factory=list)
    skipped: list[BadImage] = field(default_factory=list)
    unfinished: list[str] = field(default_factory=list)
    timings: dict[str, float] = field(default_factory=dict)
    measured: dict[str, float] = field(default_factory=dict)
    forward_rate: float | None = None
    passed: int = 0
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

    @property
    def bound(self) -> Bound | None:
        """What this machine could reach; None where the base alone was not measured."""
        fill_s, image_s = self.timings.get("fill", 0.0), self.timings.get("image_cpu", 0.0)
        if not (self.forward_rate and self.passed and fill_s and image_s):
            return None
        return Bound(
            forward=self.forward_rate,
            image_s=image_s / self.passed,
            cores=cores(),
            apart=self.entry.spec.engine == "keras" and bool(gpus()),
            reached=self.passed / fill_s,
        )

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
            "bound": None if self.bound is None else self.bound.to_json(),
            "damaged": [one.to_json() for one in self.damaged],
            "left_alone": [one.to_json() for one in self.left],
            "pixel_range": self.pixels.to_json() if self.pixels else None,
            **(self.understood.to_json() if self.understood else {}),
        }


def extractions_to_json(reports: Sequence[Extraction]) -> dict[str, Any]:
    """Returns the object of one cut, or that of the first with those of all as ``entries``."""
    objects = [report.to_json() for report in reports]
    return objects[0] if len(objects) == 1 else {**objects[0], "entries": objects}


@dataclass
class FileProgress:
    """What became of one file.

    Attributes:
        rows: Rows that it shall hold.
        there: Rows of them that are on disk.
        computed: Rows that went through the base in this run.
        published: Whether it is published as wanted.
    """

    rows: int
    there: int
    computed: int
    published: bool = False


@dataclass
class RunProgress:
    """What became of the files of one cut.

    Attributes:
        entry: The cut's folder.
        files: By shard; a shard that turned out to have no rows is not among them.
        damage: The damaged files that were met.
    """

    entry: Entry
    files: dict[ShardName, FileProgress] = field(default_factory=dict)
    damage: DamageLog = field(init=False)

    def __post_init__(self) -> None:
        self.damage = DamageLog(self.entry.folder)

    def count(self, group: FileGroup, wanted: TargetRows, done: np.ndarray, computed: np.ndarray) -> None:
        """Takes down how far a group has come; may be told again after more was done.

        Args:
            group: The files.
            wanted: Their G rows.
            done: bool (G,), rows that are on disk.
            computed: bool (G,), rows that were computed since it was last told.
        """
        self.damage.count(wanted.rows, computed)
        there, fresh = wanted.count(done), wanted.count(computed)
        for shard in (span.shard for span in group):
            before = self.files.pop(shard, None)
            if shard.name in wanted.rows:
                self.files[shard] = FileProgress(
                    rows=len(wanted.rows[shard.name]),
                    there=there[shard.name],
                    computed=fresh[shard.name] + (before.computed if before else 0),
                )

    def forget(self, group: FileGroup) -> None:
        """Takes down that the files of a group have no rows."""
        for span in group:
            self.files.pop(span.shard, None)

    def settle(self, group: FileGroup, unfinished: Collection[str]) -> None:
        """Takes down which files of a group are published: all but those named."""
        for shard in (span.shard for span in group):
            if shard in self.files:
                self.files[shard].published = shard.name not in unfinished

    @property
    def computed(self) -> Counter[str]:
        """Rows of each split that went through the base in this run."""
        counts: Counter[str] = Counter()
        for shard, file in self.files.items():
            counts[shard.split] += file.computed
        return counts

    @property
    def lacking(self) -> set[str]:
        """The splits of which some row is not on disk."""
        return {shard.split for shard, file in self.files.items() if file.there < file.rows}

    @property
    def unfinished(self) -> list[str]:
        """The splits of which some file is not published as wanted, in the order train, val, test."""
        found = {shard.split for shard, file in self.files.items() if not file.published}
        return [split for split in SPLITS if split in found]

    def reports(self, seconds: float) -> dict[str, SplitReport]:
        """Sums up each split.

        Args:
            seconds: Time spent filling; each split has its share by the rows computed.
        """
        total = max(sum(file.computed for file in self.files.values()), 1)
        by_split: dict[str, dict[ShardName, FileProgress]] = defaultdict(dict)
        for shard in sorted(self.files):
            by_split[shard.split][shard] = self.files[shard]
        return {
            split: self._report(by_split[split], seconds / total) for split in SPLITS if split in by_split
        }

    def _report(self, files: Mapping[ShardName, FileProgress], seconds_a_row: float) -> SplitReport:
        rows, there, computed = (
            sum(getattr(file, name) for file in files.values()) for name in ("rows", "there", "computed")
        )
        return SplitReport(
            files=[self._place(shard, file) for shard, file in files.items()],
            rows=rows,
            computed=computed,
            reused=there - computed,
            failed=rows - there,
            seconds=seconds_a_row * computed,
        )

    def _place(self, shard: ShardName, file: FileProgress) -> Path:
        return self.entry.file(shard.name) if file.published else self.entry.partial(shard.name)
