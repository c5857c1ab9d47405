"""What stands in the cache."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from pipeline import registry
from pipeline.cache.exchange import formats
from pipeline.cli import Group
from pipeline.cli.options import (
    StoredFeatures,
    cache_option,
    column_options,
    entry_option,
    json_option,
    no_entry,
    print_json,
    source_options,
    stored_features,
    target_options,
)
from pipeline.cli.parameters import PATH
from pipeline.errors import CacheMismatchError, PipelineError, UsageError
from pipeline.extraction.request import STORES
from pipeline.images import SPLITS
from pipeline.progress import say
from pipeline.spec import IMPORTED
from pipeline.wording import counted, verb

if TYPE_CHECKING:
    from pipeline.cache.inspection import Freed


@click.group(cls=Group)
def command() -> None:
    """List, show, verify, export, import and remove cached features."""


@command.command()
@cache_option
@json_option
def ls(cache: Path, as_json: bool) -> None:
    """List the entries of a cache, each with the options that tell it from others of the same images.

    \b
    pipeline cache ls
    """
    from pipeline.cache.inspection import summaries

    found = summaries(cache)
    if as_json:
        print_json({"entries": found})
        return
    for item in found:
        counts = {split: "?" if count is None else f"{count:,}" for split, count in item["rows"].items()}
        rows = ", ".join(f"{split} {count}" for split, count in counts.items()) or "nothing published"
        apart = shlex.join(item["told_apart_by"])
        click.echo(f"{item['entry']}  {rows}  {item['bytes'] / 1e6:,.1f} MB{apart and '  '}{apart}")
        for left in item["left_alone"]:
            say(f"{left['file']} {left['reason']}")
    if not found:
        click.echo(f"{cache} holds no features: run `pipeline extract`")


@command.command()
@stored_features
@json_option
def show(features: StoredFeatures, as_json: bool) -> None:
    """Show one entry: its spec and what each split holds.

    \b
    pipeline cache show --data photos/
    """
    from pipeline.cache.inspection import describe

    described = describe(features.entry())
    if as_json:
        print_json(described)
    else:
        click.echo(json.dumps(described, indent=2))


@command.command()
@cache_option
@entry_option
@json_option
def verify(cache: Path, entries: tuple[str, ...], as_json: bool) -> None:
    """Check every file and every row of a cache, or of some entries, against its checksum.

    \b
    pipeline cache verify
    pipeline cache verify --entry photos/vgg16-150-block5_pool-7caad1c1
    """
    from pipeline.cache.inspection import verify_cache

    findings = verify_cache(cache, entries)
    if entries and not findings:
        raise no_entry(entries, cache)
    bad = [finding for finding in findings if finding["problem"] or finding["bad_rows"]]
    unread = [finding for finding in findings if finding["unreadable"]]
    if as_json:
        left = [{"file": finding["file"], "reason": finding["unreadable"]} for finding in unread]
        print_json({"files": findings, "bad": len(bad), "left_alone": left})
    else:
        for finding in findings:
            _print_finding(finding)
    if bad:
        raise CacheMismatchError(
            f"{len(bad):,} of {counted(len(findings), 'file')} {verb(bad)} damaged: "
            "run the `pipeline extract` that made them to repair them"
        )
    if unread:
        raise PipelineError(
            f"{len(unread):,} of {counted(len(findings), 'file')} cannot be read now: see to their "
            "permissions, the disk or the memory, and verify again"
        )


def _print_finding(finding: dict[str, Any]) -> None:
    if finding["problem"]:
        click.echo(f"BAD  {finding['file']}: {finding['problem']}")
        return
    if finding["unreadable"]:
        click.echo(f"?    {finding['file']}: {finding['unreadable']}")
        return
    state = "BAD " if finding["bad_rows"] else "ok  "
    click.echo(f"{state} {finding['file']}: {counted(finding['rows'], 'row')}")
    for row in finding["bad_rows"]:
        click.echo(f"       row {row['row']}: {row['id']!r}")


def _format_option(help: str, *, ends: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    return click.option(
        "--format",
        "form",
        type=click.Choice(registry.names(formats)),
        help=help,
        show_default=f"as {ends} ends",
    )


@command.command()
@stored_features
@click.option("--out", type=PATH, required=True, help="The file; its ending says the format.")
@_format_option("What it is written as.", ends="--out")
@click.option(
    "--split",
    "splits",
    multiple=True,
    type=click.Choice(SPLITS),
    help="Rows to write; repeatable.",
    show_default="all",
)
@click.option("--force", is_flag=True, help="Replace what stands there.")
@json_option
def export(
    features: StoredFeatures, out: Path, form: str | None, splits: tuple[str, ...], force: bool, as_json: bool
) -> None:
    """Write features with names, splits, labels and groups as a file for other programs.

    Views of training images are rows of their own, told by the column "view".

    \b
    pipeline cache export --out features.parquet
    pipeline cache export --data photos/ --split train --split val --out photos.npz
    """
    from pipeline.cache.exchange.exporting import export_features

    chosen = features.selection()
    wanted = [split for split in chosen.splits if not splits or split in splits]
    if missing := [split for split in splits if split not in wanted]:
        raise UsageError(
            f"no features of split {', '.join(missing)} in {chosen.entries[0].folder}: choose from "
            f"{', '.join(chosen.splits) or 'none, run `pipeline extract` first'}"
        )
    written = export_features([chosen.open(one) for one in wanted], out, format=form, force=force)
    if as_json:
        print_json(written.to_json())
        return
    click.echo(f"{counted(written.rows, 'row')} of {counted(written.width, 'feature')}")
    for file in written.files:
        click.echo(f"  {file}")


@command.command(name="import")
@click.argument("file", type=PATH)
@click.option("--name", help="Name of the data set in the cache.", show_default="that of the file")
@cache_option
@click.option("--backbone", default=IMPORTED, show_default=True, help="What made the features, in a word.")
@click.option(
    "--features-column", default="", help="What the features are called.", show_default="the only ones"
)
@_format_option("What it is.", ends="FILE")
@click.option(
    "--store",
    type=click.Choice(STORES),
    help="dtype on disk.",
    show_default="as in the file, float32 at most",
)
@column_options
@target_options
@json_option
def import_(
    file: Path,
    name: str | None,
    cache: Path,
    backbone: str,
    features_column: str,
    form: str | None,
    store: str | None,
    as_json: bool,
    **columns: Any,
) -> None:
    """Take features that another program has made into the cache, for heads to be trained on.

    FILE is what `pipeline cache export` writes, or one like it: a .parquet with a column of lists of
    numbers or with numbered columns, a .npz with an array (n, d), a .npy beside a .csv of the same name, or a
    .csv with numbered columns. Other columns mean what they mean in tables of images; several labels and
    numbers of an export are read back as they were.

    \b
    pipeline cache import clip.parquet --name photos --backbone clip-vit-b32
    pipeline cache import embeddings.npz --features-column dino --label-column class
    pipeline cache import clip.parquet --target number --label-column weight
    """
    from pipeline.extraction.importing import import_features
    from pipeline.extraction.report import extractions_to_json

    report = import_features(
        file,
        cache=cache,
        name=name,
        backbone=backbone,
        features_column=features_column,
        format=form,
        store=store,
        columns=source_options(columns),
    )
    if as_json:
        print_json(extractions_to_json([report]))
        return
    click.echo(f"{report.entry.folder}")
    for split, done in report.splits.items():
        click.echo(f"  {split:5} {counted(done.rows, 'row'):>14}: {done.computed:,} new")


@command.command()
@stored_features
@click.option("--yes", is_flag=True, help="Do not ask.")
@json_option
def rm(features: StoredFeatures, yes: bool, as_json: bool) -> None:
    """Remove one entry; its features would have to be computed again.

    \b
    pipeline cache rm --data photos/ --backbone vgg19
    """
    from pipeline.cache.inspection import remove

    entry = features.entry()
    if not yes:
        held = ", ".join(entry.splits) or "nothing published"
        click.confirm(f"Remove {entry.folder} with {held}?", abort=True, err=True)
    freed = remove(entry)
    _tell(freed, {"entry": str(entry.folder)} if as_json else None)


@command.command()
@cache_option
@json_option
def gc(cache: Path, as_json: bool) -> None:
    """Remove what is kept in reserve: replaced files with rows that no newer file has, unused networks.

    \b
    pipeline cache gc
    """
    from pipeline.cache.inspection import remove_retired

    _tell(remove_retired(cache), {} if as_json else None)


def _tell(freed: Freed, described: dict[str, Any] | None) -> None:
    for one in freed.left:
        say(str(one))
    if described is None:
        click.echo(f"freed {freed.bytes / 1e6:,.1f} MB")
    else:
        left = [one.to_json() for one in freed.left]
        print_json({**described, "freed": freed.bytes, "left_alone": left})
