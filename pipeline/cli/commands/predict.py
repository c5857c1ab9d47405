"""Answers for new images."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click
from click.core import ParameterSource

from pipeline.cli.options import (
    StoredFeatures,
    coverage_options,
    head_option,
    json_option,
    print_json,
    runs_option,
    stored_features,
)
from pipeline.cli.parameters import PATH, PATH_OR_NAME, parse_batch_size
from pipeline.cli.unreadable import refuse_unreadable
from pipeline.errors import UsageError
from pipeline.images.targets import CLASS, described
from pipeline.progress import say
from pipeline.wording import counted

if TYPE_CHECKING:
    from pipeline.serving.answered import AnsweredImages

NAME_WIDTH = 60


@click.command()
@click.argument("images", nargs=-1, required=True, type=PATH_OR_NAME)
@stored_features
@head_option
@click.option("--batch-size", default="auto", show_default=True, help="Images in a forward pass.")
@click.option(
    "--top", type=click.IntRange(1), default=5, show_default=True, help="Classes to name for each image."
)
@coverage_options
@click.option(
    "--evidence",
    type=PATH,
    metavar="FOLDER",
    help="Draw there what in each image spoke for its first class, each of its labels, or its numbers.",
)
@click.option("--csv", "as_csv", is_flag=True, help="Print CSV on stdout, as predictions.csv has it.")
@runs_option
@json_option
@click.pass_context
def command(
    context: click.Context,
    images: tuple[str, ...],
    features: StoredFeatures,
    head: str,
    batch_size: str,
    top: int,
    coverage: float | None,
    per_class: bool,
    evidence: Path | None,
    as_csv: bool,
    runs: Path,
    as_json: bool,
) -> None:
    """Say what is in new images: files, or folders with all that is below them.

    One table, .npz file, set of tar shards or remote folder does as well; a table needs no labels.
    The stage options pick the features that the head was trained on; new images are decoded and computed the
    same way. --weights FILE names the filters of the base where the file they were read from has moved.
    Images unlike anything the head was trained on are marked; a new class that looks like a known one is not.

    \b
    pipeline predict holiday.jpg
    pipeline predict inbox/ more/cat.png --data photos/ --head dense --top 3
    pipeline predict inbox/ --data photos/ --csv
    pipeline predict inbox.csv --data photos/
    pipeline predict inbox/ --data photos/ --coverage 0.95 --evidence out/
    """
    if as_csv and as_json:
        raise UsageError("--csv and --json are two forms of one answer: choose one")
    from pipeline.heads import load_head, run_folder
    from pipeline.images.given import open_or_gather
    from pipeline.serving import Predictor, sets_of

    size = parse_batch_size(batch_size)
    chosen = features.selection()
    trained = load_head(run_folder(runs, chosen.dataset, chosen.spec, head))
    source = open_or_gather(images)
    if trained.task.target != CLASS and context.get_parameter_source("top") is ParameterSource.COMMANDLINE:
        raise UsageError(
            f"--top counts classes, and {trained.name!r} answers with {described(trained.task.target)}, all "
            "of which are told: leave it out"
        )
    sets = sets_of(chosen, trained, coverage, per_class=per_class)
    predictor = Predictor(chosen, trained, weights=features.options["weights"], sets=sets)
    if evidence is None:
        answers = predictor.predict(source, batch_size=size)
    else:
        from pipeline.serving.evidence_files import EvidenceFolder

        drawings = EvidenceFolder(evidence, trained, chosen.open("train"), source)
        answers = predictor.predict(source, batch_size=size, watch=drawings.draw)
        answers = replace(answers, evidence=drawings.files)
        say(f"{counted(drawings.count, 'picture')} of evidence in {evidence}")
    for note in answers.notes:
        say(f"note: {note}")
    if as_json:
        print_json(answers.to_json(top=top))
    elif as_csv:
        table = io.StringIO()
        answers.write_csv(table, top=top)
        click.echo(table.getvalue().encode("utf-8", "backslashreplace"), nl=False)
    else:
        _print(answers, top)
    refuse_unreadable(answers.failures, answered=len(answers.ids))


def _print(answers: AnsweredImages, top: int) -> None:
    """Prints a line an image: its name, and what the head says of it."""
    from rich.cells import cell_len, set_cell_size

    from pipeline.wording import readable

    names = [readable(name, NAME_WIDTH) for name in answers.ids]
    width = max(map(cell_len, names), default=0)
    for i, name in enumerate(names):
        click.echo(f"{set_cell_size(name, width)}  {answers.line(i, top=top)}")
