"""The figures that learning curves tell, one for each kind of target, and how they are written."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from pipeline.heads._core.target_figures import ACCURACY, FIGURES, IN_WORDS
from pipeline.images.targets import CLASS, LABELS, NUMBER


@dataclass(frozen=True)
class CurveFigure:
    """A figure of which more is better, at most 1.

    Attributes:
        kind: The kind of target that heads are measured on with it.
        of_part: What it is called of one class, label or number.
        parts: What classes, labels or numbers are called together.
        least: What it cannot be below.
        middle: Sums up how far draws stray at each size: R2 strays without bounds where rows are few.
    """

    kind: str
    of_part: str
    parts: str
    least: float
    middle: Callable[[np.ndarray], float]

    @property
    def name(self) -> str:
        """Its key in JSON."""
        return FIGURES[self.kind]

    @property
    def words(self) -> str:
        """Its name for people."""
        return IN_WORDS[self.name]

    @property
    def is_share(self) -> bool:
        """Whether it is a share of rows, which people read in percent."""
        return self.name == ACCURACY

    def written(self, value: float, digits: int = 1) -> str:
        """Writes a value: in percent with so many digits if it is a share, else with two more of them."""
        return f"{value:.{digits}%}" if self.is_share else f"{value:.{digits + 2}f}"

    def written_gain(self, gain: float, ends: tuple[float, float], *, of: str = "") -> str:
        """Writes a gain with the ends of its band."""
        low, high = ends
        if self.is_share:
            return f"{100 * gain:+.1f} points{of and f' of {of}'} ({100 * low:.1f} to {100 * high:.1f})"
        return f"{gain:+.3f}{of and f' of {of}'} ({low:+.3f} to {high:+.3f})"


def _mean(values: np.ndarray) -> float:
    return float(values.mean())


def _median(values: np.ndarray) -> float:
    return float(np.median(values))


SHARE_OF_RIGHT = CurveFigure(CLASS, "recall", "classes", 0.0, _mean)
AREA = CurveFigure(LABELS, "average precision", "labels", 0.0, _mean)
VARIANCE = CurveFigure(NUMBER, "R2", "numbers", -np.inf, _median)
