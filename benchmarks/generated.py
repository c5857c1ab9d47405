"""Every table that stands in a page between marks, with the figures it comes from.

python benchmarks/generated.py      # renews them all
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import bases
import choosing
import fold_intervals
import learning_curves
import planted_labels
import recipe_tables
import stage_one_table
import targets
import trap_figures
import views
import waiting
from tables import RESULTS, replace_between_marks

ROOT = Path(__file__).resolve().parents[1]

TABLES: Mapping[tuple[str, str], Callable[[], str]] = {
    ("README.md", bases.MARK): lambda: bases.summary(RESULTS / "bases.csv"),
    ("README.md", stage_one_table.MARK): lambda: stage_one_table.summary(RESULTS / "stage_one.csv"),
    ("docs/traps.md", trap_figures.MARK): lambda: trap_figures.summary(RESULTS / "traps.csv"),
    ("docs/figures.md", fold_intervals.MARK): lambda: fold_intervals.summary(RESULTS / "fold_intervals.csv"),
    ("docs/figures.md", learning_curves.MARK): lambda: learning_curves.summary(
        RESULTS / "learning_curves.csv"
    ),
    ("docs/labels.md", planted_labels.MARK): lambda: planted_labels.summary(RESULTS / "planted_labels.csv"),
    ("docs/labels-and-numbers.md", targets.MARK): lambda: targets.summary(RESULTS / "targets.csv"),
    ("docs/choose.md", choosing.MARK): lambda: choosing.summary(choosing.TABLE),
    ("docs/speed.md", waiting.MARK): lambda: waiting.summary(RESULTS / "waiting.csv"),
    ("docs/views.md", views.MARK): lambda: views.summary(RESULTS / "views.csv"),
    **{
        place: lambda summary=summary: summary(RESULTS / "recipes.csv")
        for place, summary in recipe_tables.TABLES.items()
    },
}
"""What makes the text of each table, by page and mark."""


def main() -> None:
    """Renews all tables."""
    for (page, mark), text in TABLES.items():
        replace_between_marks(ROOT / page, mark, text())


if __name__ == "__main__":
    main()
