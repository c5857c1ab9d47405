"""Comparison of heads on the same rows, and whether their differences are more than chance."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.cache import FeatureSet
from pipeline.errors import PipelineError, UsageError
from pipeline.evaluation import evaluate
from pipeline.evaluation.files import replacing, software, write_json
from pipeline.evaluation.leaks.findings import Leaks
from pipeline.evaluation.ledger import Looks
from pipeline.evaluation.metrics import CONFIDENCE
from pipeline.evaluation.report import Report
from pipeline.files import root_of
from pipeline.heads import load_head
from pipeline.run_files import is_of_a_comparison
from pipeline.wording import several

COMPARISON = "comparison"
"""Name of the folder and of the files in it."""
WINNER = (
    "the first of several heads on test was chosen on test, so its accuracy is a little too high: choose "
    "with `--split val`, and quote the test figure of the head that is first there"
)


def mcnemar(only_first: int, only_second: int) -> float:
    """Returns the two-sided p-value of the hypothesis that two heads are equally often right.

    Rows that both have right or both wrong tell nothing; of the others each is a toss of a fair coin. The
    exact binomial test is taken for any number of rows: the chi-square form only approximates it.

    Source: Q. McNemar, "Note on the sampling error of the difference between correlated proportions or
    percentages", Psychometrika 12 (1947).
    """
    from scipy.stats import binomtest

    tosses = only_first + only_second
    return float(binomtest(only_first, tosses).pvalue) if tosses else 1.0


def holm(p_values: Sequence[float]) -> list[float]:
    """Corrects p-values of one family of tests, so that any false alarm at all stays as rare as promised.

    Source: S. Holm, "A simple sequentially rejective multiple test procedure", Scandinavian Journal of
    Statistics 6 (1979).
    """
    p = np.asarray(p_values, float)
    order = np.argsort(p, kind="stable")
    corrected = np.empty_like(p)
    corrected[order] = np.minimum(np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)), 1)
    return corrected.tolist()


@dataclass(frozen=True)
class Difference:
    """One head against the best one.

    Attributes:
        only_best: Rows that only the best head has right.
        only_this: Rows that only this head has right.
        p: p-value of McNemar's exact test, for itself.
        p_holm: The p-value corrected for the number of heads that are compared.
    """

    only_best: int
    only_this: int
    p: float
    p_holm: float

    @property
    def is_significant(self) -> bool:
        """Whether chance alone would rarely bring about this difference."""
        return self.p_holm < 1 - CONFIDENCE


@dataclass(frozen=True, eq=False)
class Comparison:
    """Several heads measured on the same rows.

    Attributes:
        reports: One a head, the highest accuracy first; of equal ones that with the lower log-loss.
        differences: What tells each head from the first one; None for the first.
        skipped: Why a head could not take part, by its name.
    """

    reports: tuple[Report, ...]
    differences: tuple[Difference | None, ...]
    skipped: dict[str, str]

    @property
    def best(self) -> Report:
        """The head with the highest accuracy."""
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
            notes.append(WINNER)
        return tuple(notes)

    def to_json(self) -> dict[str, Any]:
        """Returns the object that ``pipeline evaluate --head all --json`` prints."""
        return {
            "dataset": self.best.dataset,
            "split": self.best.split,
            "n": self.best.figures.n,
            "heads": self.rows(),
            "unlabelled": self.best.figures.unlabelled,
            "majority_class": self.best.figures.majority.name,
            "majority_accuracy": self.best.figures.majority_accuracy,
            "classes_not_found": {
                report.head: [one.name for one in report.figures.not_found] for report in self.reports
            },
            "skipped": self.skipped,
            "notes": list(self.notes),
            "looks": self.looks.to_json() if self.looks else None,
            "folder": str(self.folder),
        }

    def rows(self) -> list[dict[str, Any]]:
        """Returns one flat row of figures a head, the best first."""
        return [
            _row(rank, *pair) for rank, pair in enumerate(zip(self.reports, self.differences, strict=True), 1)
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
    leaks: Leaks | None = None,
) -> Comparison:
    """Measures several heads on one split and tests each against the best.

    Args:
        folders: Run folders of the heads, see :func:`head_folders`.
        features: The split.
        leaks: As in :func:`pipeline.evaluation.evaluate`.

    Raises:
        UsageError: No row has a label.
        PipelineError: None of the heads can be measured; the message is that of the last one.
    """
    reports, skipped = [], {}
    for folder in folders:
        try:
            reports.append(evaluate(load_head(folder), features, leaks=leaks))
        except UsageError:
            raise  # about the rows, so every other head would say the same
        except PipelineError as error:
            skipped[folder.name] = str(error)
            problem = error
    if not reports:
        raise problem
    reports.sort(key=lambda report: (-report.figures.accuracy, report.figures.log_loss, report.head))
    return Comparison(tuple(reports), (None, *_differences(reports)), skipped)


def _differences(reports: Sequence[Report]) -> list[Difference]:
    best, *others = (_hits(report) for report in reports)
    counts = [(int(np.sum(best & ~hits)), int(np.sum(hits & ~best))) for hits in others]
    p_values = [mcnemar(*pair) for pair in counts]
    return [
        Difference(*pair, p, corrected)
        for pair, p, corrected in zip(counts, p_values, holm(p_values), strict=True)
    ]


def _hits(report: Report) -> np.ndarray:
    return (report.probabilities.argmax(axis=1) == report.rows.labels)[report.rows.labels >= 0]


def _row(rank: int, report: Report, difference: Difference | None) -> dict[str, Any]:
    figures = report.figures
    low, high = figures.accuracy_ci
    return {
        "rank": rank,
        "head": report.head,
        "trained_on": report.trained_on,
        "validated_on": report.validated_on,
        "temperature": report.calibration.temperature.value if report.calibration else None,
        "accuracy": figures.accuracy,
        "accuracy_low": low,
        "accuracy_high": high,
        "balanced_accuracy": figures.balanced_accuracy,
        "macro_f1": figures.macro_f1,
        "mcc": figures.mcc,
        "roc_auc": figures.roc_auc,
        "log_loss": figures.log_loss,
        "ece": figures.ece,
        "only_best": None if difference is None else difference.only_best,
        "only_this": None if difference is None else difference.only_this,
        "p": None if difference is None else difference.p,
        "p_holm": None if difference is None else difference.p_holm,
        "run": str(report.run),
    }
