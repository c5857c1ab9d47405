"""Wrong figures on purpose beside right ones: runs every script in ``traps/`` and writes ``traps.csv``.

    make traps SEEDS_DATA=folder/of/data SEEDS_WEIGHTS=folder/of/filters
    python benchmarks/trap_figures.py --data FOLDER --weights FOLDER --only dropped_batch

Each is a notebook's way in Keras, and a process of its own.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

from measuring import run_process, tell
from recipe_list import FILTERS
from tables import RESULTS, markdown, number, read_table, replace_between_marks, surroundings, write_rows

HERE = Path(__file__).parent
PAGE, MARK = HERE.parent / "docs" / "traps.md", "traps"

TRAPS: Mapping[str, tuple[str, str]] = {
    "training_rows": ("cifar10_small", "vgg16"),
    "divided_by_255": ("cats_and_dogs_small", "vgg16"),
    "shuffled_labels": ("cats_and_dogs_small", "mobilenet_v2_035"),
    "dropped_batch": ("cats_and_dogs_small", "mobilenet_v2_035"),
    "chosen_on_test": ("cats_and_dogs_small", "mobilenet_v2_035"),
    "copies_before_split": ("cats_and_dogs_small", "mobilenet_v2_035"),
    "twins_across_split": ("scenes15_small", "mobilenet_v2_035"),
}
"""The images and the base of each script."""


def main() -> None:
    """Runs the scripts, and writes the table as each ends."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True, help="folder with the data sets")
    parser.add_argument("--weights", type=Path, required=True, help="folder with files of filters")
    parser.add_argument("--only", nargs="+", choices=list(TRAPS), default=list(TRAPS), metavar="NAME")
    parser.add_argument("--out", type=Path, default=RESULTS / "traps.csv")
    parser.add_argument("--pages", action="store_true", help="renew the table of the documentation")
    given = parser.parse_args()
    known = {row["script"]: row for row in read_table(given.out)}
    for script in given.only:
        found = run(script, given.data, given.weights)
        if found["right"] or script not in known:
            known[script] = found | surroundings()
        write_rows(given.out, [known[name] for name in TRAPS if name in known])
    if given.pages:
        replace_between_marks(PAGE, MARK, summary(given.out))


def run(script: str, data: Path, weights: Path) -> dict[str, str]:
    """Runs a script; returns its row, with a note in place of figures where something is not there."""
    images, base = TRAPS[script]
    row = dict.fromkeys(("script", "trap", "wrong", "right", "data", "rows", "base", "seconds", "note"), "")
    row |= {"script": script, "data": images, "base": base}
    needed = {"--data": data / images, "--weights": weights / FILTERS[base]}
    if missing := [path.name for path in needed.values() if not path.exists()]:
        tell(f"{script}: no {' and no '.join(missing)}")
        return row | {"note": f"no {' and no '.join(missing)} there"}
    tell(f"{script} ...")
    places = [word for option, path in needed.items() for word in (option, str(path))]
    ended = run_process([sys.executable, str(HERE / "traps" / f"{script}.py"), *places])
    answer = ended.answer
    tell(f"  wrong {answer['wrong']}, right {answer['right']} in {ended.seconds:.0f} s")
    figures = {name: number(answer[name], 4) for name in ("wrong", "right")}
    told = {"trap": answer["trap"], "rows": str(answer["rows"]), "note": answer["note"]}
    return row | figures | told | {"seconds": number(ended.seconds, 0)}


def summary(results: Path) -> str:
    """Returns the table of docs/traps.md."""
    rows = read_table(results)
    cells: list[Sequence[str]] = [
        (
            f"[{row['trap'] or row['script']}](../benchmarks/traps/{row['script']}.py)",
            row["note"] or "-", row["wrong"] or "-", row["right"] or "-", row["data"], row["rows"] or "-",
            row["base"],
        )
        for row in rows
    ]  # fmt: skip
    columns = ("trap", "note", "wrong", "right", "data", "rows", "base")
    return f"{markdown(columns, cells)}\n\n{rows[0]['machine']}; {max(row['date'] for row in rows)}."


if __name__ == "__main__":
    main()
