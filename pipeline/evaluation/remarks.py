"""Remarks: what a reader has to know before believing figures."""

from __future__ import annotations

import numpy as np

from pipeline.cache import FeatureSet
from pipeline.counts import counted, verb
from pipeline.evaluation.figures import Figures
from pipeline.evaluation.ledger import Looks
from pipeline.evaluation.seen import SeenRows


def remarks(
    features: FeatureSet,
    figures: Figures,
    groups: np.ndarray | None,
    looks: Looks | None,
    seen: SeenRows,
    without_leaks: Figures | None = None,
    *,
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
        calibrated: Whether the probabilities are those of a temperature.
    """
    notes = seen.notes(figures, without_leaks)
    if features.spec.weights.startswith("random:"):
        notes.append(
            f"RANDOM FILTERS ({features.spec.weights}): the base was never trained, so the figures tell "
            "that the pipeline works, not what the base can do. Use `--weights imagenet`"
        )
    if figures.unlabelled:
        rows = counted(figures.unlabelled, "row")
        have, count = (verb(figures.unlabelled, *forms) for forms in (("has", "have"), ("counts", "count")))
        notes.append(f"{rows} {have} no label and {count} in no figure")
    if groups is not None:
        notes.append(
            f"the rows belong to {counted(len(np.unique(groups)), 'group')}, which the bootstrap intervals "
            "take into account and the interval of the accuracy beside it does not: believe the wider one"
        )
    if calibrated and features.split == "val":
        notes.append(
            "the temperature of the head was fitted on val, so log-loss, Brier score and calibration error "
            "on val are a little too good; accuracy is what it was"
        )
    if looks is not None and looks.note:
        notes.append(looks.note)
    return tuple(notes)
