"""The leaderboard: a table, two files and a picture."""

from __future__ import annotations

import csv
import io
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from pipeline.files import root_of, written
from pipeline.heads._core.target_figures import ACCURACY, IN_WORDS, figure_text
from pipeline.plain_json import json_text, plain, sealed
from pipeline.run_files import is_of_a_leaderboard
from pipeline.sweeps import Leaderboard
from pipeline.sweeps.results import LOSS_OF, not_written
from pipeline.wording import counted

if TYPE_CHECKING:
    from rich.table import Table

SHOWN = 30
COLUMNS = {**IN_WORDS, "map": "mAP"}
LOSS_NAMES = {"log_loss": "log-loss", "mae": "MAE"}
"""How the table heads the columns of figures and of tie-breaks; its title has the figure in full."""


def write_leaderboard(board: Leaderboard) -> list[Path]:
    """Writes ``leaderboard.csv``, ``.json`` and ``.png``, and returns their paths.

    Raises:
        ForeignFileError: Something that is no leaderboard stands there.
        PipelineError: The folder cannot be written.
    """
    rows = board.lines
    paths = [board.folder / f"leaderboard.{suffix}" for suffix in ("csv", "json", "png")]
    root = root_of(paths[0], 3)  # <runs>/<dataset>/<entry>/sweep/leaderboard.csv
    with not_written(board.folder), ExitStack() as drafts:
        table, record, picture = (
            drafts.enter_context(written(path, root=root, known=is_of_a_leaderboard)) for path in paths
        )
        text = io.TextIOWrapper(table, encoding="utf-8", newline="")
        writer = csv.DictWriter(text, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
        text.detach()
        of_targets = {} if board.figure == ACCURACY else {"figure": board.figure}
        described = sealed(plain({"chosen_on": board.chosen_on, **of_targets, "results": rows}))
        record.write(json_text(described, indent=2).encode())
        _draw(board, picture)
    return paths


def leaderboard_table(board: Leaderboard) -> Table:
    """Makes a table for the terminal."""
    from rich.markup import escape
    from rich.table import Table

    table = Table(title=board.in_words, box=None, title_justify="left")
    loss = LOSS_NAMES[LOSS_OF[board.figure]]
    for name in ("", "head", COLUMNS[board.figure], "95% interval", loss, "fit", "size"):
        table.add_column(name, justify="left" if name == "head" else "right")
    for rank, result in enumerate(board.results[:SHOWN], 1):
        label = escape(result.candidate.label)
        if result.score is None:
            table.add_row("-", f"{label}: {escape(result.problem)}", "failed", "", "", "", "")
            continue
        table.add_row(
            str(rank),
            label,
            f"{result.score:.4f}",
            result.between,
            "" if result.loss is None else figure_text(loss, result.loss),
            f"{result.seconds:.1f} s",
            f"{result.bytes / 1e6:.2f} MB",
        )
    return table


def _draw(board: Leaderboard, file: BinaryIO) -> None:
    """Draws each candidate's score with its interval, the best on top."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    shown = [result for result in board.results if result.score is not None][:SHOWN]
    figure = Figure(figsize=(8, 1.2 + 0.32 * len(shown)), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    for place, result in enumerate(shown):
        colour = "#08519c" if place == 0 else "#6b7785"
        if result.interval is not None:
            axes.plot(result.interval, [place, place], color=colour, linewidth=2, solid_capstyle="round")
        axes.plot([result.score or 0.0], [place], "o", color=colour)
    axes.set_yticks(range(len(shown)), [result.candidate.label for result in shown], parse_math=False)
    axes.invert_yaxis()
    axes.set_xlabel(f"{board.in_words}, with its 95 % interval")
    axes.set_title(
        f"{board.winner.dataset}: {counted(len(board.results), 'head')}", loc="left", parse_math=False
    )
    axes.grid(axis="x", color="#e3e6ea")
    axes.set_axisbelow(True)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    figure.savefig(file, format="png")
