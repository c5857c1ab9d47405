"""Base and head as one model."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from pipeline import registry
from pipeline.cli.options import (
    StoredFeatures,
    head_option,
    json_option,
    print_json,
    runs_option,
    stored_features,
)
from pipeline.cli.parameters import PATH
from pipeline.errors import PipelineError
from pipeline.progress import say
from pipeline.serving import export
from pipeline.wording import counted

if TYPE_CHECKING:
    from pipeline.cache.features import Selection
    from pipeline.heads import TrainedHead
    from pipeline.serving.export import Exported, Sample

SHOWN_CLASSES = 10


@click.command()
@stored_features
@head_option
@click.option(
    "--format",
    "form",
    type=click.Choice(registry.names(export)),
    default="keras",
    show_default=True,
    help="What the model is written as.",
)
@click.option("--out", type=PATH, help="File or folder.", show_default="in the head's own folder")
@click.option(
    "--check",
    type=click.IntRange(0),
    default=16,
    show_default=True,
    help="Images to compare the written model with the head on.",
)
@runs_option
@json_option
def command(
    features: StoredFeatures, head: str, form: str, out: Path | None, check: int, runs: Path, as_json: bool
) -> None:
    """Write base and head as one model: uint8 images in, probabilities or numbers out.

    Preprocessing, names of classes, labels or numbers, and thresholds of labels are inside. Filters from a
    file of yours are read from where they were, or from --weights FILE.

    \b
    pipeline export --head logreg --format onnx
    pipeline export --data photos/ --head dense --format savedmodel --out served/1
    pipeline export --data photos/ --format litert --out photos.tflite
    """
    from pipeline.heads import load_head, run_folder
    from pipeline.serving.extractor import filters_of

    chosen = features.selection()
    trained = load_head(run_folder(runs, chosen.dataset, chosen.spec, head))
    filters = filters_of(chosen.entries[0], features.options["weights"])
    exported = export.export_model(
        trained,
        out,
        format=form,
        weights=None if filters.path is None else str(filters.path),
        sample=_sample(trained, chosen, check),
        features=chosen,
    )
    if as_json:
        print_json(exported.to_json())
    else:
        _print(exported)


def _sample(trained: TrainedHead, chosen: Selection, count: int) -> Sample | None:
    """Reads what to check the model on; says why where there is nothing."""
    from pipeline.images import open_images

    if not count:
        return None
    entry = chosen.entries[0]
    try:
        source = open_images(entry.source, entry.source_options)
        sample = export.sample_rows(trained, chosen.open(chosen.splits[-1]), source, count=count)
    except PipelineError as error:
        say(f"note: the model will not be checked: {error}")
        return None
    if sample is None:
        gone = f"no image of {entry.source} is as it was when features were made"
        say(f"note: the model will not be checked: {gone}")
    return sample


def _print(exported: Exported) -> None:
    from pipeline.wording import readable

    names = ", ".join(map(readable, exported.classes[:SHOWN_CLASSES]))
    more = ", ..." if len(exported.classes) > SHOWN_CLASSES else ""
    size = exported.image_size
    click.echo(f"{exported.head} on {exported.dataset} as {exported.format}")
    click.echo(f"  {exported.path}")
    click.echo(f"  {exported.card}")
    click.echo(f"  size     {exported.bytes:,} bytes")
    click.echo(f"  input    images: uint8 (n, {size}, {size}, 3), RGB from 0 to 255")
    click.echo(f"  output   {exported.output}: float32 (n, {len(exported.classes)}): {names}{more}")
    if exported.thresholds:
        least = ", ".join(f"{one:.3f}" for one in exported.thresholds[:SHOWN_CLASSES])
        click.echo(f"  answered  from thresholds {least}{more}")
    if exported.familiarity is not None:
        click.echo(
            f"  output   familiarity: float32 (n,), below {exported.familiarity['threshold']:.4f} unlike all"
        )
    else:
        click.echo(f"  without familiarity: {exported.without_familiarity}")
    if exported.temperature is not None:
        click.echo(f"  calibrated  {exported.temperature.line}")
    if exported.max_difference is not None:
        apart = exported.familiarity_difference
        also = "" if apart is None else f", familiarity by {apart:.1g}"
        click.echo(
            f"  checked  on {counted(exported.checked, f'{exported.split} image')}: "
            f"{exported.difference}{also}"
        )
    click.echo(f"\n{exported.example}")
