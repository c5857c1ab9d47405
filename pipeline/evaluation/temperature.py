"""The temperature of a head: fitted on val rows that it was not trained on, and what it changes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pipeline.cache import FeatureSet
from pipeline.counts import counted, verb
from pipeline.errors import UsageError
from pipeline.evaluation.answers import Classifier, uncalibrated_answers
from pipeline.evaluation.metrics import Figures
from pipeline.evaluation.seen import SeenRows

if TYPE_CHECKING:
    from pipeline.evaluation.leaks.findings import Leaks
    from pipeline.heads import Temperature


@dataclass(frozen=True, eq=False, kw_only=True)
class Calibration:
    """A temperature, and the figures without it.

    Attributes:
        temperature: What logits are divided by: above 1 the head was too sure, below 1 not sure enough.
        rows: Labelled rows of val that it was fitted on.
        before: All figures of the evaluated split as the head itself answers.
        interval: Lower and upper end of its 95 % interval.
    """

    temperature: float
    rows: int
    before: Figures
    interval: tuple[float, float]

    def to_json(self, after: Figures) -> dict[str, Any]:
        """Returns the temperature with the figures that it changes, before and after."""
        names = ("log_loss", "brier", "ece")
        return {
            "temperature": self.temperature,
            "interval": list(self.interval),
            "fitted_on": "val",
            "rows": self.rows,
            "before": {name: getattr(self.before, name) for name in names},
            "after": {name: getattr(after, name) for name in names},
        }


def fit_on_val(head: Classifier, valid: FeatureSet, *, leaks: Leaks | None = None) -> Temperature:
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
    from pipeline.heads import fit_temperature

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
