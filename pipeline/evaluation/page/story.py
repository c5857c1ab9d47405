"""The story of the page in four lines: a short answer to the question of each chapter."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from pipeline.evaluation.leaks.findings import Leaks
from pipeline.evaluation.report import Report
from pipeline.wording import counted


def short_answers(
    report: Report, *, rows: Mapping[str, int], leaks: Leaks | None, misleading: bool, steps: Sequence[str]
) -> dict[str, str]:
    """Answers the question of each chapter in one line.

    Args:
        report: The evaluation.
        rows: Images of each split.
        leaks: What a leak check found; None where none was made.
        misleading: Whether a remark takes the meaning from the figures.
        steps: What would help, the most important first.

    Returns:
        Text by the name of the chapter.
    """
    return {
        "sound-data": data_answer(rows, leaks),
        "sound-figure": _figure(report, misleading),
        "looks-at": "Pictures with what spoke for its answers, and a map on which like images are close.",
        "would-help": f"{counted(len(steps), 'step')}, first: {steps[0]}." if steps else "Nothing is known.",
    }


def data_answer(rows: Mapping[str, int], leaks: Leaks | None) -> str:
    """Answers whether the data are sound: images of each split, and what a leak check found."""
    return f"{_sizes(rows)}; {_leaks(leaks)}."


def _sizes(rows: Mapping[str, int]) -> str:
    return ", ".join(f"{count:,} {split}" for split, count in rows.items()) + " images"


def _leaks(leaks: Leaks | None) -> str:
    if leaks is None:
        return "the splits were not compared"
    certain, doubtful = len(leaks.certain), len(leaks.findings) - len(leaks.certain)
    if not leaks.findings:
        return "no image was found in two splits"
    found = counted(certain, "leak") if certain else "no certain leak"
    more = f" and {counted(doubtful, 'pair')} to look at" if doubtful else ""
    return f"{found}{more} between splits"


def _figure(report: Report, misleading: bool) -> str:
    figures = report.figures
    low, high = figures.accuracy_ci
    wrong = figures.n - round(figures.accuracy * figures.n)
    said = (
        f"Accuracy {figures.accuracy:.1%}, between {low:.1%} and {high:.1%} over all such images; "
        f"{counted(wrong, 'mistake')} in {counted(figures.n, 'row')}"
    )
    return f"Not as it stands: see the red remarks. {said}." if misleading else f"{said}."
