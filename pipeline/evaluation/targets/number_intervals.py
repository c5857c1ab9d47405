"""Intervals around the numbers of new images that hold the true ones as often as is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pipeline.cache import FeatureSet
from pipeline.errors import UsageError
from pipeline.evaluation.conformal import fewest
from pipeline.evaluation.targets.evaluating import errors_on_val
from pipeline.evaluation.targets.prediction_interval import covering_width
from pipeline.heads import TrainedHead
from pipeline.wording import counted, several


@dataclass(frozen=True)
class NumberIntervals:
    """How far the true value of each number may be from an answer.

    Source: split conformal prediction with the absolute error as score, A. N. Angelopoulos, S. Bates, "A
    gentle introduction to conformal prediction", 2021, section 2.3 without a scale: all images have the same
    width.

    Attributes:
        coverage: Share of new images like those of val whose true value is within it, at least.
        half_widths: Of each number; None where val has too few images to tell.
        rows: Val images that told it, of each number.
    """

    coverage: float
    half_widths: tuple[float | None, ...]
    rows: tuple[int, ...]

    def notes(self, names: tuple[str, ...]) -> list[str]:
        """Says how far the promise reaches."""
        most = counted(max(self.rows, default=0), "val image")
        said = [
            f"intervals hold the true number of {self.coverage:.1%} of images like those of val, by {most}"
        ]
        unknown = [name for name, width in zip(names, self.half_widths, strict=True) if width is None]
        if unknown:
            needed = counted(fewest(self.coverage), "val image")
            said.append(f"no interval of {several(unknown)}: it takes {needed} for {self.coverage:.1%}")
        return said

    def to_json(self, names: tuple[str, ...]) -> dict[str, Any]:
        """Returns what ``--json`` has to say of the intervals."""
        return {
            "coverage": self.coverage,
            "numbers": {
                name: {"half_width": width, "val_rows": rows}
                for name, width, rows in zip(names, self.half_widths, self.rows, strict=True)
            },
        }


def number_intervals(head: TrainedHead, valid: FeatureSet, coverage: float) -> NumberIntervals:
    """Finds the intervals of a head of numbers by its errors on val.

    Images that the head was trained on and augmented views take no part; of a group one image does.

    Args:
        head: A trained head of numbers.
        valid: The val split of the features it was trained on.
        coverage: Between 0 and 1.

    Raises:
        UsageError: The coverage is none, or val has too few images for it.
        CacheMismatchError: The features have another spec, or other numbers.
    """
    if not 0 < coverage < 1:
        raise UsageError(f"a coverage of {coverage:g} cannot be: give a number between 0 and 1, such as 0.95")
    errors = errors_on_val(head, valid)
    most = max(map(len, errors), default=0)
    if most < fewest(coverage):
        raise UsageError(
            f"a coverage of {coverage:g} needs {counted(fewest(coverage), 'val image')} that the head was "
            f"not trained on, of groups of their own; there are {most:,}. Give a smaller --coverage, or run "
            "`pipeline extract` on a source with more val images"
        )
    widths = tuple(covering_width(one, coverage) for one in errors)
    return NumberIntervals(coverage, widths, tuple(map(len, errors)))
