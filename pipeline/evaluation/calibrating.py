"""Calibrating heads: a temperature, fitted on val rows that they were not trained on, and what it changes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.cache import FeatureSet
from pipeline.errors import CacheMismatchError, UsageError
from pipeline.evaluation.figures import Figures
from pipeline.evaluation.leaks.findings import Leaks
from pipeline.evaluation.rows import SeenRows, uncalibrated_answers
from pipeline.heads import Temperature, TrainedHead, fit_temperature, load_head, save_temperature
from pipeline.progress import say
from pipeline.wording import counted, verb


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
    newer = None if valid is None else fit_on_val(trained, valid, leaks=leaks)
    if newer is not None:
        line = f"{newer.line}, is saved with it"
    elif older is not None:
        line = f"{older.line}, is taken away"
    else:
        say(f"note: head {trained.name} has no temperature, so none is taken away")
        return trained
    changed = save_temperature(trained, newer)
    say(f"head {trained.name}: {line}")
    if changed.folder is not None and any((changed.folder / "export").glob("*")):
        say(f"note: models exported before answer as before: {changed.folder / 'export'}")
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


@dataclass(frozen=True, eq=False)
class TemperatureEffect:
    """What a temperature changes.

    Attributes:
        temperature: That of the head.
        before: All figures of the evaluated split as the head itself answers.
    """

    temperature: Temperature
    before: Figures

    def to_json(self, after: Figures) -> dict[str, Any]:
        """Returns the temperature with the figures that it changes, before and after."""
        names = ("log_loss", "brier", "ece")
        return {
            "temperature": self.temperature.value,
            "interval": [self.temperature.low, self.temperature.high],
            "fitted_on": "val",
            "rows": self.temperature.rows,
            "before": {name: getattr(self.before, name) for name in names},
            "after": {name: getattr(after, name) for name in names},
        }


def fit_on_val(head: TrainedHead, valid: FeatureSet, *, leaks: Leaks | None = None) -> Temperature:
    """Finds the temperature of a head on val.

    Rows that the head was trained on, or that stand in the training split in another form, take no part:
    of those it is far too sure. Neither do rows without a label, augmented views, and rows of classes that
    had no training rows.

    Args:
        head: A trained head.
        valid: The val split of the features it was trained on.
        leaks: What a check of val against train found.

    Raises:
        UsageError: The rows do not tell the temperature; see ``fit_temperature``.
        CacheMismatchError: The head does not know a class of the split, or the features' spec.
    """
    rows, answers = uncalibrated_answers(head, valid)
    seen = SeenRows.among(rows, valid.split, head=head.seen, leaks=leaks)
    used = seen.labelled & ~seen.mask
    used[used] = head.known[rows.labels[used]]
    labels = head.known.cumsum()[rows.labels[used]] - 1
    try:
        return fit_temperature(labels, answers[used][:, head.known])
    except UsageError as error:
        left_out = int(seen.mask.sum())
        more = f"{counted(left_out, 'more row')} {verb(left_out, 'stands', 'stand')} in train or"
        others = f"{more} {verb(left_out, 'was', 'were')} trained on. " if left_out else ""
        raise UsageError(
            f"no temperature of head {head.name} can be fitted: {error}. {others}Leave `--calibrate` out, or "
            "run `pipeline extract` on a source with more val images"
        ) from error
