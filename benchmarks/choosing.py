"""How near `pipeline choose` comes to trying everything, and in what time.

python benchmarks/choosing.py --data photos/ --data more/ --weights filters/
python benchmarks/choosing.py --data photos/ --weights filters/ --ways choose --page docs/choose.md
python benchmarks/choosing.py --data photos/ --weights filters/ --largest 150

Both ways have the same bases, sizes, cuts and heads, and a cache of their own. Trying everything computes the
features of all images for every base and size and fits every head on every cut; it has no ensembles. A row
that is in ``choosing.csv`` already is measured again only with ``--again``.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from measuring import tell
from tables import RESULTS, markdown, number, read_table, replace_between_marks, write_table

from pipeline.backbones.at_hand import BaseAtHand, bases_at_hand
from pipeline.choosing import choose
from pipeline.choosing.contender import Contender, Images, extracted
from pipeline.choosing.fits import Fit, fit_heads
from pipeline.images import open_images
from pipeline.sweeps import preset

MARK = "choosing"
TABLE = RESULTS / "choosing.csv"
Row = Mapping[str, object]


def main() -> None:
    """Measures each data set both ways, and writes ``choosing.csv`` row by row."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", action="append", required=True, help="a data set; repeatable")
    parser.add_argument("--weights", action="append", default=[], help="filters; repeatable")
    parser.add_argument("--minutes", type=float, default=10.0, help="what choose is given")
    parser.add_argument(
        "--largest",
        type=int,
        default=0,
        help="for both ways: no larger image size, where a base has a choice",
    )
    parser.add_argument("--ways", nargs="+", choices=list(WAYS), default=list(WAYS))
    parser.add_argument("--again", action="store_true", help="measure rows that are there, too")
    parser.add_argument("--page", type=Path, help="a page whose table is renewed")
    given = parser.parse_args()
    rows: list[Row] = list(read_table(TABLE))
    for data in given.data:
        name = open_images(data).name
        for way in given.ways:
            there = [row for row in rows if (row["data"], row["way"]) == (name, way)]
            if there and not given.again:
                continue
            tell(f"{name}: {way} ...")
            row = _measured(data, name, way, given)
            rows = [one for one in rows if one not in there] + [row]
            write_table(TABLE, rows)
    if given.page:
        replace_between_marks(given.page, MARK, table(rows))


def _measured(data: str, name: str, way: str, given: argparse.Namespace) -> Row:
    with tempfile.TemporaryDirectory(prefix="choosing-") as folder:
        started = time.perf_counter()
        found = WAYS[way](data, Path(folder), given)
        seconds = time.perf_counter() - started
    return {"data": name, "way": way, "largest": given.largest or "", **found, "seconds": number(seconds, 0)}


def _choose(data: str, folder: Path, given: argparse.Namespace) -> Row:
    choice = choose(
        data,
        minutes=given.minutes,
        bases=_bases(given),
        cache=folder / "cache",
        runs=folder / "runs",
    )
    return _row(choice.to_json()["chosen"], tried=len(choice.tried))


def _exhaustive(data: str, folder: Path, given: argparse.Namespace) -> Row:
    images = Images(data=data, cache=str(folder / "cache"))
    fits: list[Fit] = []
    for base in _bases(given):
        for size in base.sizes:
            contender = Contender(base, size)
            tell(f"  {contender}")
            found = extracted(contender, images, None)
            for position in range(len(found.entries)):
                here = fit_heads(found, position, preset("quick"), seed=0)
                fits += [one for one in here if one.result.score is not None]
    best = min(fits, key=lambda one: one.rank)
    chosen = {
        "backbone": best.found.contender.base.backbone,
        "image_size": best.found.contender.image_size,
        "layer": best.layer,
        "head": best.result.candidate.label,
        "val_accuracy": best.result.score,
    }
    return _row(chosen, tried=len(fits))


def _bases(given: argparse.Namespace) -> list[BaseAtHand]:
    bases = bases_at_hand(given.weights)
    if not given.largest:
        return bases
    small = [tuple(size for size in base.sizes if size <= given.largest) for base in bases]
    return [replace(base, sizes=sizes or base.sizes[:1]) for base, sizes in zip(bases, small, strict=True)]


def _row(chosen: Mapping[str, Any], *, tried: int) -> Row:
    base = Path(chosen["backbone"]).name
    return {
        **chosen,
        "backbone": base,
        "val_accuracy": number(chosen["val_accuracy"], 4),
        "tried": tried,
    }


WAYS: dict[str, Callable[[str, Path, argparse.Namespace], Row]] = {
    "choose": _choose,
    "exhaustive": _exhaustive,
}


def summary(results: Path) -> str:
    """Returns the table of the page, or that there is none yet."""
    rows = read_table(results)
    return table(rows) if rows else "not measured yet"


def table(rows: Sequence[Row]) -> str:
    """Returns the table of the page: what each way found, on val, and what it took."""
    columns = ("data", "way", "sizes", "base", "size", "cut", "head", "val accuracy", "trials", "seconds")
    names = (
        "data",
        "way",
        "sizes",
        "backbone",
        "image_size",
        "layer",
        "head",
        "val_accuracy",
        "tried",
        "seconds",
    )
    in_order = sorted(rows, key=lambda row: (str(row["data"]), str(row["way"])))
    said = [{**row, "sizes": f"up to {row['largest']}" if row["largest"] else "usual"} for row in in_order]
    return markdown(columns, [[str(row[name]) for name in names] for row in said])


if __name__ == "__main__":
    main()
