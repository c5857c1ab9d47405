"""Stored images most like a new one."""

from __future__ import annotations

from pathlib import Path

import click

from pipeline.cli.options import StoredFeatures, json_option, print_json, stored_features
from pipeline.cli.parameters import PATH, parse_batch_size
from pipeline.cli.unreadable import refuse_unreadable
from pipeline.images import BadImage
from pipeline.progress import say

NAME_WIDTH = 60


@click.command()
@click.argument("images", nargs=-1, required=True, type=PATH)
@stored_features
@click.option("--everywhere", is_flag=True, help="In all data sets with the same features.")
@click.option(
    "--n", "count", type=click.IntRange(1), default=10, show_default=True, help="How many for each."
)
@click.option("--batch-size", default="auto", show_default=True, help="Images in a forward pass.")
@json_option
def command(
    images: tuple[Path, ...],
    features: StoredFeatures,
    everywhere: bool,
    count: int,
    batch_size: str,
    as_json: bool,
) -> None:
    """Find the stored images that are most like new ones: files, or folders with all that is below them.

    Every stored image is compared, by the cosine between features averaged over positions; no head is needed.

    \b
    pipeline search photo.jpg --data photos/
    pipeline search inbox/ --data photos/ --everywhere --n 5 --json
    """
    import numpy as np

    from pipeline.serving import gather_images
    from pipeline.serving.extractor import Extractor
    from pipeline.serving.search import like_in_cache, search
    from pipeline.wording import counted, readable

    size = parse_batch_size(batch_size)
    chosen = features.selection()
    among = like_in_cache(chosen) if everywhere else [chosen]
    splits = [one.open(split) for one in among for split in one.splits]
    source = gather_images(images)
    extractor = Extractor(chosen, weights=features.options["weights"])
    made = [image for batch in extractor.batches(source, batch_size=size) for image in batch]
    failures = [BadImage(image.id, image.reason) for image in made if image.features is None]
    asked = {image.id: image.features for image in made if image.features is not None}
    found = search(splits, np.stack(list(asked.values())), count) if asked else []
    rows = sum(int((split.rows.views == 0).sum()) for split in splits)
    say(f"searched {counted(rows, 'image')} of {', '.join(readable(one.dataset) for one in among)}")
    if as_json:
        print_json(
            {
                "searched": rows,
                "datasets": [one.dataset for one in among],
                "images": [
                    {"id": name, "nearest": [hit.to_json() for hit in hits]}
                    for name, hits in zip(asked, found, strict=True)
                ],
                "unreadable": [{"id": failure.id, "reason": failure.reason} for failure in failures],
            }
        )
    else:
        for name, hits in zip(asked, found, strict=True):
            click.echo(readable(name, NAME_WIDTH))
            for hit in hits:
                told, stored = hit.features.told(hit.row), hit.features
                label = "unlabelled" if told is None else readable(told)
                place = f"{stored.dataset} {stored.split}  {stored.rows.ids[hit.row]}"
                click.echo(f"  {hit.similarity:.3f}  {label}  {readable(place, 2 * NAME_WIDTH)}")
    refuse_unreadable(failures, answered=len(asked))
