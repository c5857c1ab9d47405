"""Joining heads on the cuts of one base to an ensemble, where that gains more than noise."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from pipeline.choosing.contender import Extracted
from pipeline.choosing.ensembles import ASKED, LIBRARY, measure_gain, rows_to_look_at, select_members
from pipeline.choosing.fits import Fit
from pipeline.heads import row_groups
from pipeline.heads._core.examples import select_all
from pipeline.heads._core.members import Member, write_members
from pipeline.heads._core.target_figures import FIGURES, LOSSES, loss, score
from pipeline.heads.ensemble import NAME
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
    rows, kind = select_all(valid), valid.target
    some = rows_to_look_at(rows.truth)
    if ASKED[kind] < LIBRARY:  # a figure that takes its time
        say(f"choose: {found.contender}: {counted(len(library), 'head')}: which answer best together?")
    answers, truth = np.stack([one.answers[some] for one in library]), rows.truth[some]
    gain = measure_gain(answers, truth, row_groups(valid)[rows.index][some], seed=seed, kind=kind)
    if not gain.is_more_than_noise:
        say(f"choose: {found.contender}: an ensemble gains no more than noise: {gain.told}")
        return None
    say(f"choose: {found.contender}: an ensemble gains: {gain.told}")
    votes = select_members(answers, truth, kind)
    chosen = [(one, int(count)) for one, count in zip(library, votes, strict=True) if count]
    positions = tuple(sorted({place for one, _ in chosen for place in one.positions}))
    members = [
        Member(one.result.head, one.result.options, one.layer if len(positions) > 1 else "", count)
        for one, count in chosen
    ]
    together = np.sum([count * one.answers for one, count in chosen], axis=0) / votes.sum()
    losses: dict[str, Any] = {LOSSES[kind]: loss(kind, rows.truth, together)}
    result = Result(
        NAME,
        NAME,
        {"members": write_members(members)},
        score=score(kind, rows.truth, together),
        rows=len(rows),
        seconds=sum(one.result.seconds for one, _ in chosen),
        figure=FIGURES[kind],
        **losses,
    )
    return Fit(found, positions, result, together)
