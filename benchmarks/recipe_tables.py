"""What ``recipes.py`` measured, beside what was published: tables of docs/recipes.md and the README."""

from __future__ import annotations

import statistics
from collections.abc import Callable, Sequence
from pathlib import Path

from recipe_list import LINES, Line
from tables import markdown, read_table, replace_between_marks

from pipeline.evaluation.metrics import wilson_interval

ROOT = Path(__file__).resolve().parents[1]
SHOWN = ("cifar10-vgg16-32px", "cats-and-dogs-vgg16", "cats-and-dogs-vgg16-finetune-block5")
"""What the README shows."""
FROM_8_BITS = ("mobilenet_v2",)
"""Bases whose file of filters was made from filters of 8 bits."""
NOT_MEASURED, NOT_TIMED = "not measured yet", "not timed"
BESIDE = "beside other work"
"""Note of a row whose machine had other work to do: its figures count, and its seconds do not."""

Rows = Sequence[dict[str, str]]


def renew_pages(results: Path) -> None:
    """Renews every table that comes from these results."""
    for (page, mark), summary in TABLES.items():
        replace_between_marks(ROOT / page, mark, summary(results))


def published(results: Path) -> str:
    """Returns the table of the recipes that come with the package."""
    columns = (
        "recipe", "published, on", "it took there", "here, on test", "over seeds", "here, on val",
        "seconds here", "same data?", "same filters?", "note",
    )  # fmt: skip
    cells = []
    for line, rows in sorted(
        _lines(results, lambda line: not line.frozen and not line.cost_images),
        key=lambda pair: pair[0].recipe,
    ):
        told = line.parsed.published
        split = f", {told.split}" if told.split else ""
        there = "none" if told.accuracy is None else f"{_share(told.accuracy)} on {told.data}{split}"
        cells.append(
            (
                f"`{line.recipe}`", there, told.took or "-", _test(rows), _spread(rows), _mean(rows, "val"),
                _seconds(rows), _same_data(line), _same_filters(line), _note(line, rows),
            )
        )  # fmt: skip
    return f"{markdown(columns, cells)}\n\n{_caption(results)}"


def frozen(results: Path) -> str:
    """Returns the table of ``logreg`` on frozen features."""
    columns = ("data", "base", "cut", "here, on test", "here, on val", "seconds here", "note")
    cells = [
        (
            line.data, line.base, line.cut or "the last", _test(rows), _mean(rows, "val"), _seconds(rows),
            _note(line, rows),
        )
        for line, rows in sorted(
            _lines(results, lambda line: line.frozen), key=lambda pair: (pair[0].data, pair[0].base)
        )
    ]  # fmt: skip
    costs = [
        f"{line.base} at {line.parsed.request.image_size} pixels with random filters: "
        + (f"{1 / float(rows[0]['images_per_second']):.3f} s an image" if rows else NOT_MEASURED)
        for line, rows in _lines(results, lambda line: line.cost_images > 0)
    ]
    return f"{markdown(columns, cells)}\n\n{'; '.join(costs)}."


def best(results: Path) -> str:
    """Returns the few lines of the README, with their command."""
    columns = ("`pipeline run ...`", "published, on", "here, on test", "seconds here")
    cells = []
    for line, rows in sorted(
        _lines(results, lambda line: line.recipe in SHOWN), key=lambda pair: SHOWN.index(pair[0].recipe)
    ):
        told = line.parsed.published
        there = f"{_share(told.accuracy or 0)} on {told.split}" + (f", {told.took}" if told.took else "")
        cells.append((f"`{line.recipe}`", there, _test(rows), _seconds(rows)))
    return markdown(columns, cells)


TABLES: dict[tuple[str, str], Callable[[Path], str]] = {
    ("docs/recipes.md", "recipes"): published,
    ("docs/recipes.md", "frozen"): frozen,
    ("README.md", "recipes"): best,
}


def _lines(results: Path, wanted: Callable[[Line], bool]) -> list[tuple[Line, Rows]]:
    """Returns the lines of the list with what was measured of each, one row a seed."""
    measured = read_table(results)
    return [
        (line, [row for row in measured if row["recipe"] == line.name and row["run_seconds"]])
        for line in LINES
        if wanted(line)
    ]


def _test(rows: Rows) -> str:
    """The mean over the seeds, with the interval that as many test rows leave it."""
    if not rows:
        return NOT_MEASURED
    accuracy, n = statistics.mean(float(row["test"]) for row in rows), int(rows[0]["test_rows"])
    low, high = wilson_interval(round(accuracy * n), n)
    return f"{accuracy:.4f} ({low:.3f} to {high:.3f})"


def _spread(rows: Rows) -> str:
    if len(rows) < 2:
        return "-"
    found = sorted(float(row["test"]) for row in rows)
    return f"{found[0]:.4f} to {found[-1]:.4f}, {len(rows)} seeds"


def _mean(rows: Rows, split: str) -> str:
    found = [float(row[split]) for row in rows if row[split]]
    return f"{statistics.mean(found):.4f}" if found else "-"


def _seconds(rows: Rows) -> str:
    """What the features took, and what all else of a run did, on a machine that did nothing else."""
    if not rows:
        return "-"
    rows = [row for row in rows if row["note"] != BESIDE]
    if not rows:
        return NOT_TIMED
    rest = statistics.mean(float(row["run_seconds"]) - float(row["extract_seconds"]) for row in rows)
    known = [row["features_took"] for row in rows if row["features_took"]]
    return f"{float(known[-1]):.0f} + {rest:.0f}" if known else f"not seen + {rest:.0f}"


def _same_data(line: Line) -> str:
    told = line.parsed.published
    return "-" if not told.data else "yes" if told.data.casefold() == line.data else "no"


def _same_filters(line: Line) -> str:
    if line.base == "pixels":
        return "none needed"
    if line.backbone:
        return f"no: {line.backbone}" + (f" from {line.layer}" if line.layer else "")
    return "from 8 bits" if line.base in FROM_8_BITS else "yes"


def _note(line: Line, rows: Rows) -> str:
    told = "" if line.frozen else line.parsed.published.note
    return " ".join(filter(None, (told, line.note))) or "-"


def _share(accuracy: float) -> str:
    """Writes a published share with at least two digits, and no more than the source gives."""
    return f"{accuracy:.4f}".rstrip("0").ljust(4, "0")


def _caption(results: Path) -> str:
    rows = [row for row in read_table(results) if row["run_seconds"]]
    machines = dict.fromkeys(row["machine"] for row in rows)
    days = sorted({row["date"] for row in rows})
    when = days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}" if days else ""
    return (
        "Seconds: the features, once, + all else of a run; not timed: other work ran beside. "
        f"{'; '.join(machines)}; {when}."
        if rows
        else ("Nothing is measured yet: `make seeds`.")
    )
