"""The search: rounds of quick scores, then for those who are left features of all images, and heads.

The best head so far is on disk at any moment.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from pipeline.backbones.at_hand import BaseAtHand
from pipeline.choosing.budget import HeadPace
from pipeline.choosing.contender import Contender, Extracted, Images
from pipeline.choosing.fits import LOOK_ROWS, Fit, fit_heads, look_at_heads
from pipeline.choosing.joining import joined_fits
from pipeline.choosing.passes import Passes, about
from pipeline.choosing.record import Tried
from pipeline.choosing.rounds import SAMPLES, Scored, play_rounds
from pipeline.errors import PipelineError
from pipeline.heads import TrainedHead, save_head, train_head, with_familiarity
from pipeline.progress import say
from pipeline.sweeps import Candidate, Result
from pipeline.wording import counted

HEADS_SHARE = 0.2
"""Share of the time left that is kept for heads."""


@dataclass(frozen=True, eq=False)
class Best:
    """The best head so far, which is saved.

    Attributes:
        found: The features.
        positions: The cuts it works on.
        head: Its name.
        options: Those of its options that are not at their defaults.
        rank: Sorts heads, the best first.
        trained: The head.
    """

    found: Extracted
    positions: tuple[int, ...]
    head: str
    options: Mapping[str, str]
    rank: tuple[float, float]
    trained: TrainedHead


@dataclass(eq=False, kw_only=True)
class Chooser:
    """One search.

    Attributes:
        passes: Runs contenders, and knows the images and the time.
        total: How many images there are.
        usable: How many of them have a label and are not stated to be of test.
        bases: What can be tried, the cheapest first.
        candidates: The heads.
        runs: Folder of trained heads.
        keep: Told of every best head as soon as it is saved.
        seed: Seed of every fit.
        best: The best head so far.
    """

    passes: Passes
    total: int
    usable: int
    bases: Sequence[BaseAtHand]
    candidates: Sequence[Candidate]
    runs: Path
    keep: Callable[[Best], object]
    seed: int = 0
    best: Best | None = None
    _final: tuple[Images, int] | None = None
    _pace: HeadPace = field(default_factory=HeadPace)

    def run(self) -> Best:
        """Searches until nothing promising is left, or the time is spent.

        Raises:
            UsageError: The images cannot be chosen by.
            PipelineError: Not one head could be trained.
        """
        rounds = play_rounds(self.passes, self.bases, self.usable)
        finalists: list[tuple[Contender, Sequence[int] | None]] = [
            (one.contender, one.positions) for one in rounds.left
        ] or [(Contender(base, size), None) for base in self.bases for size in base.sizes]
        problem = self._try_all(finalists)
        if self.best is None:
            raise problem or PipelineError(
                f"no head could be trained on {self.passes.images.data}: see the notes above"
            )
        self._try_others(rounds.out)
        return self.best

    def _try_all(self, finalists: Sequence[tuple[Contender, Sequence[int] | None]]) -> PipelineError | None:
        """Tries heads on some cuts of each contender, None = on all; returns the last error."""
        problem = None
        for number, (contender, positions) in enumerate(finalists):
            try:
                found = self._features(contender, is_last=number == len(finalists) - 1)
                if found is not None:
                    self._heads(found, range(len(found.entries)) if positions is None else positions)
            except PipelineError as error:  # of this base; the others may do
                self.passes.leave_out(contender, str(error))
                problem = error
        return problem

    def _try_others(self, out: Sequence[Scored]) -> None:
        """Gives what is left of the time to those that did worse on a sample, all cuts of each.

        A sample favours few features: maps that are not averaged need more images to show what is in them.
        """
        if out and self.passes.budget.left > 0:
            say(
                f"choose: {self.passes.left}: the next best on the sample are tried on all images, too, as "
                "many features need many images. Ctrl-C ends it with the best so far"
            )
            self._try_all([(one.contender, one.different) for one in out])

    def _features(self, contender: Contender, *, is_last: bool) -> Extracted | None:
        """Brings about the features of all images, or of as many as there is time for.

        The first contender says how many; one that cannot keep up with that is left out.
        """
        images, count = self._final or (self.passes.images, self.total)
        seconds = self.passes.predicted(contender, count)
        room = (1 - HEADS_SHARE) * self.passes.budget.left
        if self.best is not None and (room <= 0 or (seconds or 0.0) > room):
            self.passes.leave_out(
                contender,
                f"{counted(count, 'image')} would take {seconds or 0.0:.0f} s, {self.passes.left}",
            )
            return None
        if seconds is not None and seconds > room and self._final is None:
            images, count = self._sample(contender, room if is_last else room / 2)
            seconds = self.passes.predicted(contender, count)
        self._final = images, count
        say(f"choose: {contender}: features of {counted(count, 'image')}{about(seconds)}")
        return self.passes.run(contender, images, count)

    def _sample(self, contender: Contender, seconds: float) -> tuple[Images, int]:
        """Returns a sample for which there is time, no smaller than what there is."""
        pace = self.passes.pace
        image_s, fixed = pace.image_s[contender], pace.fixed_s[contender.base.backbone]
        least = max(self.passes.seen(contender), SAMPLES[0])
        count = min(max(int((seconds - fixed) / image_s), least), self.usable)
        say(
            f"choose: note: {counted(self.total, 'image')} would take {self.total * image_s:.0f} s, "
            f"{self.passes.left}: the head learns from a sample of {count:,}. Give more --minutes for all"
        )
        return self.passes.images.sample(count), count

    def _heads(self, found: Extracted, positions: Sequence[int]) -> None:
        """Fits heads on some cuts, and an ensemble of them; what is best so far is saved after each cut."""
        fits: list[Fit] = []
        for position in positions:
            cut = found.cut(position)
            if self.best is not None and self.passes.budget.left <= 0:
                self.passes.leave_out(found.contender, f"no head is tried on {cut}, {self.passes.left}")
                continue
            here = self._fits(found, position)
            if here:
                self._keep(min(here, key=lambda one: one.rank))
            fits += [replace(one, trained=None) for one in here]  # which may hold all rows
        if len(fits) > 1 and self.passes.budget.left > 0:
            self._together(found, fits)

    def _together(self, found: Extracted, fits: Sequence[Fit]) -> None:
        """Joins heads to an ensemble, where that gains and there is time to train its members once more."""
        together = joined_fits(found, fits, seed=self.seed)
        if together is None:
            return
        self._take_down(together)
        if together.result.seconds > self.passes.budget.left:
            self.passes.leave_out(
                found.contender,
                f"its ensemble would take {together.result.seconds:.0f} s, {self.passes.left}",
            )
        else:
            self._keep(together)

    def _fits(self, found: Extracted, position: int) -> list[Fit]:
        """Fits the heads on one cut, the quickest first, as long as there is time."""
        fits: list[Fit] = []
        values, cut = _values(found, position), found.cut(position)
        self._look(found, position)
        seconds = [self._pace.predicted(one.head, values) for one in self.candidates]
        say(f"choose: {found.contender}: {counted(len(seconds), 'head')} on {cut}{about(sum(seconds))}")
        late: set[str] = set()

        def goes(candidate: Candidate) -> bool:
            seconds = self._pace.predicted(candidate.head, values)
            if seconds <= self.passes.budget.left or not (fits or self.best):
                return True
            if candidate.head not in late:
                why = f"{candidate.label} on {cut} would take {seconds:.1f} s, {self.passes.left}"
                self.passes.leave_out(found.contender, why)
            late.add(candidate.head)
            return False

        in_order = sorted(self.candidates, key=lambda one: self._pace.predicted(one.head, 1))
        before = self.passes.budget.spent
        for one in fit_heads(found, position, in_order, seed=self.seed, goes=goes):
            self._take_down(one)
            if one.result.score is not None:
                self._pace.learn(one.result.head, self.passes.budget.spent - before, values)
                fits.append(one)
            before = self.passes.budget.spent
        return fits

    def _look(self, found: Extracted, position: int) -> None:
        """Times heads that were never timed with a few rows."""
        new = [one for one in self.candidates if one.head not in self._pace.value_s]
        if not new or len(train := found.open(position, "train")) <= LOOK_ROWS:
            return
        say(f"choose: {counted(len(new), 'head')}: how fast are they? {counted(LOOK_ROWS, 'row')}")
        values, before = LOOK_ROWS * math.prod(train.feature_shape), self.passes.budget.spent
        for result in look_at_heads(found, position, new, seed=self.seed):
            if result.score is not None:
                self._pace.learn(result.head, self.passes.budget.spent - before, values)
            before = self.passes.budget.spent

    def _take_down(self, fit: Fit) -> None:
        contender, result = fit.found.contender, fit.result
        self.passes.tried.append(
            Tried(
                backbone=contender.base.backbone,
                image_size=contender.image_size,
                layer=fit.layer,
                head=result.head,
                options=dict(result.options),
                target=self.passes.target,
                rows=result.rows,
                score=result.score,
                loss=result.loss,
                seconds=result.seconds,
                image_s=self.passes.pace.image_s[contender],
                note=result.problem,
            )
        )

    def _keep(self, fit: Fit) -> None:
        """Saves a head where it is better than the best so far; an ensemble is trained before that."""
        if self.best is not None and fit.rank >= self.best.rank:
            return
        result: Result = fit.result
        chosen = fit.found.selection(fit.positions)
        train, valid = chosen.open("train"), chosen.open("val")
        if fit.trained is not None:
            trained = save_head(with_familiarity(fit.trained, train, valid), runs=self.runs)
        else:
            trained = train_head(
                result.head, train, valid, options=result.options, seed=self.seed, runs=self.runs
            )
        self.best = Best(fit.found, fit.positions, result.head, result.options, fit.rank, trained)
        say(
            f"choose: the best so far: {result.head} on {fit.found.contender}, {fit.layer}: "
            f"{trained.val_line}, saved in {trained.folder}"
        )
        self.keep(self.best)


def _values(found: Extracted, position: int) -> int:
    """Counts the numbers of the training rows at a cut."""
    train = found.open(position, "train")
    return len(train) * math.prod(train.feature_shape)
