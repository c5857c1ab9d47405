"""Figures out."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from pipeline.cli.options import (
    StoredFeatures,
    head_option,
    json_option,
    print_json,
    runs_option,
    stored_features,
)
from pipeline.images import SPLITS
from pipeline.progress import say


@click.command()
@stored_features
@head_option
@click.option(
    "--split", type=click.Choice(SPLITS), default="test", show_default=True, help="Rows to measure on."
)
@runs_option
@json_option
def command(features: StoredFeatures, head: str, split: str, runs: Path, as_json: bool) -> None:
    """Measure a trained head on a split, with intervals and pictures.

    \b
    pipeline evaluate --split test
    pipeline evaluate --data photos/ --head dense --split val
    """
    from rich.console import Console

    from pipeline.evaluation import evaluate
    from pipeline.evaluation.tables import print_report
    from pipeline.heads import load_head, run_folder

    chosen = features.selection()
    trained = load_head(run_folder(runs, chosen.dataset, chosen.spec, head))
    report = evaluate(trained, chosen.open(split))
    folder = report.write()
    if as_json:
        for note in report.notes:
            say(f"note: {note}")
        print_json(report.to_json())
    else:
        print_report(report, console=Console(file=sys.stdout))
        for path in sorted(folder.iterdir()):
            click.echo(f"  {path}")
