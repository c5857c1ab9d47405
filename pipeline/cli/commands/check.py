"""Images that stand in two splits."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

import click

from pipeline.cli.options import (
    StoredFeatures,
    json_option,
    print_files,
    print_json,
    runs_option,
    stored_features,
    told_changes,
)
from pipeline.errors import CacheMismatchError, UsageError
from pipeline.progress import harmless, say


@click.command()
@stored_features
@click.option(
    "--most-bits",
    type=click.IntRange(0, 256),
    help="Largest distance between the hashes of two copies, of 256 bits.",
    show_default="20",
)
@click.option(
    "--least-cosine",
    type=click.FloatRange(-1, 1),
    help="Smallest similarity of features that is worth a look.",
    show_default="0.75",
)
@click.option(
    "--fail-on-leak",
    is_flag=True,
    help=f"Exit with {CacheMismatchError.exit_code} where a leak is found; pictures to look at are none.",
)
@click.option(
    "--labels", "labels", is_flag=True, help="Look for likely label errors and odd images instead of leaks."
)
@runs_option
@json_option
def command(
    features: StoredFeatures,
    most_bits: int | None,
    least_cosine: float | None,
    fail_on_leak: bool,
    labels: bool,
    runs: Path,
    as_json: bool,
) -> None:
    """Look for test images that training has seen: copied, re-encoded, resized, turned, of the same group.

    All splits of an entry are compared. Copies are found by their pictures where the images can still be
    read, in all eight orientations; everything else by what the cache holds, names that tell of copies among
    it. Cut-outs and other angles are not looked for. Trained heads of the entry are asked for the val and
    test images that they have seen: splits may have changed since.

    --labels asks heads that have not seen an image whether its label can be right, ranks the doubtful ones,
    and writes a page to look through them and relabel.csv, a table that `pipeline extract` reads back. Of
    several labels an image each is asked about by itself; numbers are doubtful far from every answer.

    \b
    pipeline check
    pipeline check --data photos/ --backbone mobilenet_v2 --fail-on-leak
    pipeline check --labels --data photos/
    """
    if labels:
        if fail_on_leak or most_bits is not None or least_cosine is not None:
            raise UsageError(
                "--labels looks for no leaks: leave --fail-on-leak, --most-bits and --least-cosine out"
            )
        _check_labels(features, runs=runs, as_json=as_json)
        return
    from rich.console import Console

    from pipeline.evaluation.leaks import LEAST_COSINE, MOST_BITS, find_leaks
    from pipeline.evaluation.leaks.findings import print_leaks
    from pipeline.evaluation.leaks.heads import find_seen
    from pipeline.heads import run_folder
    from pipeline.images import open_images

    chosen = features.selection()
    changed = told_changes(chosen)
    splits = chosen.splits
    if len(splits) < 2:
        only = f"only the split {splits[0]}" if splits else "no split in common"
        raise UsageError(
            f"the features of {chosen.dataset} have {only}: a leak takes two splits. "
            "Run `pipeline extract` on a source that has more"
        )
    opened, entry = {split: chosen.open(split) for split in splits}, chosen.entries[0]
    leaks = find_leaks(
        opened,
        images=partial(open_images, entry.source, entry.source_options),
        most_bits=MOST_BITS if most_bits is None else most_bits,
        least_cosine=LEAST_COSINE if least_cosine is None else least_cosine,
    )
    heads = find_seen(run_folder(runs, chosen.dataset, chosen.spec, "any").parent, opened)
    if as_json:
        for note in (*leaks.notes, *heads.notes, *(one.line for one in heads.found)):
            say(f"note: {note}")
        print_json({"dataset": chosen.dataset, **leaks.to_json(), "heads": heads.to_json(), **changed})
    else:
        print_leaks(leaks, console=Console(file=sys.stdout))
        for line in (*heads.notes, *(f"LEAK: {one.line}" for one in heads.found)):
            click.echo(harmless(line))
    if fail_on_leak and (leaks.certain or heads.found):
        click.get_current_context().exit(CacheMismatchError.exit_code)


def _check_labels(features: StoredFeatures, *, runs: Path, as_json: bool) -> None:
    from rich.console import Console

    from pipeline.evaluation.entry import images_of
    from pipeline.evaluation.labels import check_labels
    from pipeline.evaluation.labels.files import print_label_check, write_label_check
    from pipeline.heads import run_folder

    chosen = features.selection()
    changed = told_changes(chosen)
    entry = run_folder(runs, chosen.dataset, chosen.spec, "any").parent
    check = check_labels([chosen.open(split) for split in chosen.splits])
    check, folder = write_label_check(
        check, images_of(chosen), entry, options=chosen.entries[0].source_options
    )
    if as_json:
        for note in check.notes:
            say(f"note: {note}")
        print_json(check.to_json() | {"folder": str(folder)} | changed)
        return
    print_label_check(check, console=Console(file=sys.stdout))
    print_files(folder)
