"""What is kept of a cross-validation, and what a terminal shows of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from pipeline.cache import FeatureSet
from pipeline.evaluation.files import replacing, software, write_json
from pipeline.evaluation.ledger import record_look
from pipeline.files import root_of
from pipeline.run_files import is_of_a_cross_validation
from pipeline.sweeps.fold_answers import FoldAnswers
from pipeline.wording import counted, readable

FOLDER = "cross-validation"
"""Name of the folder, and of the record in it."""
MOST_FOLDS = 20
"""Folds of a repeat that a terminal shows; the record has all."""


def write_cross_validation(result: FoldAnswers, entry: Path) -> Path:
    """Writes cross-validation.json and predictions.csv, and returns their folder.

    The predictions are the means over the repeats.

    Args:
        result: What came out.
        entry: Where the heads of the entry stand, ``<runs>/<dataset>/<entry>``.

    Raises:
        UsageError: Something that is no cross-validation stands there.
        PipelineError: The folder cannot be written.
    """
    folder, record = entry / FOLDER / result.grid[0].head, f"{FOLDER}.json"
    root = root_of(folder, 4)  # <runs>/<dataset>/<entry>/cross-validation/<head>
    with replacing(folder, record, known=is_of_a_cross_validation, root=root) as fresh:
        write_json(result.to_json() | {"interval": result.source, "software": software()}, fresh / record)
        path = fresh / "predictions.csv"
        with path.open("w", encoding="utf-8", errors="backslashreplace", newline="") as file:
            result.write_predictions(file)
    return folder


def count_looks(result: FoldAnswers, splits: Sequence[FeatureSet], entry: Path) -> None:
    """Counts that held-out images were looked at: choosing by these figures is choosing on them.

    Args:
        result: What came out.
        splits: The splits that its rows are of, in their order.
        entry: As for :func:`write_cross_validation`.

    Raises:
        PipelineError: The ledger cannot be written.
    """
    start = 0
    for part in splits:
        inside = (result.index >= start) & (result.index < start + len(part))
        start += len(part)
        if part.split != "train" and inside.any():
            record_look(
                entry,
                head=f"{result.grid[0].head} --cv {result.folds}",
                split=part.split,
                probabilities=np.ascontiguousarray(result.answers[:, inside].mean(axis=0)),
                digests=result.rows.digests[inside],
            )


def print_cross_validation(result: FoldAnswers, *, console: Console) -> None:
    """Prints the notes, the figures, every fold, and what was chosen."""
    for note in result.notes:
        console.print(Text(f"! {note}", style="bold yellow"))
    head, data = result.grid[0].head, readable(result.features.dataset, 60)
    repeats = len(result.answers)
    times = "" if repeats == 1 else f", {repeats} times"
    console.print(Text(f"{head} on {data}, {counted(result.folds, 'fold')}{times}", style="bold"))
    console.print(_figures(result))
    console.print(_folds(result))
    for candidate, times_chosen in result.times_chosen if len(result.grid) > 1 else ():
        console.print(Text(f"{candidate.label}: chosen in {counted(times_chosen, 'fold')}"))


def _figures(result: FoldAnswers) -> Table:
    table = Table(box=box.SIMPLE, show_header=False)
    of_splits = f"{len(result.rows):,} of {result.features.split.replace('+', ', ')}"
    for name, value in {**result.lines, "rows": of_splits}.items():
        table.add_row(name, Text(value))
    return table


def _folds(result: FoldAnswers) -> Table:
    table = Table("repeat", box=box.SIMPLE)
    table.add_column(result.figure_name, justify="right")
    table.add_column(result.of_folds)
    hidden = result.folds - MOST_FOLDS
    more = f" and {hidden:,} more in {FOLDER}.json" if hidden > 0 else ""
    for number, (value, folds) in enumerate(zip(result.by_repeat, result.by_fold, strict=True), 1):
        each = " ".join(result.spelt_of_fold(one) for one in folds[:MOST_FOLDS])
        table.add_row(f"{number}", "-" if value is None else result.spelt(value), each + more)
    return table
