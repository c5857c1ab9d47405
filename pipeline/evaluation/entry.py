"""An evaluation with all that belongs to it: the leak check before, the files and the page after."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.cache.features import Selection
from pipeline.errors import PipelineError
from pipeline.evaluation import evaluate
from pipeline.evaluation.comparison import Comparison, compare_heads
from pipeline.evaluation.files import PAGE
from pipeline.evaluation.leaks import KINDS, Leaks, find_leaks
from pipeline.evaluation.report import Report
from pipeline.heads import load_head
from pipeline.images import ImageSource, open_images

if TYPE_CHECKING:
    from pipeline.evaluation.targets import TargetReport
    from pipeline.heads import TrainedHead

QUICK_ROWS = 20_000
"""Up to this many rows in all, a leak check costs seconds and is part of every evaluation."""
LARGE = (
    "the splits are large, so only exact copies, groups, names and pictures hashed before were compared: "
    "`pipeline check` compares everything, and remembers its hashes"
)


def check_entry(chosen: Selection) -> Leaks | None:
    """Looks for leaks between the splits of an entry, as far as that takes seconds.

    Returns:
        What was found; None where there are no two splits to compare.

    Raises:
        CacheMismatchError: A feature row is damaged.
    """
    splits = {split: chosen.open(split) for split in chosen.splits}
    if len(splits) < 2:
        return None
    if sum(map(len, splits.values())) <= QUICK_ROWS:
        entry = chosen.entries[0]
        return find_leaks(splits, images=partial(open_images, entry.source, entry.source_options))
    found = find_leaks(splits, images=None, kinds=[kind for kind in KINDS if kind != "near"])
    return Leaks(found.findings, (LARGE,), found.checked, found.repeated)


def evaluate_entry(
    head: TrainedHead,
    chosen: Selection,
    split: str,
    *,
    leaks: Leaks | None = None,
    page: bool = True,
) -> Report:
    """Measures a head on a split of an entry and writes everything there is to say about it.

    Args:
        head: The trained head.
        chosen: The entry, or several that are read side by side.
        split: The rows to measure on.
        leaks: What :func:`check_entry` found.
        page: Whether ``report.html`` is written, which takes seconds.

    Raises:
        PipelineError: As :func:`pipeline.evaluation.evaluate` and ``Report.write``.
    """
    report = evaluate(head, chosen.open(split), leaks=leaks)
    if page:
        write_with_page(report, head, chosen)
    else:
        report.write()
    return report


def evaluate_target_entry(
    head: TrainedHead,
    chosen: Selection,
    split: str,
    *,
    leaks: Leaks | None = None,
    page: bool = True,
) -> TargetReport:
    """Measures a head of labels or numbers on a split of an entry, and writes what there is to say about it.

    Arguments are those of :func:`evaluate_entry`. Where the entry has a val split, it tells how wide
    prediction intervals are.

    Raises:
        PipelineError: As :func:`pipeline.evaluation.targets.evaluate_targets` and ``TargetReport.write``.
    """
    from pipeline.evaluation.targets import evaluate_targets

    val = chosen.open("val") if "val" in chosen.splits else None
    report = evaluate_targets(head, chosen.open(split), val=val, leaks=leaks)
    if page:
        write_targets_with_page(report, chosen)
    else:
        report.write()
    return report


def compare_entry(
    folders: Iterable[Path],
    chosen: Selection,
    split: str,
    *,
    leaks: Leaks | None = None,
    page: bool = True,
) -> tuple[Comparison[Any], list[Path]]:
    """Compares heads on a split of an entry, and writes what there is to say about them and about the best.

    Args:
        folders: Run folders of the heads.
        chosen: The entry, or several that are read side by side.
        split: The rows to measure on.
        leaks: What :func:`check_entry` found.
        page: Whether the best head's report is written, with a page that has the comparison.

    Returns:
        The comparison, and the files that were written.

    Raises:
        PipelineError: As :func:`pipeline.evaluation.comparison.compare_heads` and ``Comparison.write``.
    """
    val = chosen.open("val") if "val" in chosen.splits else None
    comparison = compare_heads(folders, chosen.open(split), val=val, leaks=leaks)
    written = sorted(comparison.write().iterdir())
    if page and isinstance(comparison.best, Report):
        best = load_head(comparison.best.folder.parent)
        written.append(write_with_page(comparison.best, best, chosen, comparison=comparison) / PAGE)
    elif page:
        written.append(write_targets_with_page(comparison.best, chosen, comparison=comparison) / PAGE)
    return comparison, written


def write_targets_with_page(
    report: TargetReport, chosen: Selection, *, comparison: Comparison[Any] | None = None
) -> Path:
    """Writes the files of a report of labels or numbers, the page among them, and returns their folder."""
    from pipeline.evaluation.targets.page import write_target_page

    features = {name: chosen.open(name) for name in chosen.splits}
    images = images_of(chosen)
    return report.write(
        page=partial(write_target_page, report, features=features, images=images, comparison=comparison)
    )


def write_with_page(
    report: Report, head: TrainedHead, chosen: Selection, *, comparison: Comparison[Any] | None = None
) -> Path:
    """Writes the files of a report, the page among them, and returns their folder."""
    from pipeline.evaluation.page import write_report_page

    def write_page(path: Path) -> None:
        write_report_page(
            report,
            path,
            head=head,
            features={name: chosen.open(name) for name in chosen.splits},
            images=images_of(chosen),
            leaks=report.leaks,
            comparison=comparison,
        )

    return report.write(page=write_page)


def images_of(chosen: Selection) -> ImageSource | None:
    """Opens the images behind an entry; None where they are gone, which costs only the thumbnails."""
    with suppress(PipelineError, OSError):
        entry = chosen.entries[0]
        return open_images(entry.source, entry.source_options)
    return None
