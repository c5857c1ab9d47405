"""Choosing: which base, cut and head for these images, within a given time."""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from pipeline.backbones.at_hand import BaseAtHand, bases_at_hand
from pipeline.cache.entries import chosen_name, dataset_name
from pipeline.choosing.budget import Budget
from pipeline.choosing.chooser import Best, Chooser
from pipeline.choosing.contender import Images
from pipeline.choosing.passes import Passes
from pipeline.choosing.record import Choice, Tried
from pipeline.choosing.results import FOLDER, commands, write_choice
from pipeline.errors import UsageError
from pipeline.heads._core.targets import heads_for
from pipeline.images import open_images
from pipeline.images.source import targets_of
from pipeline.images.source_options import SourceOptions
from pipeline.images.sources.sample import draw
from pipeline.images.targets import CLASS, described
from pipeline.paths import expanded
from pipeline.progress import say
from pipeline.sweeps import Candidate, preset
from pipeline.sweeps.candidates import learning
from pipeline.wording import counted

__all__ = ["BaseAtHand", "Choice", "Tried", "bases_at_hand", "choose"]

MOST = 1_000_000_000


def choose(
    data: str | os.PathLike[str],
    *,
    minutes: float = 10.0,
    bases: Sequence[BaseAtHand] | None = None,
    candidates: Sequence[Candidate] | None = None,
    cache: str | os.PathLike[str] = "features_cache",
    runs: str | os.PathLike[str] = "runs",
    name: str | None = None,
    seed: int = 0,
    source_options: SourceOptions | None = None,
) -> Choice:
    """Finds a base, cuts and a head that do well on val, and leaves the head trained.

    Test images are never looked at. All features stay in the cache. The best head so far is on disk at any
    moment, so whoever stops the search has it.

    Example:
        >>> choose("photos/", minutes=10).trained.folder

    Args:
        data: Address of the images, see ``open_images``.
        minutes: What it may take, about.
        bases: What to try; default: every base whose filters are on this machine.
        candidates: The heads to try; default: the preset ``quick``.
        cache: Folder of the cache.
        runs: Folder of trained heads.
        name: Name of the data set in the cache; default: the source's own.
        seed: Seed of every fit.
        source_options: How the source is to be read.

    Returns:
        What was tried, and what was chosen: its head is trained and saved.

    Raises:
        UsageError: No base is at hand, the time is not above 0, or the images cannot be chosen by.
        PipelineError: Not one head could be trained.
    """
    if not minutes > 0:
        raise UsageError(f"--minutes {minutes:g} is no time: give more than 0, for example --minutes 10")
    budget, runs, options = Budget(60 * minutes), expanded(runs), source_options or SourceOptions()
    tried = bases_at_hand() if bases is None else bases
    if not tried:
        raise UsageError("no base is at hand: give --weights FILE, see `pipeline backbones`")
    whole = open_images(os.fspath(data), options)
    targets = targets_of(whole)
    kind = CLASS if targets is None else targets.kind
    usable = len(draw(whole, MOST).items())
    if not usable:
        raise UsageError(f"{whole.uri} has no labelled image to choose by that is not of test")
    images = Images(data=whole.uri, options=options, name=name, cache=os.fspath(expanded(cache)))
    folder = runs / (dataset_name(whole.name) if name is None else chosen_name(name)) / FOLDER
    passes = Passes(images, budget, kind)

    def choice_of(best: Best) -> Choice:
        return Choice(
            found=best.found,
            positions=best.positions,
            trained=best.trained,
            tried=passes.tried,
            seconds=budget.spent,
            commands=commands(
                [best.found.entries[position] for position in best.positions],
                best.head,
                best.options,
                source_name=whole.name,
                skip_bad=bool(best.found.bad),
                runs=runs,
                seed=seed,
            ),
            folder=folder,
        )

    chooser = Chooser(
        passes=passes,
        total=len(whole.items()),
        usable=usable,
        bases=tried,
        candidates=_learning(preset("quick") if candidates is None else candidates, kind),
        runs=runs,
        keep=lambda best: write_choice(choice_of(best)),
        seed=seed,
    )
    named = ", ".join(base.backbone for base in tried)
    say(f"choose: {counted(usable, 'image')} of train and val, {minutes:g} min, bases: {named}")
    try:
        choice = choice_of(chooser.run())
    except KeyboardInterrupt:
        if chooser.best is not None:
            with suppress(KeyboardInterrupt):
                _tell(chooser.best, folder)
        raise
    write_choice(choice)
    return choice


def _learning(candidates: Sequence[Candidate], kind: str) -> list[Candidate]:
    """Returns the candidates that learn a kind of target, and tells of the others.

    Raises:
        UsageError: None does.
    """
    kept = learning(candidates, kind)
    if candidates and not kept:
        raise UsageError(
            f"no head that is to be tried learns {described(kind)}: choose from {', '.join(heads_for(kind))}"
        )
    return kept


def _tell(best: Best, folder: Path) -> None:
    where = f"in {best.trained.folder}; {folder} says what makes it"
    say(f"choose: stopped; the best so far is {best.head} on {best.found.contender}, {where}")
