"""How well heads learn several labels an image, and a number, on pictures made from real photographs.

    python benchmarks/targets.py --only pairs --images 'cifar10/*.tar' --rows 4000 1000 1000
    python benchmarks/targets.py --only turned --images cats_and_dogs_small --rows 2000 1000 1000

Two pictures side by side have the classes of both as their labels; a photograph turned by an angle that is
drawn by chance has this angle, in degrees, as its number. Both are written with a table to a temporary folder
and go through `extract`, `train_head` and `evaluate_targets`. No picture is in two pairs or in two splits.
Rows of the set that is not measured stay in the file.
"""

from __future__ import annotations

import argparse
import csv
import math
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import redirect_stderr
from io import BytesIO, StringIO
from pathlib import Path
from typing import Any

import numpy as np
from measuring import tell
from PIL import Image, ImageOps
from tables import RESULTS, markdown, number, read_table, write_table

from pipeline import FeatureRequest, SourceOptions, extract, open_features, open_images, train_head
from pipeline.evaluation.targets import TargetReport, evaluate_targets
from pipeline.images import SPLITS
from pipeline.images.manifest import Manifest, scan

MARK = "targets"
STEEPEST = 45
"""Photographs are turned by up to so many degrees, to either side."""
IN_WORDS = {"map": "mAP", "micro_f1": "micro F1", "exact_match": "exact match", "r2": "R2", "mae": "MAE"}
FIGURES = {"pairs": ("map", "micro_f1", "exact_match"), "turned": ("r2", "mae")}
"""What is told of each set; the first figure is the one that heads are compared by."""

Row = tuple[Image.Image, str]


def pairs(
    manifest: Manifest, split: str, rows: int, random: np.random.Generator
) -> Sequence[Callable[[], Row]]:
    """Returns what makes each pair of pictures, beside each other, and its labels with semicolons."""
    items = manifest.items[split]
    order = random.permutation(len(items))[: 2 * min(rows, len(items) // 2)].reshape(-1, 2)

    def made(left: int, right: int) -> Row:
        both = [items[left], items[right]]
        pictures = [_picture(manifest, item) for item in both]
        side = min(min(picture.size) for picture in pictures)
        joined = Image.new("RGB", (2 * side, side))
        for place, picture in enumerate(pictures):
            joined.paste(ImageOps.fit(picture, (side, side)), (place * side, 0))
        names = sorted({manifest.source.classes[item.label] for item in both})
        return joined, ";".join(names)

    return [lambda left=left, right=right: made(left, right) for left, right in order.tolist()]


def turned(
    manifest: Manifest, split: str, rows: int, random: np.random.Generator
) -> Sequence[Callable[[], Row]]:
    """Returns what makes each turned photograph and its angle in degrees, to the left.

    The largest square that has no corner at any angle is cut out, so that only what is seen tells the angle.
    """
    items = manifest.items[split]
    order = random.permutation(len(items))[:rows]
    angles = random.uniform(-STEEPEST, STEEPEST, len(order)).round(2)

    def made(place: int, angle: float) -> Row:
        picture = _picture(manifest, items[place])
        side = min(picture.size)
        square = ImageOps.fit(picture, (side, side)).rotate(angle, Image.Resampling.BICUBIC)
        edge = math.floor(side / math.sqrt(2))
        return square.crop(_middle(side, edge)), f"{angle:.2f}"

    return [
        lambda place=place, angle=angle: made(place, angle)
        for place, angle in zip(order.tolist(), angles.tolist(), strict=True)
    ]


DENSE = ("dense", "dense learning_rate=0.001", "dense-128")
SETS = {
    "pairs": (pairs, SourceOptions(label_separator=";"), ("logreg", *DENSE, "ridge")),
    "turned": (turned, SourceOptions(target="number"), ("ridge", *DENSE)),
}
"""How each set is made and read, and the heads that learn it."""


def main() -> None:
    """Measures, prints and writes ``targets.csv``."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", choices=list(SETS), required=True, help="the set that is made")
    parser.add_argument("--images", required=True, help="what it is made of; for pairs with one class each")
    parser.add_argument(
        "--rows", type=int, nargs=3, default=[3000, 1000, 1000], metavar=("TRAIN", "VAL", "TEST")
    )
    parser.add_argument("--backbone", default="vgg16")
    parser.add_argument("--weights", default="auto")
    parser.add_argument("--image-size", type=int, default=96)
    parser.add_argument("--layers", nargs="+", default=["block4_pool:avg", "block5_pool"])
    parser.add_argument("--heads", nargs="+", help="'NAME OPTION=VALUE ...' each; default: those of each set")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=RESULTS / "targets.csv")
    given = parser.parse_args()
    others = [row for row in read_table(given.out) if row["set"] != given.only]
    write_table(given.out, [*others, *_measured(given.only, given.images, given)])
    print(summary(given.out))


def summary(results: Path) -> str:
    """Returns the table of the page, a row for each set, cut and head; intervals in brackets."""
    columns = ["pictures", "head", "features", "train, test", "on test", "looking at no image", "also"]
    cells = []
    for row in read_table(results):
        sizes = f"{int(row['train']):,}, {int(row['test']):,}"
        first = f"{IN_WORDS[row['figure']]} {row['value']} ({row['low']} to {row['high']})"
        cells.append([row["set"], row["head"], row["features"], sizes, first, row["baseline"], row["also"]])
    return markdown(columns, cells)


def _measured(name: str, address: str, given: argparse.Namespace) -> list[dict[str, object]]:
    """Makes a set, extracts its features and measures every head on every cut."""
    make, options, heads = SETS[name]
    request = FeatureRequest(
        backbone=given.backbone,
        layers=tuple(given.layers),
        image_size=given.image_size,
        weights=given.weights,
    )
    found: list[dict[str, object]] = []
    with tempfile.TemporaryDirectory() as folder:
        tell(f"{name}: making pictures of {address}")
        table = _written(Path(folder), make, scan(open_images(address)), given)
        reports = extract(table, request, cache=Path(folder, "cache"), source_options=options)
        for report, cut in zip(reports, given.layers, strict=True):
            splits = {split: open_features(report.entry, split) for split in SPLITS}
            for line in given.heads or heads:
                head, *words = line.split()
                started = time.perf_counter()
                with redirect_stderr(StringIO()):
                    trained = train_head(
                        head,
                        splits["train"],
                        splits["val"],
                        options=dict(word.split("=", 1) for word in words),
                        seed=given.seed,
                        runs=Path(folder, "runs"),
                    )
                seconds = time.perf_counter() - started
                measured = evaluate_targets(trained, splits["test"], val=splits["val"])
                own = {"set": name, "head": line, "features": f"{given.backbone} {cut}"}
                sizes = {split: len(rows) for split, rows in splits.items()}
                found.append({**own, **sizes, **_figures(name, measured), "seconds": number(seconds, 1)})
                tell(str(found[-1]))
    return found


def _written(folder: Path, make: Callable[..., Any], manifest: Manifest, given: argparse.Namespace) -> Path:
    """Writes the pictures of a set, and returns the table that lists them."""
    random = np.random.default_rng(given.seed)
    table = folder / "table.csv"
    with open(table, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "label", "split"])
        for split, rows in zip(SPLITS, given.rows, strict=True):
            for position, made in enumerate(make(manifest, split, rows, random)):
                picture, target = made()
                path = f"{split}-{position}.png"
                picture.save(folder / path)
                writer.writerow([path, target, split])
    return table


def _figures(name: str, report: TargetReport) -> dict[str, object]:
    """Returns the figure that heads are compared by, with its interval and baseline, and the others."""
    measured = report.figures.to_json()
    first, *others = FIGURES[name]
    low, high = measured["intervals"][first]
    return {
        "figure": first,
        "value": number(measured[first], 4),
        "low": number(low, 4),
        "high": number(high, 4),
        "baseline": number(measured["baseline"][first], 4),
        "also": ", ".join(f"{IN_WORDS[other]} {measured[other]:.4g}" for other in others),
    }


def _picture(manifest: Manifest, item: Any) -> Image.Image:
    pixels = manifest.source.read(item)
    opened = Image.open(BytesIO(pixels)) if isinstance(pixels, bytes) else Image.fromarray(pixels)
    return opened.convert("RGB")


def _middle(side: int, edge: int) -> tuple[int, int, int, int]:
    start = (side - edge) // 2
    return start, start, start + edge, start + edge


if __name__ == "__main__":
    main()
