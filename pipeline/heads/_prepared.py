"""Prepared: training and validation rows made ready once, for one head or for many."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pipeline.cache import FeatureSet
from pipeline.counts import counted
from pipeline.errors import UsageError
from pipeline.heads._examples import Examples, refuse_other_classes, refuse_other_spec, select
from pipeline.heads._head import Task
from pipeline.heads._seen import SeenImages
from pipeline.heads._trained import seen_classes


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
