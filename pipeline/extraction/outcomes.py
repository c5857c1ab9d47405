"""What became of each file of a cut in one run, for the run itself and for its report."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from pipeline.cache.damage import DamageLog
from pipeline.cache.entries import Entry
from pipeline.cache.parts import Part
from pipeline.extraction.portions import Portion
from pipeline.extraction.report import SplitReport
from pipeline.extraction.wanted import Wanted
from pipeline.images import SPLITS


@dataclass
class Outcome:
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
class Outcomes:
    """What became of the files of one cut.

    Attributes:
        entry: The cut's folder.
        files: By part; a part that turned out to have no rows is not among them.
        damage: The damaged files that were met.
    """

    entry: Entry
    files: dict[Part, Outcome] = field(default_factory=dict)
    damage: DamageLog = field(init=False)

    def __post_init__(self) -> None:
        self.damage = DamageLog(self.entry.folder)

    def count(self, portion: Portion, wanted: Wanted, done: np.ndarray, computed: np.ndarray) -> None:
        """Takes down how far a portion has come; may be told again after more was done.

        Args:
            portion: The files.
            wanted: Their G rows.
            done: bool (G,), rows that are on disk.
            computed: bool (G,), rows that were computed since it was last told.
        """
        self.damage.count(wanted.rows, computed)
        there, fresh = wanted.count(done), wanted.count(computed)
        for part in (stretch.part for stretch in portion):
            before = self.files.pop(part, None)
            if part.name in wanted.rows:
                self.files[part] = Outcome(
                    rows=len(wanted.rows[part.name]),
                    there=there[part.name],
                    computed=fresh[part.name] + (before.computed if before else 0),
                )

    def forget(self, portion: Portion) -> None:
        """Takes down that the files of a portion have no rows."""
        for stretch in portion:
            self.files.pop(stretch.part, None)

    def settle(self, portion: Portion, unfinished: Collection[str]) -> None:
        """Takes down which files of a portion are published: all but those named."""
        for part in (stretch.part for stretch in portion):
            if part in self.files:
                self.files[part].published = part.name not in unfinished

    @property
    def computed(self) -> Counter[str]:
        """Rows of each split that went through the base in this run."""
        counts: Counter[str] = Counter()
        for part, file in self.files.items():
            counts[part.split] += file.computed
        return counts

    @property
    def lacking(self) -> set[str]:
        """The splits of which some row is not on disk."""
        return {part.split for part, file in self.files.items() if file.there < file.rows}

    @property
    def unfinished(self) -> list[str]:
        """The splits of which some file is not published as wanted, in the order train, val, test."""
        found = {part.split for part, file in self.files.items() if not file.published}
        return [split for split in SPLITS if split in found]

    def reports(self, seconds: float) -> dict[str, SplitReport]:
        """Sums up each split.

        Args:
            seconds: Time spent filling; each split has its share by the rows computed.
        """
        total = max(sum(file.computed for file in self.files.values()), 1)
        by_split: dict[str, dict[Part, Outcome]] = defaultdict(dict)
        for part in sorted(self.files):
            by_split[part.split][part] = self.files[part]
        return {
            split: self._report(by_split[split], seconds / total) for split in SPLITS if split in by_split
        }

    def _report(self, files: Mapping[Part, Outcome], seconds_a_row: float) -> SplitReport:
        rows, there, computed = (
            sum(getattr(file, name) for file in files.values()) for name in ("rows", "there", "computed")
        )
        return SplitReport(
            files=[self._place(part, file) for part, file in files.items()],
            rows=rows,
            computed=computed,
            reused=there - computed,
            failed=rows - there,
            seconds=seconds_a_row * computed,
        )

    def _place(self, part: Part, file: Outcome) -> Path:
        return self.entry.file(part.name) if file.published else self.entry.partial(part.name)
