"""Giving saved heads a temperature, and taking it away."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from pipeline.cache import FeatureSet
from pipeline.errors import CacheMismatchError, UsageError
from pipeline.evaluation.leaks.findings import Leaks
from pipeline.evaluation.temperature import fit_on_val
from pipeline.heads import TrainedHead, load_head, save_temperature
from pipeline.progress import say


def calibrate_head(
    trained: TrainedHead, valid: FeatureSet | None, *, leaks: Leaks | None = None
) -> TrainedHead:
    """Fits the temperature of a saved head and saves it with the head, or takes it away; says which.

    Args:
        trained: The head.
        valid: The val split; None = no temperature.
        leaks: What a check of val against train found.

    Raises:
        UsageError: The val rows do not tell the temperature.
        CacheMismatchError: The head does not know a class of val, or is damaged.
        PipelineError: The folder cannot be written, or the head was trained again meanwhile.
    """
    older = trained.temperature
    if valid is None and older is None:
        say(f"note: head {trained.name} has no temperature, so none is taken away")
        return trained
    newer = None if valid is None else fit_on_val(trained, valid, leaks=leaks)
    changed = save_temperature(trained, newer)
    if newer is None:
        say(f"head {trained.name}: {older.line}, is taken away")
    else:
        say(f"head {trained.name}: {newer.line}, is saved with it")
    if any((trained.folder / "export").glob("*")):
        say(f"note: models exported before answer as before: {trained.folder / 'export'}")
    return changed


def calibrate_all(folders: Iterable[Path], valid: FeatureSet | None, *, leaks: Leaks | None = None) -> None:
    """Does as :func:`calibrate_head` with several heads; those it cannot be done with are told, and stay.

    Raises:
        UsageError: It cannot be done with any; the message is that of the last one.
    """
    problem, done = None, 0
    for folder in folders:
        try:
            calibrate_head(load_head(folder), valid, leaks=leaks)
            done += 1
        except UsageError as error:
            problem = error
            say(f"note: {error}")
        except CacheMismatchError as error:
            say(f"note: {error}")
    if problem is not None and not done:
        raise problem
