"""How far exported models answer from their heads: heads on one base, and bases under one head.

python benchmarks/exports.py --data cats_and_dogs_small --weights FILE --cache features_cache
python benchmarks/exports.py --data photos/ --weights imagenet --backbones vgg16,resnet50
"""

from __future__ import annotations

import argparse
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from measuring import tell
from tables import RESULTS, write_table

from pipeline import registry
from pipeline.backbones.table import BACKBONES
from pipeline.cache.features import Selection
from pipeline.errors import PipelineError
from pipeline.extraction import FeatureRequest, extract
from pipeline.heads import layered_heads, make_head, train_head
from pipeline.heads._keras.keras_head import ANY
from pipeline.images import open_images
from pipeline.serving import export
from pipeline.serving.export import export_model, sample_rows

POOLED = [name for name in layered_heads() if getattr(make_head(name, {}), "takes", ANY) == ANY]
SMALLEST = 64
"""Pixels of the images for the bases, whose filters are random."""

Row = dict[str, object]


def main() -> None:
    """Measures and writes ``exports.csv``."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", required=True, help="folder <split>/<class>/file with train and test")
    parser.add_argument("--weights", required=True, help="filters of the base for the heads")
    parser.add_argument("--cache", type=Path, help="where features of the heads stand, or will")
    parser.add_argument("--backbone", default="mobilenet_v2")
    parser.add_argument("--size", type=int, default=150)
    parser.add_argument("--heads", default=",".join(POOLED))
    parser.add_argument("--backbones", default=",".join(name for name in BACKBONES if name != "pixels"))
    parser.add_argument("--count", type=int, default=32, help="test images to compare on")
    parser.add_argument("--out", type=Path, default=RESULTS / "exports.csv")
    given = parser.parse_args()
    rows: list[Row] = []
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        request = wanted(given.backbone, given.size, given.weights)
        for head in filter(None, given.heads.split(",")):
            rows += compare(given.data, request, head, given.cache or work / "cache", work, given)
        few = pick_some(Path(given.data), work / "few")
        for name in filter(None, given.backbones.split(",")):
            size = max(SMALLEST, BACKBONES[name].min_size)
            request = wanted(name, size, "random")
            rows += compare(str(few), request, "logreg", work / "cache", work, given)
    write_table(given.out, rows)


def wanted(backbone: str, size: int, weights: str) -> FeatureRequest:
    """Requests pooled features, made in the arithmetic of the exported models."""
    return FeatureRequest(
        backbone=backbone,
        image_size=size,
        weights=weights,
        pooling="avg",
        precision="float32",
        batch_size=8,
    )


def compare(
    data: str, request: FeatureRequest, head: str, cache: Path, work: Path, given: argparse.Namespace
) -> Iterator[Row]:
    """Trains a head, and writes and checks it in every format."""
    chosen = Selection(tuple(one.entry for one in extract(data, request, cache=cache)))
    trained = train_head(head, chosen.open("train"), chosen.open("val"), runs=work / "runs")
    sample = sample_rows(trained, chosen.open("test"), open_images(data), count=given.count)
    filters = request.weights if Path(request.weights).is_file() else None
    for form in registry.names(export):
        row: Row = {"backbone": request.backbone, "weights": Path(request.weights).name, "head": head}
        row |= {"image_size": request.image_size, "format": form, "images": len(sample.images)}
        try:
            done = export_model(trained, format=form, weights=filters, sample=sample)
            row |= {"megabytes": f"{done.bytes / 1e6:.1f}", "max_difference": f"{done.max_difference:.1e}"}
        except PipelineError as error:
            tell(str(error))
            row |= {"megabytes": "", "max_difference": "refused"}
        tell("  ".join(map(str, row.values())))
        yield row


def pick_some(data: Path, folder: Path, each: int = 12) -> Path:
    """Copies a few images of each class and split."""
    for kind in sorted(path for path in data.glob("*/*") if path.is_dir()):
        (folder / kind.relative_to(data)).mkdir(parents=True)
        for file in sorted(kind.iterdir())[:each]:
            shutil.copy(file, folder / file.relative_to(data))
    return folder


if __name__ == "__main__":
    main()
