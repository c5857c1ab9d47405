"""Figures out."""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipeline.cache import FeatureSet
from pipeline.cache.features import Selection
from pipeline.cli import completion
from pipeline.cli.options import (
    StoredFeatures,
    json_option,
    print_files,
    print_json,
    runs_option,
    seed_option,
    stored_features,
    told_changes,
)
from pipeline.errors import UsageError
from pipeline.images import SPLITS
from pipeline.images.targets import CLASS, LABELS, NUMBER
from pipeline.progress import say

if TYPE_CHECKING:
    from pipeline.evaluation import Report
    from pipeline.evaluation.comparison import Comparison
    from pipeline.evaluation.head_report import HeadReport
    from pipeline.evaluation.targets import TargetReport

ALL = "all"
_NOT_CALIBRATED = {
    LABELS: (
        "{} has several labels an image, and --calibrate is for one class an image: leave it out. "
        "`calibration_error` of each label in --json says how far its probabilities are off"
    ),
    NUMBER: (
        "{} has numbers, and --calibrate is for probabilities of one class an image: leave it out. "
        "`prediction_interval` in --json says how far true values may be from an answer"
    ),
}


@click.command()
@stored_features
@click.option(
    "--head",
    default="logreg",
    show_default=True,
    shell_complete=completion.head,
    help="See `pipeline heads`; all = compare every trained one.",
)
@click.option(
    "--split", type=click.Choice(SPLITS), default="test", show_default=True, help="Rows to measure on."
)
@click.option(
    "--calibrate/--no-calibrate",
    default=None,
    help="Fit a temperature on val and save it with the head; or take it away.",
    show_default="as the head is",
)
@click.option(
    "--page/--no-page", default=True, show_default=True, help="Write report.html, which takes seconds."
)
@click.option(
    "--cv",
    "folds",
    type=int,
    help="Cross-validate the head on the rows of all splits in so many folds instead.",
)
@click.option(
    "--repeats",
    type=click.IntRange(1),
    default=1,
    show_default=True,
    help="With --cv: how often to cut anew.",
)
@click.option(
    "--grid",
    "grids",
    multiple=True,
    metavar="OPTION=V1,V2",
    help="With --cv: values of an option that each fold chooses from; repeatable.",
    show_default="the trained head's own",
)
@click.option(
    "--log",
    "logs",
    multiple=True,
    shell_complete=completion.logger,
    help="Also log to tensorboard, mlflow or wandb; repeatable.",
)
@seed_option
@runs_option
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    features: StoredFeatures,
    head: str,
    split: str,
    calibrate: bool | None,
    page: bool,
    folds: int | None,
    repeats: int,
    grids: tuple[str, ...],
    logs: tuple[str, ...],
    seed: int,
    runs: Path,
    as_json: bool,
) -> None:
    """Measure a trained head on a split, with intervals and pictures.

    A temperature that --calibrate has fitted belongs to the head from then on: predict, serve and export
    answer with it, too. --cv is for small sets: no fold is measured on an image, a view or a group that it
    was trained on, and the options of --grid are chosen inside each fold. Several labels an image, and
    numbers, have figures of their own; --calibrate is for one class an image.

    \b
    pipeline evaluate --split test
    pipeline evaluate --data photos/ --head dense --split val
    pipeline evaluate --head all --split val
    pipeline evaluate --head dense --calibrate --log tensorboard
    pipeline evaluate --cv 10 --repeats 3 --grid C=0.001,0.01,0.1
    """
    if folds is not None:
        _refuse_beside_cv(ctx, head)
        _cross_validate(
            features, head, folds=folds, repeats=repeats, grids=grids, seed=seed, runs=runs, as_json=as_json
        )
        return
    if grids or repeats > 1 or seed:
        raise UsageError("--grid, --repeats and --seed belong to --cv: add `--cv 10`")
    from rich.console import Console

    from pipeline.evaluation.calibrating import calibrate_all, calibrate_head
    from pipeline.evaluation.comparison import head_folders
    from pipeline.evaluation.entry import check_entry, compare_entry, evaluate_entry, evaluate_target_entry
    from pipeline.evaluation.loggers import open_logger
    from pipeline.evaluation.tables import print_comparison, print_report, print_targets
    from pipeline.heads import load_head, run_folder

    loggers = [open_logger(name) for name in logs]  # a missing package is told before anything is measured
    chosen = features.selection()
    if split not in chosen.splits:
        raise _no_split(features, chosen, split, head)
    _refuse_unlabelled(chosen, split)
    changed = told_changes(chosen)
    folder = run_folder(runs, chosen.dataset, chosen.spec, head)
    of_classes = chosen.open(split).target == CLASS
    if calibrate is not None and not of_classes:
        raise UsageError(_NOT_CALIBRATED[chosen.open(split).target].format(chosen.dataset))
    val = _val(chosen, split) if calibrate else None
    leaks = check_entry(chosen)
    result: Comparison[Any] | Report | TargetReport
    reports: tuple[HeadReport, ...]
    show: Callable[..., None]
    files: Path | None = None
    if head == ALL:
        folders = head_folders(folder.parent)
        if calibrate is not None:
            calibrate_all(folders, val, leaks=leaks)
        comparison, written = compare_entry(folders, chosen, split, leaks=leaks, page=page)
        result, reports = comparison, comparison.reports
        show = partial(print_comparison, comparison)
    elif not of_classes:
        result = of_targets = evaluate_target_entry(load_head(folder), chosen, split, leaks=leaks, page=page)
        reports, show, files = (of_targets,), partial(print_targets, of_targets), of_targets.folder
        written = sorted(of_targets.folder.iterdir())
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


def _cross_validate(
    features: StoredFeatures,
    head: str,
    *,
    folds: int,
    repeats: int,
    grids: tuple[str, ...],
    seed: int,
    runs: Path,
    as_json: bool,
) -> None:
    from rich.console import Console

    from pipeline.cache.whole_set import whole_set
    from pipeline.heads import run_folder
    from pipeline.sweeps import candidates, parse_grid
    from pipeline.sweeps.cross_validation import cross_validate, trained_options
    from pipeline.sweeps.cross_validation_files import (
        count_looks,
        print_cross_validation,
        write_cross_validation,
    )

    chosen = features.selection()
    folder = run_folder(runs, chosen.dataset, chosen.spec, head)
    grid = candidates([(head, dict(map(parse_grid, grids)))]) if grids else [trained_options(head, folder)]
    if not grids and grid[0].options:
        say(f"note: options of the trained head, {grid[0].label}: --grid chooses them inside each fold")
    _refuse_unlabelled(chosen, chosen.splits[0])
    changed = told_changes(chosen)
    splits = [chosen.open(split) for split in chosen.splits]
    result = cross_validate(grid, whole_set(splits), folds=folds, repeats=repeats, seed=seed)
    count_looks(result, splits, folder.parent)
    written = write_cross_validation(result, folder.parent)
    if as_json:
        for note in result.notes:
            say(f"note: {note}")
        print_json(result.to_json() | {"folder": str(written)} | changed)
        return
    print_cross_validation(result, console=Console(file=sys.stdout))
    print_files(written)


def _refuse_beside_cv(ctx: click.Context, head: str) -> None:
    """Refuses what has no meaning beside ``--cv``, rather than passing it over."""
    given = click.core.ParameterSource.COMMANDLINE
    others = {"split": "--split", "calibrate": "--calibrate", "page": "--page", "logs": "--log"}
    for name, flag in others.items():
        if ctx.get_parameter_source(name) == given:
            raise UsageError(f"--cv measures the rows of all splits by itself: leave {flag} out")
    if head == ALL:
        raise UsageError("--cv measures one head at a time: name it, for example `--cv 10 --head logreg`")


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


def _refuse_unlabelled(chosen: Selection, split: str) -> None:
    """Refuses a data set without classes, of which no head can have been trained."""
    if not chosen.open(split).classes:
        raise UsageError(
            f"{chosen.dataset} has no labels, and figures need the truth: `pipeline next > next.csv`, with "
            "the options of this data set, lists its images, those to label first on top: fill in labels, "
            "and run `pipeline extract --data next.csv`, `pipeline train-head --data next.csv` and this "
            "command"
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
