"""What augmented views bring: heads trained on 0 to 8 views of each image, and answers averaged over views.

python benchmarks/views.py --data photos/ --backbone mobilenet_v2 --weights FILE
python benchmarks/views.py --data photos/ --backbone vgg16 --weights FILE --train 800 --views 0 2 4

``photos/`` holds ``train``, ``validation`` or ``val``, and ``test``. Rows of other bases and kinds of views
stay in the table. Options are chosen on validation rows, for each number of views by itself; test rows are
measured once. ``gain`` is against no views on the same training images, and ``p`` that of a paired t test
over the test images, of the mean over the seeds, each of which draws other training images.
"""

from __future__ import annotations

import argparse
import csv
import tempfile
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
from measuring import tell
from scipy.stats import ttest_rel
from tables import RESULTS, markdown, number, read_table, write_table

from pipeline import Augmentation, FeatureRequest, extract, open_features
from pipeline.cache import FeatureSet
from pipeline.heads import fit_head

KINDS: Mapping[str, Augmentation] = {
    "course": Augmentation(),
    "mild": Augmentation(rotation=10, width_shift=0.05, height_shift=0.05, shear=0, zoom=0.1),
}
GRIDS: Mapping[str, list[dict[str, float]]] = {
    "logreg": [{"C": c} for c in (0.0001, 0.0003, 0.001, 0.003, 0.01, 0.03)],
}
MARK = "views"
SEEDS = (0, 1, 2)
SPLITS = {"train": "train", "validation": "val", "val": "val", "test": "test"}


def main() -> None:
    """Measures one base and puts its rows into ``views.csv``."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--backbone", required=True)
    parser.add_argument("--weights", required=True)
    parser.add_argument("--size", type=int, default=150)
    parser.add_argument("--pooling", default="avg")
    parser.add_argument("--train", type=int, default=2000, help="training images to extract")
    parser.add_argument("--sizes", type=int, nargs="+", default=[200, 800, 2000])
    parser.add_argument("--views", type=int, nargs="+", default=[0, 2, 4, 8])
    parser.add_argument("--kinds", nargs="+", default=list(KINDS), choices=list(KINDS))
    parser.add_argument("--test-views", action=argparse.BooleanOptionalAction, default=True)
    parser.add_argument("--cache", type=Path, help="where features stay; default: nowhere")
    parser.add_argument("--out", type=Path, default=RESULTS / "views.csv")
    given = parser.parse_args()
    found: list[dict[str, str]] = []
    with tempfile.TemporaryDirectory() as folder:
        for kind in given.kinds:
            found += measure(given, kind, Path(folder), given.cache or Path(folder) / "cache")
    done = {(given.backbone, kind) for kind in given.kinds}
    others = [row for row in read_table(given.out) if (row["backbone"], row["augmentation"]) not in done]
    write_table(given.out, [*others, *found])


def measure(given: argparse.Namespace, kind: str, work: Path, cache: Path) -> Iterator[dict[str, str]]:
    """Extracts views of one kind and trains on every number of images and views."""
    request = FeatureRequest(
        backbone=given.backbone, weights=given.weights, image_size=given.size, pooling=given.pooling,
        views=max(given.views), augmentation=KINDS[kind],
    )  # fmt: skip
    started = time.perf_counter()
    (features,) = extract(table_of(given, work / "photographs.csv"), request, cache=cache)
    tell(f"{given.backbone}, {kind} views: {time.perf_counter() - started:.0f} s")
    train, val, test = (open_features(features.entry, split) for split in ("train", "val", "test"))
    seen = None
    if given.test_views:
        (views,) = extract(test_as_train(given, work / "answered.csv"), request, cache=cache)
        seen = open_features(views.entry, "train")
    for size in (size for size in given.sizes if size <= given.train):
        seeds = SEEDS if size < given.train else SEEDS[:1]
        for head in GRIDS:
            bare: list[np.ndarray] = []
            for count in given.views:
                rights, averaged, seconds = [], [], 0.0
                for seed in seeds:
                    rows = some_rows(train, size, count, seed)
                    begun = time.perf_counter()
                    trained = max(
                        (fit_head(head, rows, val, options=options) for options in GRIDS[head]),
                        key=lambda one: one.val_accuracy,
                    )
                    seconds += (time.perf_counter() - begun) / len(GRIDS[head])
                    rights.append(trained.predict_proba(test).argmax(axis=1) == test.labels)
                    if seen is not None:
                        averaged.append(right_by_views(trained, seen, max(given.views)))
                bare = rights if count == 0 else bare
                yield row(given, kind, head, size, count, rights, bare, averaged, seconds / len(seeds))


def row(
    given: argparse.Namespace,
    kind: str,
    head: str,
    size: int,
    count: int,
    rights: list[np.ndarray],
    bare: list[np.ndarray],
    averaged: list[np.ndarray],
    seconds: float,
) -> dict[str, str]:
    """Returns a row of the table, and says it."""
    mine, theirs = np.mean(rights, axis=0), np.mean(bare, axis=0)
    p = ttest_rel(mine, theirs).pvalue if count else None
    found = {
        "backbone": given.backbone,
        "augmentation": kind,
        "head": head,
        "train_images": str(size),
        "views": str(count),
        "seeds": str(len(rights)),
        "accuracy": number(float(mine.mean()), 4),
        "gain": number(float(mine.mean() - theirs.mean()), 4),
        "p": number(p, 4),
        "accuracy_over_views": number(float(np.mean(averaged)) if averaged else None, 4),
        "fit_seconds": number(seconds, 2),
    }
    tell("  " + ", ".join(f"{name} {value}" for name, value in found.items()))
    return found


def summary(results: Path) -> str:
    """Returns the table of the page: a row for each base, kind of views and number of images."""
    columns = (
        "base", "kind of views", "training images", "views", "test accuracy", "gain", "p",
        "answers averaged over views",
    )  # fmt: skip
    cells = [
        (
            row["backbone"], row["augmentation"], row["train_images"], row["views"], row["accuracy"],
            row["gain"] if row["p"] else "-", row["p"] or "-", row["accuracy_over_views"] or "-",
        )
        for row in read_table(results)
    ]  # fmt: skip
    return markdown(columns, cells)


def some_rows(train: FeatureSet, images: int, views: int, seed: int) -> FeatureSet:
    """Takes as many images of each class, drawn by a seed, each with its first views."""
    first = np.flatnonzero(train.rows.views == 0)
    order = np.random.default_rng(seed).permutation(first)
    each = images // len(train.classes)
    chosen = np.concatenate(
        [order[train.labels[order] == label][:each] for label in range(len(train.classes))]
    )
    digests = {train.rows.digests[i].tobytes() for i in chosen}
    index = [
        i for i in np.flatnonzero(train.rows.views <= views) if train.rows.digests[i].tobytes() in digests
    ]
    return train.take(np.array(index))


def right_by_views(trained: object, seen: FeatureSet, views: int) -> np.ndarray:
    """Averages the probabilities over an image and its views; tells which are right, bool (n,)."""
    proba = trained.predict_proba(seen).reshape(-1, views + 1, len(seen.classes))
    labels = seen.labels.reshape(-1, views + 1)
    if not (seen.rows.views.reshape(-1, views + 1) == np.arange(views + 1)).all():
        raise SystemExit("the views of an image do not follow it")
    return proba.mean(axis=1).argmax(axis=1) == labels[:, 0]


def table_of(given: argparse.Namespace, path: Path) -> Path:
    """Writes a table of the photographs, with as many training images as were asked for."""
    rows = []
    for folder, split in SPLITS.items():
        classes = sorted(one for one in (given.data / folder).glob("*") if one.is_dir())
        for of_class in classes:
            files = sorted(of_class.iterdir())
            most = given.train // len(classes) if split == "train" else len(files)
            rows += [(file, of_class.name, split) for file in files[:most]]
    return write_rows(path, rows)


def test_as_train(given: argparse.Namespace, path: Path) -> Path:
    """Writes a table in which the test images are training images, which have views."""
    files = sorted((given.data / "test").glob("*/*"))
    return write_rows(path, [(file, file.parent.name, "train") for file in files])


def write_rows(path: Path, rows: list[tuple[Path, str, str]]) -> Path:
    """Writes a table of images."""
    with open(path, "w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([("path", "label", "split"), *rows])
    return path


if __name__ == "__main__":
    main()
