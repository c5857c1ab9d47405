"""Comparison of heads on the same rows, and whether their differences are more than chance."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Generic

from pipeline.cache import FeatureSet
from pipeline.errors import PipelineError, UsageError
from pipeline.evaluation.files import replacing, software, write_json
from pipeline.evaluation.leaks.findings import Leaks
from pipeline.evaluation.ledger import Looks
from pipeline.evaluation.paired_tests import Difference, PairedDifference, holm, mcnemar
from pipeline.evaluation.targets.yardsticks import ByMap, ByR2
from pipeline.evaluation.yardstick import ByAccuracy, R, Yardstick
from pipeline.files import root_of
from pipeline.heads import load_head
from pipeline.images.targets import CLASS, LABELS, NUMBER
from pipeline.run_files import is_of_a_comparison
from pipeline.wording import several

__all__ = [
    "COMPARISON",
    "YARDSTICKS",
    "Comparison",
    "Difference",
    "compare_heads",
    "head_folders",
    "holm",
    "mcnemar",
]

COMPARISON = "comparison"
"""Name of the folder and of the files in it."""
YARDSTICKS: dict[str, Yardstick[Any]] = {CLASS: ByAccuracy(), LABELS: ByMap(), NUMBER: ByR2()}
"""How heads of each kind are compared."""


@dataclass(frozen=True, eq=False)
class Comparison(Generic[R]):
    """Several heads measured on the same rows.

    Attributes:
        reports: One a head, the best first, as the yardstick sorts them.
        differences: What tells each head from the first one; None for the first.
        skipped: Why a head could not take part, by its name.
        yardstick: What they are compared by.
    """

    reports: tuple[R, ...]
    differences: tuple[PairedDifference | None, ...]
    skipped: dict[str, str]
    yardstick: Yardstick[Any] = YARDSTICKS[CLASS]

    @property
    def best(self) -> R:
        """The head with the best figure."""
        return self.reports[0]

    @property
    def folder(self) -> Path:
        """Where the files of the comparison belong: beside the heads."""
        return self.best.entry / COMPARISON / self.best.split

    @property
    def looks(self) -> Looks | None:
        """How often the split was looked at after the last of the heads."""
        counted = [report.looks for report in self.reports if report.looks is not None]
        return max(counted, key=lambda looks: looks.evaluations, default=None)

    @property
    def notes(self) -> tuple[str, ...]:
        """Remarks of the reports, each once, with the heads it is about; and what to think of a winner."""
        looks = self.looks.note if self.looks else ""
        counts = {report.looks.note for report in self.reports if report.looks}  # each has its own number
        heads: dict[str, list[str]] = {}
        for report in self.reports:
            for note in report.notes:
                heads.setdefault(note, []).append(report.head)
        notes = [
            note if len(names) == len(self.reports) else f"{several(names)}: {note}"
            for note, names in heads.items()
            if note not in counts
        ]
        notes += filter(None, [looks])
        if self.best.split == "test" and len(self.reports) > 1:
            notes.append(self.winner_note)
        return tuple(notes)

    @property
    def winner_note(self) -> str:
        """What to think of the figure of a head that was chosen by it."""
        return (
            f"the first of several heads on test was chosen on test, so its {self.yardstick.figure} is a "
            "little too high: choose with `--split val`, and quote the test figure of the head that is first "
            "there"
        )

    def to_json(self) -> dict[str, Any]:
        """Returns the object that ``pipeline evaluate --head all --json`` prints."""
        return {
            "dataset": self.best.dataset,
            "split": self.best.split,
            "n": self.best.rows_measured,
            "heads": self.rows(),
            **self.yardstick.shared(self.reports),
            "skipped": self.skipped,
            "notes": list(self.notes),
            "looks": self.looks.to_json() if self.looks else None,
            "folder": str(self.folder),
        }

    def rows(self) -> list[dict[str, Any]]:
        """Returns one flat row of figures a head, the best first."""
        columns = [column.name for column in fields(self.yardstick.difference)]
        return [
            {
                "rank": rank,
                "head": report.head,
                "trained_on": report.trained_on,
                "validated_on": report.validated_on,
                **self.yardstick.figures(report),
                **{name: getattr(difference, name, None) for name in columns},
                "run": str(report.run),
            }
            for rank, (report, difference) in enumerate(zip(self.reports, self.differences, strict=True), 1)
        ]

    def write(self) -> Path:
        """Writes comparison.json and comparison.csv, replacing older ones, and returns their folder.

        Raises:
            UsageError: Something that is no comparison stands there.
            PipelineError: The folder cannot be written.
        """
        rows, record = self.rows(), f"{COMPARISON}.json"
        root = root_of(self.folder, 3)  # <runs>/<dataset>/<entry>/comparison/<split>
        with replacing(self.folder, record, known=is_of_a_comparison, root=root) as fresh:
            write_json(self.to_json() | {"software": software()}, fresh / record)
            with (fresh / f"{COMPARISON}.csv").open("w", encoding="utf-8", newline="") as file:
                writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
                writer.writeheader()
                writer.writerows(rows)
        return self.folder


def head_folders(entry: Path) -> list[Path]:
    """Lists the run folders of all heads that are trained on an entry.

    Args:
        entry: ``runs/<dataset>/<entry>``.

    Raises:
        UsageError: There is none.
    """
    found = sorted(path.parent for path in entry.glob("*/head.json") if not path.parent.name.startswith("."))
    if not found:
        raise UsageError(f"no head is trained in {entry}: `pipeline train-head` trains one, `sweep` several")
    return found


def compare_heads(
    folders: Iterable[Path],
    features: FeatureSet,
    *,
    val: FeatureSet | None = None,
    leaks: Leaks | None = None,
) -> Comparison[Any]:
    """Measures several heads on one split and tests each against the best.

    Args:
        folders: Run folders of the heads, see :func:`head_folders`.
        features: The split, with classes, labels or numbers.
        val: The val split, which tells how wide prediction intervals of numbers are; None = there are none.
        leaks: As in :func:`pipeline.evaluation.evaluate`.

    Raises:
        UsageError: No row has a label.
        PipelineError: None of the heads can be measured; the message is that of the last one.
    """
    yardstick, reports, skipped = YARDSTICKS[features.target], [], {}
    for folder in folders:
        try:
            reports.append(yardstick.measure(load_head(folder), features, val=val, leaks=leaks))
        except UsageError:
            raise  # about the rows, so every other head would say the same
        except PipelineError as error:
            skipped[folder.name] = str(error)
            problem = error
    if not reports:
        raise problem
    best, *others = sorted(reports, key=yardstick.place)
    differences = yardstick.differences(best, others)
    return Comparison((best, *others), (None, *differences), skipped, yardstick)
