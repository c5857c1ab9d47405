"""Rounds: quick scores on a sample, of which the better half goes on to a larger one.

Source of the halving: K. Jamieson and A. Talwalkar, "Non-stochastic best arm identification and
hyperparameter optimization", AISTATS 2016.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

from pipeline.backbones.at_hand import BaseAtHand
from pipeline.choosing.contender import Contender, Extracted
from pipeline.choosing.passes import Passes, about
from pipeline.choosing.quick_score import QuickScore, quick_score
from pipeline.choosing.record import Tried
from pipeline.errors import PipelineError
from pipeline.progress import say
from pipeline.wording import counted

SAMPLES = (256, 1024)
"""Images of each round; a round is left out where it would be half of all images or more."""
STEP_SHARE = 0.2
"""Share of the time left that one contender may take of the first round."""
ROUND_SHARE = 0.4
"""Share of the time left that a later round may take."""


@dataclass(frozen=True, eq=False)
class Scored:
    """A contender with the quick score of each cut.

    Attributes:
        found: Its features of a sample.
        scores: One a cut.
    """

    found: Extracted
    scores: tuple[QuickScore, ...]

    @property
    def contender(self) -> Contender:
        """Who was scored."""
        return self.found.contender

    @property
    def best(self) -> QuickScore:
        """The score of the best cut."""
        return min(self.scores, key=lambda score: score.loss)

    @property
    def different(self) -> list[int]:
        """The cuts, the best first; of equal ones the first."""
        kept: list[int] = []
        for i in sorted(range(len(self.scores)), key=lambda i: self.scores[i].loss):
            if not any(self.scores[i].equals(self.scores[j]) for j in kept):
                kept.append(i)
        return kept

    @property
    def positions(self) -> list[int]:
        """Those of them that are not clearly worse than the best one."""
        return [i for i in self.different if not self.scores[i].clearly_worse(self.best)]


@dataclass(eq=False)
class Rounds:
    """What came of the rounds.

    Attributes:
        left: Those who are left, the best first; none where there are too few images for a round.
        out: The others that were scored, the best first.
    """

    left: list[Scored] = field(default_factory=list)
    out: list[Scored] = field(default_factory=list)


def play_rounds(passes: Passes, bases: Sequence[BaseAtHand], usable: int) -> Rounds:
    """Plays the rounds.

    Args:
        passes: Runs contenders.
        bases: What can be tried, the cheapest first.
        usable: How many images a sample could be drawn from.
    """
    rounds = Rounds()
    counts = [count for count in SAMPLES if 2 * count < usable]
    if not counts:
        return rounds
    _first_round(passes, rounds, bases, counts[0])
    for count in counts[1:]:
        _later_round(passes, rounds, count)
    rounds.out.sort(key=lambda one: one.best.loss)
    return rounds


def _first_round(passes: Passes, rounds: Rounds, bases: Sequence[BaseAtHand], count: int) -> None:
    """Scores every base at one size, and the better half of them at their other sizes, too."""
    contenders = [Contender(base, base.sizes[0]) for base in bases]
    pool = _halved(passes, rounds, _all_scored(passes, contenders, count, share=STEP_SHARE))
    others = [
        Contender(one.contender.base, size)
        for one in pool
        for size in one.contender.base.sizes
        if size != one.contender.image_size
    ]
    more = _all_scored(passes, others, count, share=STEP_SHARE, before=pool)
    rounds.left = _halved(passes, rounds, pool + more, half=False)


def _later_round(passes: Passes, rounds: Rounds, count: int) -> None:
    """Scores the best once more, as many as there is time for; all stay as they are where that is one."""
    going, seconds, pool = [], 0.0, rounds.left
    for one in pool:
        seconds += passes.predicted(one.contender, count) or 0.0
        if seconds > ROUND_SHARE * passes.budget.left:
            break
        going.append(one.contender)
    if len(going) < 2:
        return
    rounds.out += pool[len(going) :]
    for one in pool[len(going) :]:
        passes.leave_out(
            one.contender, f"there is no time for {counted(count, 'image')} of it, too: {passes.left}"
        )
    rounds.left = _halved(passes, rounds, _all_scored(passes, going, count, share=1.0))


def _all_scored(
    passes: Passes,
    contenders: Sequence[Contender],
    count: int,
    *,
    share: float,
    before: Sequence[Scored] = (),
) -> list[Scored]:
    """Scores contenders; one that would take too long only where no other was scored.

    Args:
        passes: Runs them.
        contenders: In the order in which they are scored.
        count: Images of the sample.
        share: Of the time left, what one may take.
        before: Others that were scored already.

    Raises:
        PipelineError: None could be scored; the error is that of the last one.
    """
    scored: list[Scored] = []
    problem: PipelineError | None = None
    for contender in contenders:
        try:
            seconds = passes.predicted(contender, count)
            if (seconds or 0.0) > share * passes.budget.left and (scored or before):
                passes.leave_out(
                    contender, f"{counted(count, 'image')} would take {seconds or 0.0:.0f} s, {passes.left}"
                )
                continue
            say(f"choose: {contender}: quick score on {counted(count, 'image')}{about(seconds)}")
            scored.append(_scored(passes, contender, count))
        except PipelineError as error:  # of this base; the others may do
            passes.leave_out(contender, str(error))
            problem = error
    if problem is not None and not scored and not before:
        raise problem
    return scored


def _scored(passes: Passes, contender: Contender, count: int) -> Scored:
    found = passes.run(contender, passes.images.sample(count), count)
    scores = []
    for position, entry in enumerate(found.entries):
        splits = [split for split in ("train", "val") if split in entry.splits]
        score = quick_score([found.open(position, split) for split in splits])
        scores.append(score)
        passes.tried.append(
            Tried(
                backbone=contender.base.backbone,
                image_size=contender.image_size,
                layer=found.cut(position),
                target=passes.target,
                rows=len(score.losses),
                score=score.score,
                loss=score.error,
                seconds=found.seconds if position == 0 else 0.0,
                image_s=passes.pace.image_s[contender],
            )
        )
    return Scored(found, tuple(scores))


def _halved(passes: Passes, rounds: Rounds, pool: Sequence[Scored], *, half: bool = True) -> list[Scored]:
    """Keeps those who are not clearly worse than the best, and of more than two only the better half."""
    order = sorted(pool, key=lambda one: one.best.loss)
    first = order[0]
    most = max(2, math.ceil(len(order) / 2)) if half else len(order)
    kept = []
    for place, one in enumerate(order):
        if one.best.clearly_worse(first.best):
            passes.leave_out(one.contender, f"it is clearly worse than {first.contender}")
        elif place >= most:
            passes.leave_out(
                one.contender, f"it is not in the better half, of which {first.contender} is first"
            )
        else:
            kept.append(one)
            continue
        rounds.out.append(one)
    return kept
