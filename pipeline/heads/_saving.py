"""Trained heads on disk: a folder with a sealed ``head.json`` and one model file, whole or absent."""

from __future__ import annotations

import hashlib
import json
import struct
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.cache.structure import is_folder_name
from pipeline.counts import counted
from pipeline.errors import CacheMismatchError, PipelineError, UsageError
from pipeline.heads._catalog import describe_head, make_head
from pipeline.heads._head import Head, Task
from pipeline.heads._trained import TrainedHead, seen_classes
from pipeline.paths import expanded
from pipeline.progress import say
from pipeline.publishing import published
from pipeline.sealed import read_sealed, refuse_special, sealed
from pipeline.spec import FeatureSpec

RECORD = "head.json"

TROUBLE = (
    ArithmeticError,
    AttributeError,
    LookupError,
    MemoryError,
    OSError,
    RuntimeError,
    TypeError,
    ValueError,
    EOFError,
    struct.error,
    zipfile.BadZipFile,
    UsageError,
)
"""What JSON, NumPy, skops and Keras raise at files that are damaged or made to do harm."""


def run_folder(runs: Path, dataset: str, spec: FeatureSpec, name: str) -> Path:
    """Returns the folder in which a head trained on an entry of a data set is saved.

    Raises:
        UsageError: The data set's name, which may come from a file, would lead out of ``runs``.
    """
    if not is_folder_name(dataset):
        raise UsageError(f"{dataset!r} is no name of a data set: choose one without slashes, with --name")
    return expanded(runs) / dataset / spec.entry_name / name


def save_head(trained: TrainedHead, *, runs: Path) -> TrainedHead:
    """Saves a trained head; an older one in the same place gives way to the complete new one.

    Returns:
        The head with its ``folder``.

    Raises:
        PipelineError: The folder cannot be written.
    """
    folder = run_folder(runs, trained.dataset, trained.task.spec, trained.name)
    try:
        with published(folder) as draft:
            file = draft / trained.head.file
            trained.model.save(file)
            text = json.dumps(sealed(_to_record(trained, _sha256(file))), indent=2)
            (draft / RECORD).write_text(f"{text}\n", encoding="utf-8")
    except OSError as error:
        raise PipelineError(
            f"cannot save the trained head in {folder}: {error.strerror or error}. "
            "Choose a folder that can be written with `--runs`"
        ) from error
    return replace(trained, folder=folder)


def load_head(folder: Path) -> TrainedHead:
    """Reads a trained head back; it answers what it answered before it was saved.

    Raises:
        UsageError: There is no such folder, or no head of its name.
        CacheMismatchError: The folder is damaged or was not written by :func:`save_head`; the message names
            the file.
    """
    folder = expanded(folder)
    if not folder.is_dir():
        describe_head(folder.name)  # A misspelt head is told from one that is not trained yet.
        raise UsageError(
            f"there is no trained head at {folder}: `pipeline train-head --head {folder.name}` trains one"
        )
    with _blaming(folder / RECORD):
        record = read_sealed(folder / RECORD)
        head = make_head(record["name"], record["options"])
        known = _from_record(record)
    file = folder / head.file
    with _blaming(file):
        refuse_special(file)
        if _sha256(file) != record["sha256"]:
            raise ValueError("its SHA-256 is not the one that head.json records")
        model = head.load(file, known["task"])
    _say_if_upgraded(head, known["versions"])
    return TrainedHead(head=head, model=model, folder=folder, **known)


def _to_record(trained: TrainedHead, sha256: str) -> dict[str, Any]:
    """Puts all that is known about a head, except what its model file holds, into JSON types."""
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
        "sha256": sha256,
    }


def _from_record(record: dict[str, Any]) -> dict[str, Any]:
    """Returns the fields of the :class:`TrainedHead` that a record describes, without head and model."""
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
    }


@contextmanager
def _blaming(file: Path) -> Iterator[None]:
    """Turns whatever goes wrong while a file is read into one line that names the file and the remedy."""
    try:
        yield
    except TROUBLE as error:
        reason = f"no {error}" if isinstance(error, KeyError) else str(error).partition("\n")[0]
        raise CacheMismatchError(
            f"{file} is damaged or foreign: {reason}. "
            f"`pipeline train-head --head {file.parent.name}` trains it again"
        ) from error


def _say_if_upgraded(head: Head, versions: dict[str, str]) -> None:
    library = head.software[0]
    then, now = versions.get(library, "unknown"), version(library)
    if then.split(".")[:2] != now.split(".")[:2]:
        say(f"note: the head was trained with {library} {then} and runs with {now}, so scores may differ")


def _sha256(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()
