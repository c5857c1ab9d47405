"""The page of an evaluation of labels or numbers: remarks, figures, a table and pictures."""

from __future__ import annotations

import base64
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pipeline
from pipeline.evaluation.files import not_written
from pipeline.evaluation.page.html import STYLES, render
from pipeline.evaluation.targets.pictures import PICTURES
from pipeline.evaluation.targets.report import TargetReport
from pipeline.files import written
from pipeline.images.targets import LABELS
from pipeline.run_files import is_page

SHOWN = 300
"""Labels or numbers in the table."""
DANGERS = ("LEAK", "RANDOM")


def write_target_page(report: TargetReport, path: Path) -> None:
    """Writes the page, with the pictures that stand beside it.

    Args:
        report: What was evaluated.
        path: The file to write, in a folder that ``TargetReport.write`` fills; an older one is replaced.

    Raises:
        PipelineError: The file cannot be written, or something that is no report page stands there.
    """
    shown = [
        {"words": words, "data": _embedded((path.parent / name).read_bytes())}
        for name, words in PICTURES.items()
        if (path.parent / name).is_file()
    ]
    text = render(
        _contents(report, shown), page="targets.html.j2", styles=(*STYLES, "targets.css"), scripts=()
    )
    with (
        not_written(f"the report page cannot be written to {path}"),
        written(path, root=path.parent, known=is_page) as file,
    ):
        file.write(text.encode())


def _contents(report: TargetReport, pictures: list[dict[str, str]]) -> dict[str, Any]:
    columns, lines = report.table
    figures = report.figures
    return {
        "head": report.head,
        "dataset": report.dataset,
        "split": report.split,
        "n": figures.n,
        "unknown": figures.unknown,
        "names": len(lines),
        "kind": "labels" if report.target == LABELS else "numbers",
        "created_at": datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        "version": pipeline.__version__,
        "looks": "" if report.looks is None else report.looks.line,
        "notes": [{"text": note, "danger": note.startswith(DANGERS)} for note in report.notes],
        "headline": {name: f"{value:.4g}" for name, (value, _) in figures.lines.items()},
        "facts": report.lines,
        "columns": columns,
        "lines": lines[:SHOWN],
        "pictures": pictures,
    }


def _embedded(picture: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(picture).decode('ascii')}"
