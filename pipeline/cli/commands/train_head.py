"""Stage two."""

from __future__ import annotations

from pathlib import Path

import click

from pipeline.cli.options import (
    StoredFeatures,
    head_option,
    json_option,
    print_json,
    runs_option,
    seed_option,
    settings_option,
    stored_features,
    told_changes,
)
from pipeline.wording import counted


@click.command(name="train-head")
@stored_features
@head_option
@settings_option
@seed_option
@runs_option
@json_option
def command(
    features: StoredFeatures, head: str, settings: tuple[str, ...], seed: int, runs: Path, as_json: bool
) -> None:
    """Stage two: train a head on cached features.

    The stage options pick one of the entries that `pipeline extract` made.

    \b
    pipeline train-head --head logreg
    pipeline train-head --head dense --set epochs=20 --set dropout=0.3
    pipeline train-head --data photos/ --layer block3_pool --layer block5_pool --head logreg
    """
    from pipeline.heads import train_head
    from pipeline.options import split_settings

    chosen = features.selection()
    changed = told_changes(chosen)
    train = chosen.open("train")
    valid = chosen.open("val") if "val" in chosen.splits else None
    trained = train_head(head, train, valid, options=split_settings(settings, "--set"), seed=seed, runs=runs)
    if as_json:
        print_json(trained.to_json() | trained.balance_to_json() | changed)
    else:
        click.echo(
            f"{trained.name}: {counted(trained.train_rows, 'row')} in {trained.seconds:.1f} s, "
            f"{trained.val_line}"
        )
        click.echo(f"  {trained.folder}")
