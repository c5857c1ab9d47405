"""Joining heads on the cuts of one base to an ensemble, where that gains more than noise."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pipeline.choosing.contender import Extracted
from pipeline.choosing.ensembles import LIBRARY, MOST_ROWS, measure_gain, select_members
from pipeline.choosing.fits import Fit
from pipeline.heads import row_groups
from pipeline.heads._core.members import Member, write_members
from pipeline.heads._core.temperature import FLOOR
from pipeline.heads.ensemble import NAME
from pipeline.images import UNLABELLED
from pipeline.progress import say
from pipeline.sweeps import Result
from pipeline.wording import counted


def joined_fits(found: Extracted, fits: Sequence[Fit], *, seed: int) -> Fit | None:
    """Selects an ensemble; None where it gains nothing, or no more than chance may bring about.

    Args:
        found: The features of one contender.
        fits: Heads on its cuts, with answers on the same val rows.
        seed: Deals val rows to the folds on which the gain is measured.
    """
    library = sorted(fits, key=lambda one: one.rank)[:LIBRARY]
    valid = found.open(library[0].positions[0], "val")
    labelled = np.flatnonzero(valid.labels != UNLABELLED)
    truth = valid.labels[labelled]
    some = np.unique(np.linspace(0, len(truth) - 1, min(MOST_ROWS, len(truth))).astype(int))
    answers = np.stack([one.answers[some] for one in library])
    gain = measure_gain(answers, truth[some], row_groups(valid)[labelled][some], seed=seed)
    told = f"{gain.won:,} more right and {gain.lost:,} more wrong of {counted(gain.rows, 'val row')}"
    if not gain.is_more_than_noise:
        say(f"choose: {found.contender}: an ensemble gains no more than noise: {told}")
        return None
    say(f"choose: {found.contender}: an ensemble gains: {told}")
    votes = select_members(answers, truth[some])
    chosen = [(one, int(count)) for one, count in zip(library, votes, strict=True) if count]
    positions = tuple(sorted({place for one, _ in chosen for place in one.positions}))
    members = [
        Member(one.result.head, one.result.options, one.layer if len(positions) > 1 else "", count)
        for one, count in chosen
    ]
    together = np.sum([count * one.answers for one, count in chosen], axis=0) / votes.sum()
    of_truth = together[np.arange(len(truth)), truth]
    result = Result(
        NAME,
        NAME,
        {"members": write_members(members)},
        score=float(np.mean(together.argmax(axis=1) == truth)),
        log_loss=float(-np.log(np.maximum(of_truth, FLOOR)).mean()),
        rows=len(truth),
        seconds=sum(one.result.seconds for one, _ in chosen),
    )
    return Fit(found, positions, result, together)
