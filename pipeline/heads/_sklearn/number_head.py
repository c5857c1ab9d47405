"""Heads of scikit-learn that learn numbers as well: a machine for each, all of them in one file."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from pipeline.heads._core.examples import Examples
from pipeline.heads._core.head import History, TargetModel, Task
from pipeline.heads._core.number_scale import NumberScale
from pipeline.heads._core.targets import refuse_class_options
from pipeline.heads._sklearn.per_label import FILE
from pipeline.heads._sklearn.sklearn_head import SklearnHead, Steps, checked_rows
from pipeline.heads._sklearn.table import column_moments
from pipeline.heads._sklearn.target_steps import TargetSteps, read_target_steps
from pipeline.images.targets import LABELS, NUMBER

NO_ERROR = 0.1
"""Error below which support vectors do not see any, as a share of the spread of a number."""


@dataclass(frozen=True, kw_only=True)
class NumberHead(SklearnHead):
    """Base of the heads that learn labels one by one, and numbers from values of mean 0 and variance 1.

    Attributes:
        number_types: Full names of the types in saved models of numbers, apart from the plain ones.
    """

    targets: ClassVar[frozenset[str]] = frozenset({LABELS, NUMBER})
    number_types: ClassVar[frozenset[str]] = frozenset()

    def learn_numbers(self, train: Examples, scale: NumberScale, seed: int) -> Steps:
        """Learns from the table of the training rows, ``train.once(standardised)``.

        Args:
            train: The training rows, with ``targets`` (n, k).
            scale: Of the targets; ``scale.known_parts`` gives what there is to learn.
            seed: Seed of everything random.

        Returns:
            Any transformers, and what answers with k numbers in their own units.
        """
        raise NotImplementedError

    def fit_targets(
        self, task: Task, train: Examples, valid: Examples | None, *, seed: int
    ) -> tuple[TargetModel, History]:
        """Fits a model for each label, or a machine for each number, on the rows of which it is known.

        Raises:
            PipelineError: Training would take more memory than there is.
        """
        if task.target == LABELS:
            return super().fit_targets(task, train, valid, seed=seed)
        refuse_class_options(self, "class_weight")
        self._weigh(train)
        with checked_rows():
            steps = self.learn_numbers(train, NumberScale.of(train.targets), seed)
        return TargetSteps((train.once(column_moments).scaler, *steps)), {}

    def file_of_targets(self, target: str) -> str:
        """Names the archive of the models of labels, or the file of the machines of numbers."""
        return FILE if target == LABELS else self.file

    def load_targets(self, path: Path, task: Task) -> TargetModel:
        """Reads the model of each label, or what answers with numbers."""
        if task.target == LABELS:
            return super().load_targets(path, task)
        return read_target_steps(path, self.number_types)
