"""Stage one."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from pipeline.cli.options import (
    DEFAULT_DATA,
    data_options,
    executor_options,
    executor_settings,
    feature_options,
    feature_request,
    json_option,
    print_json,
    reading_options,
    source_options,
)
from pipeline.cli.parameters import parse_batch_size
from pipeline.errors import UnreadableImagesError
from pipeline.extraction.augment import Augmentation
from pipeline.extraction.report import Extraction, extractions_to_json
from pipeline.extraction.timing import describe_timings
from pipeline.options import split_settings
from pipeline.progress import say
from pipeline.wording import counted, verb

SHOWN = 20


@click.command()
@data_options
@reading_options
@feature_options
@click.option("--batch-size", default="auto", show_default=True, help="Images in a forward pass.")
@click.option("--remeasure", is_flag=True, help="Forget which engine and batch were fastest here.")
@click.option(
    "--rows-per-file",
    type=click.IntRange(1),
    help="Most rows of a feature file.",
    show_default="as before, else 1,048,576",
)
@executor_options
@click.option("--skip-bad", is_flag=True, help="Publish without the images that cannot be read.")
@json_option
def command(
    data: str | None,
    name: str | None,
    cache: Path,
    batch_size: str,
    remeasure: bool,
    augment: tuple[str, ...],
    rows_per_file: int | None,
    executor: str,
    skip_bad: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Stage one: run the frozen base once over every image and cache the features.

    A second run computes only what is new. An interrupted run continues where it stopped.

    \b
    pipeline extract
    pipeline extract --data photos/ --backbone mobilenet_v2 --image-size 224
    pipeline extract --data photos/ --layer block3_pool:avg --layer block5_pool
    pipeline extract --data photos/ --views 4 --augment rotation=20 --augment flip=false
    pipeline extract --data photos/ --engine openvino --precision int8
    pipeline extract --data photos/ --executor ray --address auto --workers 8
    """
    from pipeline.extraction import extract, make_executor

    augmentation = Augmentation.from_options(split_settings(augment, "--augment"))
    chosen = make_executor(executor, executor_settings(options))
    reading = source_options(options)
    request = feature_request(
        options,
        batch_size=parse_batch_size(batch_size),
        remeasure=remeasure,
        augmentation=augmentation,
    )
    reports = extract(
        DEFAULT_DATA if data is None else data,
        request,
        cache=cache,
        name=name,
        skip_bad=skip_bad,
        rows_per_file=rows_per_file,
        executor=chosen,
        source_options=reading,
    )
    if as_json:
        print_json(extractions_to_json(reports))
    else:
        for report in reports:
            _print(report)
    _list_failures(reports[0])


def _print(report: Extraction) -> None:
    click.echo(f"{report.entry.folder}")
    for name, split in report.splits.items():
        rate = f", {split.computed / split.seconds:.1f} images/s" if split.computed and split.seconds else ""
        state = "  NOT PUBLISHED" if name in report.unfinished else ""
        failed = f", {split.failed:,} failed" if split.failed else ""
        done = f"{split.computed:,} computed, {split.reused:,} reused{failed}"
        click.echo(f"  {name:5} {counted(split.rows, 'row'):>14}: {done}{rate}{state}")
    if report.computed:
        click.echo(f"  time  {describe_timings(report.timings)}")
    if report.bound:
        click.echo(f"  speed {report.bound}")


def _list_failures(report: Extraction) -> None:
    for failure in (report.skipped + report.failures)[:SHOWN]:
        say(f"unreadable: {failure.id!r}: {failure.reason}")
    hidden = len(report.skipped + report.failures) - SHOWN
    if hidden > 0:
        say(f"... and {hidden:,} more (all of them with --json)")
    if report.skipped:
        say(f"published without {counted(len(report.skipped), 'unreadable image')}, which the file records")
    if report.failures:
        raise UnreadableImagesError(
            f"{counted(len(report.failures), 'image')} could not be read, so "
            f"{', '.join(report.unfinished)} {verb(report.unfinished)} not published; "
            "all other rows are finished and kept. Mend or remove them and run again, or add --skip-bad"
        )
