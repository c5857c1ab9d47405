"""Training: labelled rows in, a trained head out."""

from __future__ import annotations

import platform
import time
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

import numpy as np

from pipeline import __version__
from pipeline.cache import FeatureSet
from pipeline.errors import UsageError
from pipeline.heads._core.catalog import make_head
from pipeline.heads._core.class_balance import ClassBalance
from pipeline.heads._core.examples import Examples, refuse_other_classes, refuse_other_spec, select
from pipeline.heads._core.head import Head, Task
from pipeline.heads._core.saving import save_head
from pipeline.heads._core.seen import SeenImages
from pipeline.heads._core.trained import TrainedHead, measured, seen_classes
from pipeline.progress import say
from pipeline.wording import counted


@dataclass(frozen=True, eq=False)
class Prepared:
    """What heads are fitted on and chosen by.

    Attributes:
        train: All training rows.
        valid: All validation rows; None without any.
        class_counts: Labelled training rows of each class.
        task: What the heads map from and to.
        examples: The labelled training rows.
        deciding: The labelled validation rows of classes that were learnt; None without any.
        seen: The images behind all labelled rows.
    """

    train: FeatureSet
    valid: FeatureSet | None
    class_counts: tuple[int, ...]
    task: Task
    examples: Examples
    deciding: Examples | None
    seen: SeenImages


def prepare(train: FeatureSet, valid: FeatureSet | None = None, *, fits: int = 1) -> Prepared:
    """Checks that rows can be learnt from and chosen by; nothing is read yet.

    Args:
        train: Rows to learn from; unlabelled ones are left out.
        valid: Rows to choose by.
        fits: About how many heads will share them.

    Raises:
        UsageError: Fewer than two classes have training rows.
        CacheMismatchError: ``train`` and ``valid`` do not belong together.
    """
    if valid is not None:
        refuse_other_spec(valid, train.spec, head="validation")
        refuse_other_classes(valid, train.classes)
    class_counts = _count_classes(train)
    seen = seen_classes(class_counts)
    deciding = None if valid is None else select(valid, seen)
    return Prepared(
        train=train,
        valid=valid,
        class_counts=class_counts,
        task=Task(train.spec, train.feature_shape, len(seen)),
        examples=select(train, seen, fits=fits),
        deciding=deciding or None,
        seen=SeenImages.of(train, valid),
    )


def _count_classes(train: FeatureSet) -> tuple[int, ...]:
    """Counts the training rows of each class and makes sure that there is something to tell apart."""
    labels = train.labels[train.labels >= 0]
    counts = np.bincount(labels, minlength=len(train.classes))
    if not len(labels):
        raise UsageError(
            f"{train.path}: none of its {counted(len(train), 'row')} is labelled, so there is nothing to "
            "train on. Give `pipeline extract` images with classes"
        )
    if np.count_nonzero(counts) < 2:
        raise UsageError(
            f"{train.path}: every labelled row ({len(labels):,} in all) is of class "
            f"{train.classes[counts.argmax()]!r}, but a head needs at least two classes to tell apart"
        )
    return tuple(counts.tolist())


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
    make_head(name, options)  # a wrong option is told before anything is read
    prepared = prepare(train, valid)
    balance = ClassBalance.of(train, valid)
    for note in balance.notes:
        say(f"note: {note}")
    trained = measured(fit_prepared(name, prepared, options=options, seed=seed), valid)
    for note in balance.missed(trained.not_found or ()):
        say(f"note: {note}")
    return trained


def fit_prepared(
    name: str, prepared: Prepared, *, options: Mapping[str, object] = {}, seed: int = 0
) -> TrainedHead:
    """Trains a head on rows that other heads share and measures nothing.

    Errors are those of :func:`train_head`.
    """
    head = make_head(name, options)
    train = prepared.train
    started = time.perf_counter()
    model, history = head.fit(prepared.task, prepared.examples, prepared.deciding, seed=seed)
    return TrainedHead(
        name=name,
        head=head,
        model=model,
        task=prepared.task,
        classes=train.classes,
        class_counts=prepared.class_counts,
        dataset=train.dataset,
        seed=seed,
        history=history,
        seconds=time.perf_counter() - started,
        versions=_versions(head),
        seen=prepared.seen,
    )


def _versions(head: Head) -> dict[str, str]:
    own = {"python": platform.python_version(), "pipeline": __version__}
    return own | {package: version(package) for package in head.software}
