"""Training: labelled rows in, a trained head out."""

from __future__ import annotations

import platform
import time
from collections.abc import Mapping
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path

import numpy as np

from pipeline import __version__
from pipeline.cache import FeatureSet
from pipeline.errors import UsageError
from pipeline.heads._catalog import make_head
from pipeline.heads._examples import refuse_other_classes, refuse_other_spec, select
from pipeline.heads._head import Head, Task
from pipeline.heads._saving import save_head
from pipeline.heads._trained import TrainedHead, accuracy, seen_classes
from pipeline.progress import say


def train_head(
    name: str,
    train: FeatureSet,
    valid: FeatureSet | None,
    *,
    options: Mapping[str, object] = {},
    seed: int = 0,
    runs: Path,
) -> TrainedHead:
    """Trains a head and saves it under ``runs``, replacing an older one of the same name and entry.

    Args:
        name: A head of the registry.
        train: Rows to learn from; unlabelled ones are left out.
        valid: Rows that decide when to stop and give ``val_accuracy``; never learnt from.
        options: Options of the head by name, as text (``{"C": "0.1"}``) or as values of their types.
        seed: Seed of everything random; the same seed gives the same scores.
        runs: Folder of all trained heads.

    Raises:
        UsageError: An unknown head or option, a value that does not fit, or too few classes.
        CacheMismatchError: ``train`` and ``valid`` do not belong together, or a row is damaged.
        PipelineError: A feature is not a finite number, or the training diverged.
    """
    return save_head(fit_head(name, train, valid, options=options, seed=seed), runs=runs)


def fit_head(
    name: str,
    train: FeatureSet,
    valid: FeatureSet | None = None,
    *,
    options: Mapping[str, object] = {},
    seed: int = 0,
) -> TrainedHead:
    """Trains a head and saves nothing; arguments and errors are those of :func:`train_head`."""
    head = make_head(name, options)
    if valid is not None:
        refuse_other_spec(valid, train.spec, head=name)
        refuse_other_classes(valid, train.classes)
    class_counts = _count_classes(train)
    seen = seen_classes(class_counts)
    task = Task(train.spec, train.feature_shape, len(seen))
    deciding = None if valid is None else select(valid, seen)

    started = time.perf_counter()
    model, history = head.fit(task, select(train, seen), deciding or None, seed=seed)
    trained = TrainedHead(
        name=name,
        head=head,
        model=model,
        task=task,
        classes=train.classes,
        class_counts=class_counts,
        dataset=train.dataset,
        seed=seed,
        history=history,
        seconds=time.perf_counter() - started,
        versions=_versions(head),
    )
    return trained if valid is None else replace(trained, val_accuracy=accuracy(trained, valid))


def _versions(head: Head) -> dict[str, str]:
    own = {"python": platform.python_version(), "pipeline": __version__}
    return own | {package: version(package) for package in head.software}


def _count_classes(train: FeatureSet) -> tuple[int, ...]:
    """Counts the training rows of each class and makes sure that there is something to tell apart."""
    labels = train.labels[train.labels >= 0]
    counts = np.bincount(labels, minlength=len(train.classes))
    if not len(labels):
        raise UsageError(
            f"{train.path}: none of its {len(train)} rows is labelled, so there is nothing to train on. "
            "Give `pipeline extract` images with classes"
        )
    if np.count_nonzero(counts) < 2:
        raise UsageError(
            f"{train.path}: all {len(labels)} labelled rows are of class "
            f"{train.classes[counts.argmax()]!r}, but a head needs at least two classes to tell apart"
        )
    missing = [name for name, count in zip(train.classes, counts, strict=True) if not count]
    if missing:
        say(f"note: no training rows of class {', '.join(missing)}: its probability will always be 0")
    return tuple(counts.tolist())
