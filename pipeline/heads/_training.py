"""Training: labelled rows in, a trained head out."""

from __future__ import annotations

import platform
import time
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path

from pipeline import __version__
from pipeline.cache import FeatureSet
from pipeline.heads._catalog import make_head
from pipeline.heads._class_balance import ClassBalance
from pipeline.heads._head import Head
from pipeline.heads._prepared import Prepared, prepare
from pipeline.heads._saving import save_head
from pipeline.heads._trained import TrainedHead, measured
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
