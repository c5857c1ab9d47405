"""What more images would bring."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from pipeline.cli.options import (
    StoredFeatures,
    head_option,
    json_option,
    print_files,
    print_json,
    runs_option,
    seed_option,
    settings_option,
    stored_features,
    told_changes,
)
from pipeline.errors import UsageError


@click.command(name="learning-curve")
@stored_features
@head_option
@settings_option
@click.option(
    "--split",
    type=click.Choice(("val", "test")),
    help="Rows to measure on.",
    show_default="val where there is one",
)
@click.option("--draws", type=click.IntRange(2), default=6, show_default=True, help="Orders of the rows.")
@seed_option
@runs_option
@json_option
def command(
    features: StoredFeatures,
    head: str,
    settings: tuple[str, ...],
    split: str | None,
    draws: int,
    seed: int,
    runs: Path,
    as_json: bool,
) -> None:
    """Say what more images would bring, overall and for each class.

    A head learns from 20 training rows, from more, and from all, several times over; a power law through the
    accuracies says what twice as many would bring, with a band. Features are averaged over their positions.
    Of several labels an image it is the mean average precision, of numbers R2.

    \b
    pipeline learning-curve
    pipeline learning-curve --data photos/ --head logreg --set C=0.001
    """
    from rich.console import Console

    from pipeline.evaluation.learning_curve import learning_curve
    from pipeline.evaluation.learning_curve.files import print_learning_curve, write_learning_curve
    from pipeline.heads import run_folder
    from pipeline.options import split_settings

    chosen = features.selection()
    there = [name for name in ("val", "test") if name in chosen.splits]
    if "train" not in chosen.splits or not there or (split and split not in there):
        raise UsageError(
            f"a learning curve takes a train split, and {split or 'val or test'} to measure on; "
            f"{chosen.dataset} has {' and '.join(chosen.splits) or 'none'}: `pipeline extract` on a source "
            "that has more"
        )
    changed = told_changes(chosen)
    curve = learning_curve(
        chosen.open("train"),
        chosen.open(split or there[0]),
        head=head,
        options=split_settings(settings, "--set"),
        draws=draws,
        seed=seed,
    )
    folder = write_learning_curve(curve, run_folder(runs, chosen.dataset, chosen.spec, head).parent)
    if as_json:
        print_json(curve.to_json() | {"folder": str(folder)} | changed)
        return
    print_learning_curve(curve, console=Console(file=sys.stdout))
    print_files(folder)
