"""Models of several labels or numbers that stand in one file: a scaler, and what answers for all at once."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.heads._core.examples import Examples
from pipeline.heads._sklearn.counterparts import Scaler, counterpart
from pipeline.heads._sklearn.reading import read_steps
from pipeline.heads._sklearn.sklearn_head import Steps, whole_steps
from pipeline.heads._sklearn.skops import write_object
from pipeline.heads._sklearn.table import flat, scaled_by


def _types(module: str, *names: str) -> frozenset[str]:
    return frozenset(f"pipeline.heads._sklearn.{module}.{name}" for name in names)


LINEAR_TARGETS = _types("target_answers", "LinearTargets")
NEIGHBOUR_TARGETS = _types("target_answers", "TargetNeighbours")
KERNEL_TARGETS = _types("target_answers", "KernelTargets")


@dataclass(frozen=True, eq=False)
class TargetSteps:
    """The scaler of the training rows, any transformers, and what answers for all targets at once."""

    steps: Steps

    def predict_targets(self, features: np.ndarray) -> np.ndarray:
        """Maps features (n, *feature shape) to targets, float (n, k)."""
        return self._of_table(counterpart(self.steps[0]).transform(flat(features)))

    def shares(self, rows: Examples) -> bool:
        """Tells whether rows were read and scaled for all models of the same training rows."""
        return rows.has(scaled_by, self.steps[0])

    def predict_targets_of(self, rows: Examples) -> np.ndarray:
        """Maps rows to targets, float (n, k), from their table."""
        return self._of_table(rows.once(scaled_by, self.steps[0]))

    def save(self, path: Path) -> None:
        """Writes the steps in the format of skops, which holds data only."""
        write_object(path, self.steps)

    def _of_table(self, table: np.ndarray) -> np.ndarray:
        _, *transformers, answering = map(counterpart, self.steps)
        for step in transformers:
            table = step.transform(table)
        return answering.predict_targets(table)


def read_target_steps(path: Path, types: frozenset[str]) -> TargetSteps:
    """Reads what :meth:`TargetSteps.save` wrote, after checking that the file names no foreign type.

    Args:
        path: The file; it can come from anywhere.
        types: Full names of the types that it may hold besides the plain ones.

    Raises:
        ValueError: It holds something else.
    """
    return TargetSteps(whole_steps(read_steps(path, types), Scaler))
