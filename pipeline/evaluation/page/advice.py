"""What would help: steps that follow from what an evaluation has found, each with the command to run."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pipeline.evaluation.leaks.findings import MEND, Leaks
from pipeline.evaluation.page.commands import Commands
from pipeline.evaluation.page.confusions import Pair, worst_pairs
from pipeline.evaluation.page.thresholds import Answered
from pipeline.evaluation.remarks import FEW_ROWS
from pipeline.evaluation.report import Report
from pipeline.heads import TrainedHead
from pipeline.wording import counted, readable, verb

WANTED, ENOUGH = 0.01, 0.015
"""Half an interval that one would like to have, a point, and one that is narrow enough."""
Z = 1.96
"""Standard deviations on each side of a 95 % interval of a normal distribution."""
LARGE_ERROR = 0.02
"""Calibration error from which a temperature is worth a try."""
FEW_HEADS = 3
WEAK = 0.1
"""How far below the mean of all classes a recall is weak."""
MOST_NAMED = 5
RELIABLE, MOST = 0.99, 0.5
"""Accuracy that is as good as right, and the share of answers that has to be left."""


@dataclass(frozen=True)
class Step:
    """One thing to do.

    Attributes:
        title: What to do, in a few words.
        reason: What was found, and what it would bring.
        commands: What to run, as it is typed.
    """

    title: str
    reason: str
    commands: tuple[str, ...] = ()


def steps(
    report: Report,
    head: TrainedHead,
    *,
    leaks: Leaks | None,
    commands: Commands,
    heads: int,
    splits: Sequence[str],
    kept_back: Sequence[Answered],
    unlabelled: int = 0,
) -> list[Step]:
    """Lists what would help, the most important first: the data, then the figure, then the head.

    Args:
        report: The evaluation.
        head: The evaluated head.
        leaks: What a leak check found; None where none was made.
        commands: Makes the commands.
        heads: Heads that were trained on the same features.
        splits: Splits whose features are there.
        kept_back: Answers that are left at each confidence.
        unlabelled: Training images without a label.
    """
    return [
        *_on_data(report, leaks, commands),
        *_on_labels(report, commands, unlabelled),
        *_on_classes(report, head, commands),
        *_on_figure(report, commands, splits),
        *_on_head(report, commands, heads, splits),
        *_on_use(kept_back),
    ]


def _on_data(report: Report, leaks: Leaks | None, commands: Commands) -> Iterator[Step]:
    if report.spec.weights.startswith("random:"):
        yield Step(
            "Use trained filters",
            "The base was never trained, so no figure here says what it can do: "
            "extract with --weights imagenet.",
        )
    if report.trained_on is None:
        yield Step("Train the head again", "Which images it has seen is not known.", (commands.train(),))
    if leaks is None:
        yield Step("Look for images in two splits", "The splits were not compared.", (commands.check(),))
    elif leaks.certain:
        pairs = counted(len(leaks.certain), "pair of images", "pairs of images")
        reason = f"{pairs} {verb(leaks.certain, 'stands', 'stand')} in two splits. {MEND}."
        yield Step("Take leaks out", reason, (commands.check(),))
    elif leaks.notes:
        yield Step(
            "Compare the splits in full",
            "Not everything was compared: " + leaks.notes[0],
            (commands.check(),),
        )
    elif leaks.findings:
        pairs = counted(len(leaks.findings), "pair of images", "pairs of images")
        reason = f"{pairs} {verb(leaks.findings)} much alike; only eyes can tell whether they are one."
        yield Step("Look at images that are much alike", reason, (commands.check(),))


def _on_labels(report: Report, commands: Commands, unlabelled: int) -> Iterator[Step]:
    if report.figures.accuracy < RELIABLE:
        yield Step(
            "Look through the labels",
            "Some mistakes may be right answers to wrong labels: those that heads contradict which have not "
            "seen the image are shown one by one.",
            (commands.check_labels(),),
        )
    if unlabelled:
        yield Step(
            "Label more images",
            f"{counted(unlabelled, 'training image')} {verb(unlabelled, 'has', 'have')} no label; "
            "some of them tell much more than others.",
            (commands.next_images(),),
        )


def _on_classes(report: Report, head: TrainedHead, commands: Commands) -> Iterator[Step]:
    figures = report.figures
    rows = dict(zip(head.classes, head.class_counts, strict=True))
    weak = [
        one
        for one in sorted(figures.per_class, key=lambda one: one.recall)
        if one.support and one.recall < figures.balanced_accuracy - WEAK
    ]
    if weak:
        named = ", ".join(
            f"{readable(one.name)} ({one.recall:.0%} found, {counted(rows[one.name], 'training row')})"
            for one in weak[:MOST_NAMED]
        )
        more = f" and {len(weak) - MOST_NAMED:,} more" if len(weak) > MOST_NAMED else ""
        yield Step(
            "Collect images of the weak classes",
            f"They are found less often than the mean of {figures.balanced_accuracy:.0%}: {named}{more}.",
        )
    if figures.accuracy < RELIABLE:
        yield Step(
            "Ask what more images would bring",
            "A learning curve says what twice as many would, overall and for each class.",
            (commands.learning_curve(),),
        )
    pairs = worst_pairs(figures, most=2)
    if pairs:
        yield Step("Look at the classes that are confused most", _confused(pairs))


def _confused(pairs: Sequence[Pair]) -> str:
    said = "; ".join(f"{one.truth} is taken for {one.predicted} {_times(one.rows)}" for one in pairs)
    return (
        f"{said}. Filter the gallery for them: what you cannot tell apart either needs other labels, "
        "not another head."
    )


def _times(count: int) -> str:
    return "once" if count == 1 else f"{count:,} times"


def _on_figure(report: Report, commands: Commands, splits: Sequence[str]) -> Iterator[Step]:
    figures = report.figures
    low, high = figures.accuracy_ci
    half = (high - low) / 2
    if half > ENOUGH:
        share = (figures.n * figures.accuracy + Z**2 / 2) / (figures.n + Z**2)  # as Wilson's interval has it
        needed = round(Z**2 * share * (1 - share) / WANTED**2, -2)
        yield Step(
            "Measure on more images",
            f"The accuracy is known to {100 * half:.1f} points more or less. About {needed:,.0f} images "
            f"of {report.split} instead of {figures.n:,} would make that one point.",
        )
    if report.split == "test" and figures.n < FEW_ROWS:
        yield Step(
            "Measure on every image",
            f"{counted(figures.n, 'row')} of test tell little; cross-validation has every labelled image of "
            "all splits answered by heads that have not seen it.",
            (commands.cross_validate(),),
        )
    can_calibrate = "val" in splits and report.split != "val" and report.calibration is None
    if can_calibrate and figures.ece >= LARGE_ERROR:
        yield Step(
            "Calibrate the probabilities",
            f"Confidence and accuracy are {figures.ece:.1%} apart on average. "
            "A temperature changes no answer.",
            (commands.evaluate("--calibrate"),),
        )


def _on_head(report: Report, commands: Commands, heads: int, splits: Sequence[str]) -> Iterator[Step]:
    if heads < FEW_HEADS:
        yield Step(
            "Try other heads",
            f"{counted(heads, 'head')} {verb(heads, 'was', 'were')} trained on these features; "
            "many more take seconds to minutes.",
            (commands.sweep(),),
        )
    elif "val" in splits:
        yield Step(
            "Choose among the heads on val",
            f"{counted(heads, 'head')} are there; compared on the same rows, chance can be told from skill.",
            (commands.evaluate_all(),),
        )


def _on_use(kept_back: Sequence[Answered]) -> Iterator[Step]:
    everything, *others = kept_back
    if everything.accuracy is None or everything.accuracy >= RELIABLE:
        return
    good = next((one for one in others if one.accuracy is not None and one.accuracy >= RELIABLE), None)
    if good is not None and good.share >= MOST:
        yield Step(
            "Leave the unsure rest to people",
            f"Answers with a confidence of at least {good.threshold:.0%} are right in {good.accuracy:.1%}; "
            f"they are {good.share:.0%} of all. See the thresholds above.",
        )
