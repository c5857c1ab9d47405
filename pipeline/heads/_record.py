"""What ``head.json`` says of a trained head: all but what its other files hold."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

import numpy as np

from pipeline.cache.structure import is_folder_name
from pipeline.counts import counted
from pipeline.heads._head import Task
from pipeline.heads._temperature import Temperature
from pipeline.heads._trained import TrainedHead, seen_classes
from pipeline.spec import FeatureSpec

RECORD = "head.json"
NEWER = frozenset({"seen", "temperature"})
"""Keys that came with the seal, or after it."""


def to_record(trained: TrainedHead) -> dict[str, Any]:
    """Puts all that is known about a head, except what its other files hold, into JSON types."""
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
    if min(class_counts, default=0) < 0 or np.count_nonzero(class_counts) < 2:
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
        "task": Task(spec, shape, len(seen_classes(class_counts))),
        "classes": classes,
        "class_counts": class_counts,
        "dataset": str(record["dataset"]),
        "seed": int(record["seed"]),
        "history": {name: [float(value) for value in run] for name, run in record["history"].items()},
        "seconds": float(record["seconds"]),
        "versions": {name: str(number) for name, number in record["versions"].items()},
        "val_accuracy": None if record["val_accuracy"] is None else float(record["val_accuracy"]),
        "temperature": None if temperature is None else Temperature.from_json(temperature),
    }
