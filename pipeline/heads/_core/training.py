"""Training: labelled rows in, a trained head out."""

from __future__ import annotations

import os
import platform
import time
from collections.abc import Mapping
from dataclasses import dataclass, replace
from importlib.metadata import version

import numpy as np

from pipeline import __version__
from pipeline.cache import FeatureSet
from pipeline.errors import UsageError
from pipeline.heads._core.answers import learnt_classes
from pipeline.heads._core.class_balance import ClassBalance
from pipeline.heads._core.examples import (
    Examples,
    refuse_other_classes,
    refuse_other_spec,
    select,
    select_known,
)
from pipeline.heads._core.familiarity import Familiarity
from pipeline.heads._core.head import Head, Task, make_head
from pipeline.heads._core.number_scale import NumberScale
from pipeline.heads._core.saving import save_head
from pipeline.heads._core.seen import SeenImages
from pipeline.heads._core.targets import target_head
from pipeline.heads._core.trained import TrainedHead
from pipeline.heads._core.validation import measured
from pipeline.images.targets import CLASS, NUMBER, count_targets
from pipeline.paths import expanded
from pipeline.progress import say
from pipeline.wording import counted


@dataclass(frozen=True, eq=False)
class TrainingData:
    """What heads are fitted on; nothing is read yet, so many can share it.

    Attributes:
        train: All training rows.
        class_counts: Labelled training rows of each class, augmented views among them.
        task: What the heads map from and to.
        examples: The labelled training rows.
        validation: The labelled validation rows of classes that were learnt; None without any.
        seen: The images behind all labelled rows.
        balance: How many rows each class has; None where images have none.
    """

    train: FeatureSet
    class_counts: tuple[int, ...]
    task: Task
    examples: Examples
    validation: Examples | None
    seen: SeenImages
    balance: ClassBalance | None

    @classmethod
    def of(cls, train: FeatureSet, valid: FeatureSet | None = None) -> TrainingData:
        """Checks that rows can be learnt from and chosen by.

        Args:
            train: Rows to learn from; unlabelled ones are left out.
            valid: Rows to choose by.

        Raises:
            UsageError: Fewer than two classes have training rows.
            CacheMismatchError: ``train`` and ``valid`` do not belong together.
        """
        if valid is not None:
            refuse_other_spec(valid, train.spec, head="validation")
            refuse_other_classes(valid, train.classes)
        if train.target != CLASS:
            return cls._of_targets(train, valid)
        class_counts = _count_classes(train)
        learnt = learnt_classes(class_counts)
        return cls(
            train=train,
            class_counts=class_counts,
            task=Task(train.spec, train.feature_shape, len(learnt)),
            examples=select(train, learnt),
            validation=(select(valid, learnt) or None) if valid is not None else None,
            seen=SeenImages.of(train, valid),
            balance=ClassBalance.of(train, valid),
        )

    @classmethod
    def _of_targets(cls, train: FeatureSet, valid: FeatureSet | None) -> TrainingData:
        """Does the same for images that have several labels, or numbers."""
        examples = select_known(train)
        if not len(examples):
            raise UsageError(
                f"{train.path}: nothing is known of any of its {counted(len(train), 'row')}, so there is "
                "nothing to train on"
            )
        return cls(
            train=train,
            class_counts=tuple(count_targets(examples.targets, train.target)[0].tolist()),
            task=Task(train.spec, train.feature_shape, len(train.classes), train.target),
            examples=examples,
            validation=(select_known(valid) or None) if valid is not None else None,
            seen=SeenImages.of(train, valid),
            balance=None,
        )


def _count_classes(train: FeatureSet) -> tuple[int, ...]:
    """Counts the training rows of each class and makes sure that there is something to tell apart."""
    labels = train.labels[train.labels >= 0]
    counts = np.bincount(labels, minlength=len(train.classes))
    if not len(labels):
        raise UsageError(
            f"{train.path}: none of its {counted(len(train), 'row')} is labelled, so there is nothing to "
            "train on. `pipeline next > next.csv`, with the options of this data set, lists its images, "
            "those to label first on top: fill in labels, and run `pipeline extract --data next.csv`"
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
    valid: FeatureSet | None = None,
    *,
    options: Mapping[str, object] = {},
    seed: int = 0,
    runs: str | os.PathLike[str] = "runs",
) -> TrainedHead:
    """Trains a head and saves it under ``runs``, replacing an older one of the same name and entry.

    Example:
        >>> head = train_head("logreg", open_features(entry, "train"), open_features(entry, "val"))
        >>> head.folder, head.val_accuracy

    Args:
        name: A head of the registry.
        train: Rows to learn from; unlabelled ones are left out.
        valid: Rows that decide when to stop and give ``val_accuracy``; never learnt from.
        options: Options of the head by name, as text (``{"C": "0.1"}``) or as values of their types.
        seed: Seed of everything random; the same seed gives the same scores.
        runs: Folder of all trained heads.

    Returns:
        The head as it was saved, with its folder and its accuracy on ``valid``.

    Raises:
        UsageError: An unknown head or option, a value that does not fit, or too few classes.
        CacheMismatchError: ``train`` and ``valid`` do not belong together, or a row is damaged.
        PipelineError: A feature is not a finite number, or the training diverged.
    """
    trained = fit_head(name, train, valid, options=options, seed=seed)
    return save_head(with_familiarity(trained, train, valid), runs=expanded(runs))


def with_familiarity(trained: TrainedHead, train: FeatureSet, valid: FeatureSet | None) -> TrainedHead:
    """Adds what tells images like those it was trained on from others; arguments are those of a training."""
    return replace(trained, familiarity=Familiarity.of(train, valid))


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
    data = TrainingData.of(train, valid)
    for note in data.balance.notes if data.balance else ():
        say(f"note: {note}")
    trained = measured(fit_on(data, name, options=options, seed=seed), valid)
    for note in data.balance.missed(trained.not_found or ()) if data.balance else ():
        say(f"note: {note}")
    return trained


def fit_on(
    data: TrainingData, name: str, *, options: Mapping[str, object] = {}, seed: int = 0
) -> TrainedHead:
    """Trains a head on rows that other heads share and measures nothing.

    Errors are those of :func:`train_head`.
    """
    head = make_head(name, options)
    started = time.perf_counter()
    fit = head.fit if data.task.target == CLASS else target_head(head, data.task.target).fit_targets
    model, history = fit(data.task, data.examples, data.validation, seed=seed)
    return TrainedHead(
        name=name,
        head=head,
        model=model,
        task=data.task,
        classes=data.train.classes,
        class_counts=data.class_counts,
        dataset=data.train.dataset,
        seed=seed,
        history=history,
        seconds=time.perf_counter() - started,
        versions=_versions(head),
        seen=data.seen,
        balance=data.balance,
        target_rows=None if data.task.target == CLASS else len(data.examples),
        offsets=_means(data.examples.targets) if data.task.target == NUMBER else (),
    )


def _means(targets: np.ndarray) -> tuple[float, ...]:
    return tuple(NumberScale.of(targets).mean.tolist())


def _versions(head: Head) -> dict[str, str]:
    own = {"python": platform.python_version(), "pipeline": __version__}
    return own | {package: version(package) for package in head.software}
