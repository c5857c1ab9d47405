"""The files of a report: published together, or not at all."""

from __future__ import annotations

import csv
import platform
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

import pipeline
from pipeline.errors import PipelineError, UsageError, reason_of
from pipeline.evaluation import plots
from pipeline.evaluation.plots import draw_reliability
from pipeline.files import root_of
from pipeline.images import UNLABELLED
from pipeline.plain_json import json_text, parse_json, plain, sealed
from pipeline.publishing import published
from pipeline.run_files import is_of_a_comparison, is_of_a_report
from pipeline.wording import guarded

if TYPE_CHECKING:
    from pipeline.evaluation import Report
    from pipeline.evaluation.comparison import Comparison

METRICS, PREDICTIONS = "metrics.json", "predictions.csv"
CONFUSION, CURVES, RELIABILITY = "confusion_matrix.png", "curves.png", "reliability.png"
COMPARISON, PAGE = "comparison", "report.html"
SOFTWARE = ("numpy", "scipy", "scikit-learn", "keras", "matplotlib")
MOST_COLUMNS = 100
MOST_CLASSES = 1000
TOP = 5


def write_files(
    report: Report,
    folder: Path,
    *,
    root: Path | None = None,
    page: Callable[[Path], object] | None = None,
) -> None:
    """Writes all files of a report into a folder, whole or not at all; see :func:`replacing`.

    Raises:
        UsageError: Something that is not a report stands there.
        PipelineError: The folder cannot be written.
    """
    with _told(folder), replacing(folder, mark=METRICS, root=root) as fresh:
        write_metrics(report, fresh / METRICS)
        write_predictions(report, fresh / PREDICTIONS)
        matrix = plots.draw_confusion_matrix(report.figures, subject=report.subject)
        plots.save_png(matrix, fresh / CONFUSION)
        before = report.calibration.before if report.calibration else None
        plots.save_png(
            draw_reliability(report.figures, before=before, subject=report.subject), fresh / RELIABILITY
        )
        if plots.has_curves(report.history):
            curves = plots.draw_curves(report.history, subject=f"training of {report.head}")
            plots.save_png(curves, fresh / CURVES)
        if page is not None:
            page(fresh / PAGE)


def write_comparison(comparison: Comparison, folder: Path) -> None:
    """Writes comparison.json and comparison.csv into a folder, whole or not at all.

    Raises:
        UsageError: Something that is no comparison stands there.
        PipelineError: The folder cannot be written.
    """
    rows = comparison.rows()
    root = root_of(folder, 3)  # <runs>/<dataset>/<entry>/comparison/<split>
    with _told(folder), replacing(folder, mark=f"{COMPARISON}.json", root=root) as fresh:
        write_json(comparison.to_json() | {"software": _software(())}, fresh / f"{COMPARISON}.json")
        with (fresh / f"{COMPARISON}.csv").open("w", encoding="utf-8", newline="") as file:
            writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)


@contextmanager
def _told(folder: Path) -> Iterator[None]:
    """Turns the trouble of a full disk or a locked folder into one line."""
    try:
        yield
    except OSError as error:
        raise PipelineError(
            f"the report cannot be written to {folder}: {reason_of(error)}. "
            "Make room there, or the folder writable, and evaluate again"
        ) from error


@contextmanager
def replacing(folder: Path, *, mark: str = METRICS, root: Path | None = None) -> Iterator[Path]:
    """Yields an empty folder that takes the place of ``folder`` if the block ends well.

    An older report is replaced, but for what this package did not make; any other folder is refused.

    Args:
        folder: Where the files are to stand.
        mark: The file by which an older report is known.
        root: The folder that the user named; default: the one above ``folder``.

    Raises:
        UsageError: ``folder`` is a file, or holds something but no report.
    """
    if folder.exists() and not (folder / mark).is_file() and (folder.is_file() or any(folder.iterdir())):
        raise UsageError(f"{folder} is not a report and will not be replaced: choose a new or empty folder")
    known = is_of_a_report if mark == METRICS else is_of_a_comparison
    with published(folder, root=root or folder.parent, known=known) as fresh:
        yield fresh


def write_metrics(report: Report, path: Path) -> None:
    """Writes every figure, and all one needs to know where it comes from, as JSON with a line a key.

    Of more than a thousand classes the confusion matrix is nearly all zeros and null in the file; what is not
    zero is listed as ``confusion_pairs``: number of the true class, of the predicted class, and rows.
    """
    figures = asdict(report.figures)
    pairs = figures.pop("pairs")
    small = len(report.figures.per_class) <= MOST_CLASSES
    record = report.to_json() | {
        "dataset": report.dataset,
        "notes": report.notes,
        **figures,
        "classes": report.figures.classes,
        "confusion_matrix": report.figures.confusion if small else None,
        **({} if small else {"confusion_pairs": pairs}),
        "looks": report.looks.to_json() if report.looks else None,
        "spec": parse_json(report.spec.to_json()),
        "software": _software(report.versions),
        "created_at": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    write_json(record, path)


def write_json(record: dict[str, Any], path: Path) -> None:
    """Writes an object as sealed JSON with a line a key; numbers that are not finite become null."""
    lines = (f"{json_text(key)}: {json_text(value)}" for key, value in sealed(plain(record)).items())
    path.write_text("{\n  " + ",\n  ".join(lines) + "\n}\n", encoding="ascii")


def _software(trained_with: Iterable[str]) -> dict[str, str]:
    """Returns the versions at work here, TensorFlow's where the head is a network of Keras."""
    names = (*SOFTWARE, "tensorflow") if "tensorflow" in trained_with else SOFTWARE
    return {
        "pipeline": pipeline.__version__,
        "python": platform.python_version(),
        **{name: version(name) for name in names},
    }


def write_predictions(report: Report, path: Path) -> None:
    r"""Writes one CSV row an image: id, label, predicted, probability, and the other probabilities.

    Up to 100 classes have a column ``p(<class>)`` each; of more, the five most probable are named.
    Numbers have all their digits, so that every figure can be computed again from the file. Text is
    quoted; where a spreadsheet would take it for a formula, and where it begins with an apostrophe, an
    apostrophe is put in front (drop it to get the text back). Plain numbers such as the class ``-3`` stay as
    they are. Bytes of a file name that are no UTF-8 are written as ``\udcXX``. An unlabelled row has an empty
    label.
    """
    names = [guarded(name) for name in report.figures.classes]
    wide = len(names) <= MOST_COLUMNS
    if wide:
        columns = [f"p({name})" for name in report.figures.classes]
    else:
        columns = [column for i in range(1, TOP + 1) for column in (f"top{i}", f"p(top{i})")]
    with path.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file:
        writer = csv.writer(file, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n")
        writer.writerow(["id", "label", "predicted", "probability", *columns])
        for name, label, row in zip(report.rows.ids, report.rows.labels, report.probabilities, strict=True):
            order = np.argsort(-row, kind="stable")[:TOP]
            others = row if wide else [cell for i in order for cell in (names[i], row[i])]
            truth = "" if label == UNLABELLED else names[label]
            writer.writerow([guarded(name), truth, names[order[0]], row[order[0]], *others])
