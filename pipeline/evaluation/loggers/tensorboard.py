"""TensorBoard: figures, curves and pictures as event files, written without importing TensorFlow."""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.errors import disk_errors
from pipeline.evaluation.loggers import scalars
from pipeline.files import create, make_folder
from pipeline.paths import expanded

if TYPE_CHECKING:
    from pipeline.evaluation.head_report import HeadReport

PACKAGE = "tensorboard"
VERSION = "brain.Event:2"
"""What an event file begins with, so that its readers know the format."""


def log(report: HeadReport, *, runs: Path, files: Path | None) -> str:
    """Writes one event file; the figures stand at the number of the evaluation, the curves at the epochs.

    Raises:
        PipelineError: The file cannot be written.
    """
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.summary.writer.record_writer import RecordWriter

    root = expanded(runs) / PACKAGE
    folder = root / report.dataset / report.spec.entry_name / report.head / report.split
    now = time.time()
    name = f"events.out.tfevents.{time.time_ns()}.{socket.gethostname()}.{os.getpid()}"
    with disk_errors(
        f"cannot log to {folder}",
        "Choose a folder that can be written with `--runs`",
    ):
        make_folder(folder, root=expanded(runs))
        with os.fdopen(create(folder / name, root=expanded(runs)), "wb") as file:
            records = RecordWriter(file)
            records.write(Event(wall_time=now, file_version=VERSION).SerializeToString())
            for step, value in _values(report, files):
                records.write(Event(wall_time=now, step=step, summary=value).SerializeToString())
    return f"tensorboard --logdir {root}"


def _values(report: HeadReport, files: Path | None) -> Iterator[tuple[int, Any]]:
    """Yields (step, summary) of all figures, curves and pictures."""
    from tensorboard.compat.proto.summary_pb2 import Summary

    evaluation = report.looks.evaluations if report.looks else 1
    for name, value in scalars(report).items():
        yield evaluation, Summary(value=[Summary.Value(tag=name, simple_value=value)])
    for name, values in report.history.items():
        for epoch, value in enumerate(values, 1):
            yield epoch, Summary(value=[Summary.Value(tag=f"training/{name}", simple_value=value)])
    for path in sorted(files.glob("*.png")) if files else ():
        picture = Summary.Image(encoded_image_string=path.read_bytes())
        yield evaluation, Summary(value=[Summary.Value(tag=path.stem, image=picture)])
