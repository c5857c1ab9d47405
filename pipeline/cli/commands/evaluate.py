"""Figures out."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipeline.cache import FeatureSet
from pipeline.cache.features import Selection
from pipeline.cli.options import (
    StoredFeatures,
    json_option,
    print_json,
    runs_option,
    stored_features,
    told_changes,
)
from pipeline.errors import UsageError
from pipeline.images import SPLITS
from pipeline.progress import say

if TYPE_CHECKING:
    from pipeline.evaluation import Report
    from pipeline.evaluation.comparison import Comparison

ALL = "all"


@click.command()
@stored_features
@click.option(
    "--head",
    default="logreg",
    show_default=True,
    help="See `pipeline heads`; all = compare every trained one.",
)
@click.option(
    "--split", type=click.Choice(SPLITS), default="test", show_default=True, help="Rows to measure on."
)
@click.option(
    "--calibrate/--no-calibrate",
    default=None,
    help="Fit a temperature on val and save it with the head; or take it away. [as the head is]",
)
@click.option("--page/--no-page", default=True, help="Write report.html, which takes seconds. [page]")
@click.option("--log", "logs", multiple=True, help="Also log to tensorboard or mlflow; repeatable.")
@runs_option
@json_option
def command(
    features: StoredFeatures,
    head: str,
    split: str,
    calibrate: bool | None,
    page: bool,
    logs: tuple[str, ...],
    runs: Path,
    as_json: bool,
) -> None:
    """Measure a trained head on a split, with intervals and pictures.

    A temperature that --calibrate has fitted belongs to the head from then on: predict, serve and export
    answer with it, too.

    \b
    pipeline evaluate --split test
    pipeline evaluate --data photos/ --head dense --split val
    pipeline evaluate --head all --split val
    pipeline evaluate --head dense --calibrate --log tensorboard
    """
    from rich.console import Console

    from pipeline.evaluation.calibrating import calibrate_all, calibrate_head
    from pipeline.evaluation.comparison import compare_heads, head_folders
    from pipeline.evaluation.entry import check_entry, evaluate_entry, write_with_page
    from pipeline.evaluation.files import PAGE
    from pipeline.evaluation.loggers import open_logger
    from pipeline.evaluation.tables import print_comparison, print_report
    from pipeline.heads import load_head, run_folder

    loggers = [open_logger(name) for name in logs]  # a missing package is told before anything is measured
    chosen = features.selection()
    if split not in chosen.splits:
        raise _no_split(features, chosen, split, head)
    changed = told_changes(chosen)
    folder = run_folder(runs, chosen.dataset, chosen.spec, head)
    val = _val(chosen, split) if calibrate else None
    leaks = check_entry(chosen)
    result: Comparison | Report
    files: Path | None = None
    if head == ALL:
        rows, folders = chosen.open(split), head_folders(folder.parent)
        if calibrate is not None:
            calibrate_all(folders, val, leaks=leaks)
        result = comparison = compare_heads(folders, rows, leaks=leaks)
        reports, show = comparison.reports, partial(print_comparison, comparison)
        written = sorted(comparison.write().iterdir())
        if page:
            best = load_head(comparison.best.folder.parent)
            written.append(write_with_page(comparison.best, best, chosen, comparison=comparison) / PAGE)
    else:
        trained = load_head(folder)
        if calibrate is not None:
            trained = calibrate_head(trained, val, leaks=leaks)
        result = report = evaluate_entry(trained, chosen, split, leaks=leaks, page=page)
        reports, show, files = (report,), partial(print_report, report), report.folder
        written = sorted(report.folder.iterdir())
    places = [log(report, runs=runs, files=files) for log in loggers for report in reports]
    if as_json:
        for note in result.notes:
            say(f"note: {note}")
        print_json(result.to_json() | changed)
    else:
        show(console=Console(file=sys.stdout))
        for path in written:
            click.echo(f"  {path}")
    for place in dict.fromkeys(places):
        say(f"logged: {place}")


def _no_split(features: StoredFeatures, chosen: Selection, split: str, head: str) -> UsageError:
    there = chosen.splits
    if not there:
        return UsageError(f"the features of {chosen.dataset} have no split in common: run `pipeline extract`")
    more = [] if head == "logreg" else ["--head", head]
    other = features.command("evaluate", "--split", "val" if "val" in there else there[-1], *more)
    return UsageError(
        f"the features of {chosen.dataset} have no {split} split, only {' and '.join(there)}: measure on "
        f"another with `{other}`, or run `pipeline extract` on images that have one"
    )


def _val(chosen: Selection, split: str) -> FeatureSet:
    if split == "val":
        raise UsageError(
            "`--calibrate` fits a temperature on val, so figures on val would flatter it: "
            "choose `--split test`, or leave `--calibrate` out"
        )
    if "val" not in chosen.splits:
        raise UsageError(
            f"`--calibrate` fits a temperature on val, and {chosen.dataset} has no val split: leave it out, "
            "or run `pipeline extract` on a source with a val split"
        )
    return chosen.open("val")
