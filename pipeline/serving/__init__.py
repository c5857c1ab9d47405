"""Answers out: a trained head and its base on images that nobody has extracted."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.cache.entries import SPEC_FILE, read_entry
from pipeline.cache.features import Selection, single_specs
from pipeline.errors import UsageError
from pipeline.heads import TrainedHead, load_head
from pipeline.images.given import Given, gather_images
from pipeline.images.targets import CLASS, LABELS, NUMBER, described
from pipeline.paths import expanded
from pipeline.serving.predictions import Predictions
from pipeline.serving.predictor import Answer, Predictor
from pipeline.serving.target_predictions import LabelPredictions, NumberPredictions, TargetPredictions

if TYPE_CHECKING:
    from pipeline.evaluation.conformal import ConformalSets
    from pipeline.evaluation.targets.number_intervals import NumberIntervals

__all__ = [
    "Answer",
    "LabelPredictions",
    "NumberPredictions",
    "Predictions",
    "Predictor",
    "TargetPredictions",
    "features_behind",
    "gather_images",
    "predict",
    "sets_of",
]


def predict(
    head: str | Path | TrainedHead,
    images: Given | Iterable[Given],
    *,
    cache: str | Path = "features_cache",
    weights: str | None = None,
    batch_size: int | None = None,
    coverage: float | None = None,
    per_class: bool = False,
) -> Predictions | LabelPredictions | NumberPredictions:
    """Says what is in some images.

    Example:
        >>> import pipeline
        >>> answers = pipeline.predict("runs/photos/pixels-32-pixels-1a2b3c4d/logreg", "holiday.jpg")
        >>> answers.predicted
        ['beach']

    Args:
        head: A trained head, or its run folder.
        images: Files, folders of files, encoded images as bytes, Pillow images, and uint8 arrays (H, W, 3) or
            (N, H, W, 3), RGB: one of these or several, mixed as one likes. One string is one path.
        cache: The cache that holds the features that the head was trained on; they say how new ones are made.
        weights: Weights file of the base, ``imagenet`` or ``random:<seed>``; None to find the filters by
            their identity.
        batch_size: Images in a forward pass; None = as stage one chooses it.
        coverage: Share of the sets of classes that are to hold the true one, or of the intervals of numbers;
            None = neither is made.
        per_class: Whether that is to be so for the images of each class.

    Returns:
        The answers in the order in which the images were given, those of a folder in the order of its files;
        of a head of several labels or of numbers these, see ``predicted`` and ``answers``.

    Raises:
        UsageError: A path does not exist, something is no image, the features of the head are not in the
            cache, or the filters cannot be found.
        CacheMismatchError: The head is damaged, or the filters are others than those that made the features.
    """
    source = gather_images(images)
    trained = head if isinstance(head, TrainedHead) else load_head(expanded(head))
    selection = features_behind(trained, expanded(cache))
    sets = sets_of(selection, trained, coverage, per_class=per_class)
    predictor = Predictor(selection, trained, weights=weights, sets=sets)
    return predictor.predict(source, batch_size=batch_size)


def sets_of(
    selection: Selection, head: TrainedHead, coverage: float | None, *, per_class: bool = False
) -> ConformalSets | NumberIntervals | None:
    """Finds how sure answers of a head are, by the val split of its features; None without coverage.

    Returns:
        What makes conformal sets of classes, or intervals of numbers.

    Raises:
        UsageError: As :func:`pipeline.evaluation.conformal.conformal_sets`, there is no val split, or the
            head answers with several labels.
        CacheMismatchError: The val split is damaged, or belongs to another head.
    """
    target = head.task.target
    if per_class and target != CLASS:
        raise UsageError(
            f"--per-class is for heads of classes, and {head.name!r} answers with {described(target)}: leave "
            "it out"
        )
    if coverage is None:
        return None
    if target == LABELS:
        raise UsageError(
            f"--coverage is for heads of classes and of numbers, and {head.name!r} answers with "
            f"{described(target)}, each with a threshold of its own: leave it out"
        )
    if target == NUMBER:
        from pipeline.evaluation.targets.number_intervals import number_intervals

        return number_intervals(head, selection.open("val"), coverage)
    from pipeline.evaluation.conformal import conformal_sets

    return conformal_sets(head, selection.open("val"), coverage, per_class=per_class)


def features_behind(head: TrainedHead, cache: Path) -> Selection:
    """Finds the stored features that a head was trained on.

    Raises:
        UsageError: They are not in the cache.
        CacheMismatchError: Their description is damaged.
    """
    folders = [cache / head.dataset / spec.entry_name for spec in single_specs(head.spec)]
    for folder in folders:
        if not (folder / SPEC_FILE).is_file():
            raise UsageError(
                f"{folder}: the features that head {head.name!r} was trained on are not there, and they say "
                "how new ones are made: name the cache that has them, or run `pipeline extract` again"
            )
    return Selection(tuple(map(read_entry, folders)))
