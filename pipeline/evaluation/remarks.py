"""Remarks: what a reader has to know before believing figures."""

from __future__ import annotations

import numpy as np

from pipeline.cache import FeatureSet
from pipeline.evaluation.figures import ClassFigures, Figures
from pipeline.evaluation.ledger import Looks
from pipeline.evaluation.rows import HonestFigure, SeenRows
from pipeline.heads import is_rare
from pipeline.spec import FeatureSpec
from pipeline.wording import counted, readable, several, verb

FEW_ROWS = 200
"""Rows of test below which the draw of them alone moves an accuracy of 90 % by 4 points (1.96 deviations)."""


def remarks(
    features: FeatureSet,
    figures: Figures,
    groups: np.ndarray | None,
    looks: Looks | None,
    seen: SeenRows,
    without_leaks: Figures | None = None,
    *,
    known: np.ndarray,
    calibrated: bool = False,
) -> tuple[str, ...]:
    """Collects the remarks without which figures would mislead.

    Args:
        features: The split that was evaluated.
        figures: What came out.
        groups: (n,) the group of each row; None where no row has any.
        looks: How often the split was looked at.
        seen: The rows that are no new ones.
        without_leaks: The figures without those; None where there are none, or no others.
        known: bool (k,), classes that had training rows.
        calibrated: Whether the probabilities are those of a temperature.
    """
    honest = None
    if without_leaks is not None:
        shares = f"{figures.accuracy:.2%}", f"{without_leaks.accuracy:.2%}"
        honest = HonestFigure("accuracy", *shares, without_leaks.n)
    notes = [*seen.notes(honest), *on_filters(features.spec)]
    if figures.unlabelled:
        rows = counted(figures.unlabelled, "row")
        have, count = (verb(figures.unlabelled, *forms) for forms in (("has", "have"), ("counts", "count")))
        notes.append(f"{rows} {have} no label and {count} in no figure")
    notes += _on_classes(figures, known)
    if groups is not None:
        notes.append(
            f"the rows belong to {counted(len(np.unique(groups)), 'group')}, which the bootstrap intervals "
            "take into account and the interval of the accuracy beside it does not: believe the wider one"
        )
    if features.split == "test" and figures.n < FEW_ROWS:
        notes.append(
            f"test has only {counted(figures.n, 'row')}, so another draw of them could give quite another "
            "figure: `pipeline evaluate --cv 10 --repeats 3`, with the same options, answers every image of "
            "all splits by heads that have not seen it"
        )
    if calibrated and features.split == "val":
        notes.append(
            "the temperature of the head was fitted on val, so log-loss, Brier score and calibration error "
            "on val are a little too good; accuracy is what it was"
        )
    if looks is not None and looks.note:
        notes.append(looks.note)
    return tuple(notes)


def on_filters(spec: FeatureSpec) -> list[str]:
    """Says that filters are random, where they are."""
    if not spec.weights.startswith("random:"):
        return []
    return [
        f"RANDOM FILTERS ({spec.weights}): the base was never trained, so the figures tell "
        "that the pipeline works, not what the base can do. Use `--weights imagenet`"
    ]


def _on_classes(figures: Figures, known: np.ndarray) -> list[str]:
    """Says which classes were not learnt, which were learnt and not found, and what a rare one does."""
    rows = [(one, learnt) for one, learnt in zip(figures.per_class, known, strict=True) if one.support]
    unlearnt, missed = (
        [one for one, learnt in rows if bool(learnt) is wanted and not one.recall] for wanted in (False, True)
    )
    rarest = min((one for one, _ in rows), key=lambda one: one.support)
    constant = (
        f"always answering {readable(figures.majority.name)} gives an accuracy of "
        f"{figures.majority_accuracy:.2%} and a balanced accuracy of {1 / len(rows):.2%}"
    )
    notes = []
    if unlearnt:
        notes.append(
            f"the head had no training rows of {several([one.name for one in unlearnt])}: it never answers "
            f"{verb(unlearnt, 'it', 'them')}, so the accuracy on {verb(unlearnt, 'its', 'their')} "
            f"{_rows_of(unlearnt)} of {figures.n:,} is 0"
        )
    if missed:
        names = several([one.name for one in missed])
        notes.append(f"nothing was found of {names} ({_rows_of(missed)}); {constant}")
    elif is_rare(rarest.support, figures.n, len(rows)):
        notes.append(f"{readable(rarest.name)} is rare ({_rows_of([rarest])} of {figures.n:,}); {constant}")
    return notes


def _rows_of(classes: list[ClassFigures]) -> str:
    return counted(sum(one.support for one in classes), "row")
