"""Several labels by heads of classes: a model for each label, which tells images that have it from the rest.

What is made of the features alone, the table of the rows and their inner products, is made once for all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Protocol, cast, runtime_checkable

import numpy as np

from pipeline.heads._core.examples import Examples
from pipeline.heads._core.head import ExamplesModel, Head, Model, Task
from pipeline.heads._core.member_files import Shapes, read_archive, write_archive
from pipeline.images.targets import CLASS
from pipeline.progress import progress

FILE = "model.zip"
LONG = 8
"""Labels from which on it is shown how far the fits are."""
_MARK = "share "
_SHORT = 32


@runtime_checkable
class SharingModel(ExamplesModel, Protocol):
    """A model of classes that can tell whether others have read rows for it."""

    def shares(self, rows: Examples) -> bool:
        """Tells whether rows were read and scaled for all models of the same training rows."""
        ...


@dataclass(frozen=True, eq=False)
class PerLabelModel:
    """A fitted head for each label.

    Attributes:
        head: The head.
        models: For each label whether an image has it; a number where all rows were alike: 0 or 1.
        shape: Shape of one row's features.
    """

    head: Head
    models: tuple[Model | float, ...]
    shape: tuple[int, ...]

    def predict_targets(self, features: np.ndarray) -> np.ndarray:
        """Maps features (n, *feature shape) to the probability of each label, float64 (n, k)."""
        return self._each(len(features), lambda model: model.predict_proba(features))

    def shares(self, rows: Examples) -> bool:
        """Tells whether rows were read and scaled for all models of the same training rows."""
        return all(
            isinstance(model, float) or (isinstance(model, SharingModel) and model.shares(rows))
            for model in self.models
        )

    def predict_targets_of(self, rows: Examples) -> np.ndarray:
        """Maps rows to the probability of each label, float64 (n, k), from one table."""
        return self._each(len(rows), lambda model: cast("SharingModel", model).predict_examples(rows))

    def _each(self, rows: int, answer: Callable[[Model], np.ndarray]) -> np.ndarray:
        answers = np.empty((rows, len(self.models)))
        for label, model in enumerate(self.models):
            if isinstance(model, float):
                answers[:, label] = model
            else:
                proba = np.asarray(answer(model), np.float64)
                answers[:, label] = proba[:, 1] / proba.sum(axis=1)
        return answers

    def save(self, path: Path) -> None:
        """Writes all models into one file."""
        files = _files(self.head, len(self.models))
        saves = {name: _save(model) for name, model in zip(files, self.models, strict=True)}
        write_archive(path, (self.shape,), saves)


def fit_per_label(head: Head, task: Task, train: Examples, *, seed: int) -> PerLabelModel:
    """Fits a head for each label on the rows of which it is known.

    Args:
        head: A head of classes.
        task: With k labels.
        train: The training rows.
        seed: Seed of every fit.
    """
    of_label = replace(task, n_classes=2, target=CLASS)
    models: list[Model | float] = []
    with _shown(task.n_classes) as advance:
        for label in range(task.n_classes):
            rows = train.of_label(label)
            share = float(rows.labels.mean()) if len(rows) else 0.0
            model = share if share in (0.0, 1.0) else head.fit(of_label, rows, None, seed=seed)[0]
            models.append(model)
            advance(1)
    return PerLabelModel(head, tuple(models), task.feature_shape)


def load_per_label(head: Head, path: Path, task: Task) -> PerLabelModel:
    """Reads what :meth:`PerLabelModel.save` wrote.

    Raises:
        ValueError: The file holds something else.
    """
    of_label = replace(task, n_classes=2, target=CLASS)
    files = _files(head, task.n_classes)
    shapes, models = read_archive(path, dict.fromkeys(files, partial(_load, head, of_label)))
    if shapes != (task.feature_shape,):
        raise ValueError("its shape is not that of the features that head.json describes")
    return PerLabelModel(head, tuple(models), task.feature_shape)


@contextmanager
def _shown(labels: int) -> Iterator[Callable[[int], None]]:
    if labels < LONG:
        yield lambda count: None
    else:
        with progress("labels", labels, "labels") as advance:
            yield advance


def _files(head: Head, labels: int) -> Sequence[str]:
    return [f"{number}-{head.file}" for number in range(labels)]


def _save(model: Model | float) -> Callable[[Path], None]:
    return partial(_save_share, model) if isinstance(model, float) else model.save


def _save_share(share: float, path: Path) -> None:
    path.write_text(f"{_MARK}{share:g}", encoding="ascii")


def _load(head: Head, task: Task, path: Path, shapes: Shapes) -> Model | float:
    if path.stat().st_size > _SHORT:
        return head.load(path, task)
    text = path.read_text(encoding="ascii", errors="replace")
    if text not in (f"{_MARK}0", f"{_MARK}1"):
        raise ValueError("a label has no model")
    return float(text.removeprefix(_MARK))
