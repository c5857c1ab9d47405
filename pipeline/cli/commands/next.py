"""Images to label next."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipeline.cli.options import (
    StoredFeatures,
    head_option,
    json_option,
    print_json,
    runs_option,
    seed_option,
    stored_features,
)
from pipeline.errors import UsageError
from pipeline.progress import say

if TYPE_CHECKING:
    from pipeline.cache.features import Selection
    from pipeline.evaluation.next_images import NextImages
    from pipeline.evaluation.source_table import TableForm


@click.command()
@stored_features
@head_option
@click.option("--n", "count", type=click.IntRange(1), default=50, show_default=True, help="How many images.")
@click.option(
    "--split",
    type=click.Choice(["train", "val", "test"]),
    default="train",
    show_default=True,
    help="Where to look for images without a label.",
)
@seed_option
@runs_option
@json_option
def command(
    features: StoredFeatures, head: str, count: int, split: str, seed: int, runs: Path, as_json: bool
) -> None:
    """Say which images without a label are best labelled next.

    They are those that the head is least sure of, and different from one another; where no two classes have
    labelled images yet, the most different ones. Where images have numbers, no head says how sure it is: they
    are those farthest from all that have one. Prints a table of the whole data set, these images first:
    put it into a file (`> next.csv`) and fill in their labels, and it is a source for `pipeline extract`,
    which computes nothing again.

    \b
    pipeline next --n 50 --data photos.csv
    pipeline next --n 50 --data photos.csv --json
    """
    from pipeline.evaluation.next_images import next_images
    from pipeline.evaluation.source_table import form_of
    from pipeline.evaluation.unsure import can_be_asked
    from pipeline.heads import load_head, run_folder
    from pipeline.images.targets import NUMBER
    from pipeline.wording import counted

    chosen = features.selection()
    rows = chosen.open(split)
    train = chosen.open("train")
    trained = load_head(run_folder(runs, chosen.dataset, chosen.spec, head)) if can_be_asked(train) else None
    found = next_images(rows, trained, count, train=train, seed=seed)
    total = counted(int(found.sizes.sum()), "unlabelled image")
    far = "the farthest from those with a number, since no head says how sure it is of one"
    how = "the most different" if found.values is None else far
    how = how if trained is None else f"those {head} is least sure of"
    kinds = f"there are {counted(len(found.sizes), 'kind')} of them"
    say(f"{len(found.rows):,} of {total} of {split}: {how}; {kinds}")
    if as_json:
        print_json({"head": None if trained is None else head, **found.to_json()})
    else:
        form = form_of([chosen.open(one) for one in chosen.splits], chosen.entries[0].source_options)
        click.echo(_table(chosen, found, form).encode("utf-8", "surrogateescape"), nl=False)
        noun = "number" if rows.target == NUMBER else "label"
        options = form.options and f" {form.options}"
        say(f"fill in their {noun}s and give the table to `pipeline extract --data TABLE{options}`")


def _table(chosen: Selection, found: NextImages, form: TableForm) -> str:
    """Returns all rows of a data set as the table source reads them, the images to label first.

    Raises:
        UsageError: The images are no files of this machine.
    """
    from pipeline.evaluation.source_table import unused
    from pipeline.images import open_images

    entry = chosen.entries[0]
    paths = {item.id: item.path for item in open_images(entry.source, entry.source_options).items()}
    if None in paths.values():
        raise UsageError(
            f"the images of {entry.source} are no files of their own, so a table cannot name them: "
            "`pipeline next --json` names them as the source does"
        )
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    path_name, split_name, group_name = form.meta
    more = [unused(name, form.columns) for name in (found.measure, "cluster", "guess")]
    table.writerow([path_name, *form.columns, split_name, group_name, *more])
    wanted = set(found.rows.tolist())
    gone = 0

    def write(split: str, row: int, known: tuple[object, ...] = ("", "", "")) -> None:
        nonlocal gone
        features = chosen.open(split)
        path = paths.get(features.rows.ids[row])
        if path is None:
            gone += 1
            return
        cells = form.cells(features, row)
        table.writerow([Path(path).resolve(), *cells, split, features.rows.groups[row], *known])

    for row, one in found.described():
        value = one[found.measure]
        told = "" if value is None else f"{value:.4f}"
        write(found.features.split, row, (told, one["cluster"], one["guess"] or ""))
    for split in chosen.splits:
        views = chosen.open(split).rows.views
        for row in range(len(views)):
            if views[row] == 0 and not (split == found.features.split and row in wanted):
                write(split, row)
    if gone:
        say(f"note: {gone:,} of the images are not in {entry.source} any more, and not in the table")
    return text.getvalue()
