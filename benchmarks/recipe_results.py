"""``recipes.csv``: a row for each recipe and seed, on disk as soon as it is known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from recipe_list import Line
from tables import read_table, surroundings, write_rows

COLUMNS = (
    "recipe", "data", "base", "cut", "head", "seed",
    "test", "test_rows", "val", "val_rows", "train_rows",
    "run_seconds", "extract_seconds", "train_seconds", "evaluate_seconds",
    "rows", "computed", "features_took", "images_per_second",
    "engine", "precision", "entry", "peak_gb", "made_of", "note",
    "machine", "versions", "date",
)  # fmt: skip
"""``extract_seconds`` are those of this run, ``features_took`` those of the run that made the features."""

Row = Mapping[str, str]


class Results:
    """The table."""

    def __init__(self, path: Path, lines: Sequence[Line]) -> None:
        """Reads what is there.

        Args:
            path: The file.
            lines: In which order rows stand; those of other lines are dropped.
        """
        self._path, self._names = path, [line.name for line in lines]
        self.rows: list[Row] = list(read_table(path))

    def runs(self, line: Line) -> list[Row]:
        """Returns the rows of a line that came to an end, one a seed."""
        return [row for row in self.rows if row["recipe"] == line.name and row["run_seconds"]]

    def has(self, line: Line, seed: int, made_of: str) -> bool:
        """Tells whether a run needs not be made again."""
        return (str(seed), made_of) in [(row["seed"], row["made_of"]) for row in self.runs(line)]

    def features_took(self, entry: str) -> str:
        """Returns the seconds of the run that made the features of an entry; empty where none was seen."""
        known = [row["features_took"] for row in self.rows if row["entry"] == entry and row["features_took"]]
        return known[-1] if known else ""

    def add(self, line: Line, seed: int, made_of: str, found: Row) -> None:
        """Puts in a run in place of its older one, and of those with another recipe, images or filters."""
        kept = [row for row in self.runs(line) if row["made_of"] == made_of and row["seed"] != str(seed)]
        self._replace(line, [*kept, {**found, "seed": str(seed), "made_of": made_of}])

    def note(self, line: Line, note: str) -> None:
        """Says why a line has no figure, unless it has one."""
        if not self.runs(line):
            self._replace(line, [{"note": note}])

    def _replace(self, line: Line, rows: Sequence[Row]) -> None:
        """Writes these rows, in the order of their seeds, as all that is known of a line."""
        head = "" if line.cost_images else line.parsed.experiment.head
        about = {"recipe": line.name, "data": line.data, "base": line.base, "cut": line.cut, "head": head}
        now = {**dict.fromkeys(COLUMNS, ""), **about, **surroundings()}
        of_line = sorted([{**now, **row} for row in rows], key=lambda row: int(row["seed"] or 0))
        others = [row for row in self.rows if row["recipe"] in self._names and row["recipe"] != line.name]
        self.rows = sorted([*others, *of_line], key=lambda row: self._names.index(row["recipe"]))
        write_rows(self._path, self.rows)
