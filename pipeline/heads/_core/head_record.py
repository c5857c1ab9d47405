"""The record of a trained head: what ``head.json`` says of it besides what its other files hold."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import numpy as np

from pipeline.heads._core.answers import learnt_classes
from pipeline.heads._core.head import Task
from pipeline.heads._core.temperature import Temperature
from pipeline.heads._core.trained import TrainedHead
from pipeline.images.targets import CLASS, KINDS
from pipeline.paths import is_folder_name
from pipeline.spec import FeatureSpec
from pipeline.stored_heads import RECORD
from pipeline.wording import counted

__all__ = ["NEWER", "RECORD", "from_record", "to_record"]

NEWER = frozenset(
    {"seen", "temperature", "familiarity", "target", "thresholds", "val_figure", "offsets", "target_rows"}
)
"""Keys that came with the seal, or after it."""


def to_record(trained: TrainedHead) -> dict[str, Any]:
    """Puts all that is known about a head, except what its other files hold, into JSON types."""
    return _of_classes(trained) | (_of_targets(trained) if trained.task.target != CLASS else {})


def _of_targets(trained: TrainedHead) -> dict[str, Any]:
    """Returns what only heads of labels or numbers have."""
    return {
        "target": trained.task.target,
        "thresholds": trained.thresholds,
        "val_figure": trained.val_figure,
        "offsets": trained.offsets,
        "target_rows": trained.target_rows,
    }


def _of_classes(trained: TrainedHead) -> dict[str, Any]:
    return {
        "name": trained.name,
        "options": trained.options,
        "seed": trained.seed,
        "dataset": trained.dataset,
        "classes": trained.classes,
        "class_counts": trained.class_counts,
        "train_rows": trained.train_rows,
        "val_accuracy": trained.val_accuracy,
        "seconds": trained.seconds,
        "history": trained.history,
        "feature_shape": trained.task.feature_shape,
        "spec": asdict(trained.spec),
        "versions": trained.versions,
        "temperature": None if trained.temperature is None else trained.temperature.to_json(),
    }


def from_record(record: dict[str, Any]) -> dict[str, Any]:
    """Returns the fields of the :class:`TrainedHead` that a record describes, without head and model.

    Raises:
        ValueError: It describes no head; or another error, as what it holds can have any type.
    """
    classes = tuple(map(str, record["classes"]))
    class_counts = tuple(map(int, record["class_counts"]))
    if len(classes) != len(class_counts):
        raise ValueError(f"{len(class_counts)} counts for {counted(len(classes), 'class')}")
    target = str(record.get("target", CLASS))
    if target not in KINDS or (target != CLASS and min(class_counts, default=-1) < 0):
        raise ValueError(f"{target[:40]!r} and {class_counts} are no kind of target and counts of rows")
    if target == CLASS and (min(class_counts, default=0) < 0 or np.count_nonzero(class_counts) < 2):
        raise ValueError("fewer than two classes have training rows")
    spec = FeatureSpec.from_json(json.dumps(record["spec"]))
    shape = tuple(map(int, record["feature_shape"]))
    if not shape or min(shape) < 1:
        raise ValueError(f"{shape} is no shape of features")
    if not is_folder_name(str(record["dataset"])):
        raise ValueError(f"{str(record['dataset'])[:40]!r} is no name of a data set")
    temperature = record.get("temperature")
    return {
        "name": record["name"],
        "task": Task(
            spec, shape, len(learnt_classes(class_counts)) if target == CLASS else len(classes), target
        ),
        "classes": classes,
        "class_counts": class_counts,
        "dataset": str(record["dataset"]),
        "seed": int(record["seed"]),
        "history": {name: [float(value) for value in run] for name, run in record["history"].items()},
        "seconds": float(record["seconds"]),
        "versions": {name: str(number) for name, number in record["versions"].items()},
        "val_accuracy": None if record["val_accuracy"] is None else float(record["val_accuracy"]),
        "temperature": None if temperature is None else Temperature.from_json(temperature),
        **({} if target == CLASS else _targets_from(record, len(classes))),
    }


def _targets_from(record: dict[str, Any], count: int) -> dict[str, Any]:
    thresholds = tuple(map(float, record["thresholds"]))
    offsets = tuple(map(float, record["offsets"]))
    if len(thresholds) not in (0, count) or len(offsets) not in (0, count):
        raise ValueError("its thresholds are not those of its labels")
    figure = record["val_figure"]
    return {
        "thresholds": thresholds,
        "offsets": offsets,
        "target_rows": int(record["target_rows"]),
        "val_figure": None if figure is None else (str(figure[0]), float(figure[1])),
    }
