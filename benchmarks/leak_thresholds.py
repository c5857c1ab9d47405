"""How far copies of a picture are from it and strangers from one another: the ground of the thresholds.

python benchmarks/leak_thresholds.py --case photos/ mobilenet_v2 imagenet 150 out_relu
python benchmarks/leak_thresholds.py --case photos/ vgg16 random 64 block5_pool --case builtin:digits ...

A case is DATA BACKBONE WEIGHTS SIZE LAYER. Copies of training images are made in several ways. For copies the
*hardest* is the one that is hardest to find, for strangers the one that is most easily taken for a copy.
"""

from __future__ import annotations

import argparse
import io
import tempfile
from collections.abc import Callable
from itertools import combinations
from pathlib import Path
from typing import NamedTuple

import numpy as np
from inputs import encoded, smaller
from measuring import tell
from PIL import Image, ImageOps
from tables import RESULTS, number, write_table

from pipeline.cache import open_features
from pipeline.evaluation.leaks.hashes import Hashed, HashStore, hash_all, oriented
from pipeline.evaluation.leaks.likeness import LEAST_COSINE, Originals, Whitening, pooled_rows, take_originals
from pipeline.evaluation.leaks.lookalikes import MOST_BITS
from pipeline.extraction import FeatureRequest, extract
from pipeline.images import open_images


def _cropped(picture: Image.Image, margin: float) -> bytes:
    width, height = picture.size
    box = (width * margin, height * margin, width * (1 - margin), height * (1 - margin))
    return encoded(picture.crop(tuple(map(round, box))), 90)


WAYS: dict[str, Callable[[Image.Image], bytes]] = {
    "quality 60": lambda picture: encoded(picture, 60),
    "quality 30": lambda picture: encoded(picture, 30),
    "70 % of the size": smaller,
    "mirrored": lambda picture: encoded(ImageOps.mirror(picture), 90),
    "3 % cut off every side": lambda picture: _cropped(picture, 0.03),
    "10 % cut off every side": lambda picture: _cropped(picture, 0.10),
}


class Measure(NamedTuple):
    """A way to compare two pictures.

    Attributes:
        name: For people.
        threshold: Where a find begins; None = this measure is only there to be compared with.
        larger_is_closer: True for similarities, False for distances.
    """

    name: str
    threshold: float | None
    larger_is_closer: bool


HASH = Measure("bits that differ", MOST_BITS, False)
MIRRORED_HASH = Measure("bits that differ, mirrored", MOST_BITS, False)
PLAIN = Measure("cosine", None, True)
CENTRED = Measure("cosine, centred", None, True)
WHITENED = Measure("cosine, whitened", LEAST_COSINE, True)


def main() -> None:
    """Measures and writes ``leak_thresholds.csv``."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    names = ("DATA", "BACKBONE", "WEIGHTS", "SIZE", "LAYER")
    parser.add_argument("--case", nargs=5, action="append", metavar=names, required=True)
    parser.add_argument("--copies", type=int, default=250, help="training images that are copied")
    parser.add_argument("--cache", type=Path, help="keep features here; default: a folder that is removed")
    parser.add_argument("--out", type=Path, default=RESULTS / "leak_thresholds.csv")
    given = parser.parse_args()
    rows: list[dict[str, str]] = []
    with tempfile.TemporaryDirectory() as folder:
        for position, case in enumerate(given.case):
            tell(f"== {' '.join(case)}")
            rows += measured(case, Path(folder) / str(position), given.cache or Path(folder), given.copies)
    write_table(given.out, rows)


def measured(case: list[str], folder: Path, cache: Path, copies: int) -> list[dict[str, str]]:
    """Measures one case: copies of every n-th training image, and all splits against each other."""
    data, backbone, weights, size, layer = case
    base = FeatureRequest(
        backbone=backbone,
        weights=weights,
        image_size=int(size),
        layers=(f"{layer}:avg",),
        precision="float32",
    )
    splits = {one.split: one for one in opened(data, base, cache, None)}
    train = splits["train"]
    step = max(1, len(train) // copies)
    make_copies(data, train, step, folder / "copies")
    (made,) = opened(str(folder / "copies"), base, cache, f"copies-{len(list(cache.glob('copies-*')))}")
    hashes, _ = hash_all([*splits.values()], open_images(data), HashStore(None))
    copied = hash_all([made], open_images(str(folder / "copies")), HashStore(None))[0]["test"]
    own = np.array([int(Path(name).stem) for name in made.rows.ids])
    ways = np.array([Path(name).parent.name for name in made.rows.ids])
    subject = {"data": Path(data).name, "base": f"{backbone} {layer}", "size": size}
    subject |= {"filters": "random" if weights.startswith("random") else "trained"}
    rows = []
    for way in WAYS:
        chosen = ways == way
        measures = compared_copies(hashes["train"], copied, own, chosen, train, made)
        # The hash of the mirrored picture is for mirrored copies only, and the straight one for the others.
        skipped = HASH if way == "mirrored" else MIRRORED_HASH
        rows += [
            figures(subject, measure, f"copy: {way}", values)
            for measure, values in measures
            if measure != skipped
        ]
    for earlier, later in combinations(splits.values(), 2):
        measures = compared_strangers(hashes, train, earlier, later)
        what = f"strangers: {earlier.split} and {later.split}"
        rows += [figures(subject, measure, what, values) for measure, values in measures]
    return rows


def opened(data: str, base: FeatureRequest, cache: Path, name: str | None) -> list[Originals]:
    """Extracts a data set and opens its splits."""
    (done,) = extract(data, base, cache=cache, name=name)
    return [take_originals(open_features(done.entry, split)) for split in done.entry.splits]


def make_copies(data: str, train: Originals, step: int, folder: Path) -> None:
    """Writes copies of every n-th training image to ``folder/test/<way>/<row>.jpg``."""
    source = open_images(data)
    items = {item.id: item for item in source.items()}
    for row in range(0, len(train), step):
        data_or_pixels = source.read(items[train.rows.ids[row]])
        if isinstance(data_or_pixels, bytes):
            with Image.open(io.BytesIO(data_or_pixels)) as image:
                picture = image.convert("RGB")
        else:
            picture = Image.fromarray(data_or_pixels).convert("RGB")
        for way, copy in WAYS.items():
            path = folder / "test" / way / f"{row:07d}.jpg"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(copy(picture))


def directions(train: Originals, *others: Originals) -> list[tuple[Measure, list[np.ndarray]]]:
    """Returns unit vectors of several splits under each measure of features."""
    pooled = [np.concatenate(list(pooled_rows(one, np.arange(len(one))))) for one in (train, *others)]
    mean = pooled[0].mean(axis=0)
    whitening = Whitening.of(pooled[0])
    return [
        (PLAIN, [unit(one) for one in pooled[1:]]),
        (CENTRED, [unit(one - mean) for one in pooled[1:]]),
        (WHITENED, [whitening.directions(one) for one in pooled[1:]]),
    ]


def unit(vectors: np.ndarray) -> np.ndarray:
    """Scales each row to length 1."""
    return vectors / np.linalg.norm(vectors, axis=1, keepdims=True)


def compared_copies(
    hashes: Hashed, copied: Hashed, own: np.ndarray, chosen: np.ndarray, train: Originals, made: Originals
) -> list[tuple[Measure, np.ndarray]]:
    """Compares each chosen copy with its own original."""
    old, new = hashes.hashes[own[chosen]], copied.hashes[chosen]
    found = [
        (HASH, np.bitwise_count(old ^ new).sum(axis=1)),
        (MIRRORED_HASH, np.bitwise_count(old ^ oriented(new, 1)).sum(axis=1)),
    ]
    for measure, (originals, copies) in directions(train, train, made):
        found.append((measure, (originals[own[chosen]] * copies[chosen]).sum(axis=1)))
    return found


def compared_strangers(
    hashes: dict[str, Hashed], train: Originals, earlier: Originals, later: Originals
) -> list[tuple[Measure, np.ndarray]]:
    """Compares each picture of the later split with its nearest in the earlier one."""
    old, new = hashes[earlier.split].hashes, hashes[later.split].hashes
    found = [
        (measure, nearest(old, each)) for measure, each in ((HASH, new), (MIRRORED_HASH, oriented(new, 1)))
    ]
    for measure, (first, second) in directions(train, earlier, later):
        found.append((measure, (second @ first.T).max(axis=1)))
    return found


def nearest(known: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Returns the smallest distance of each wanted hash to a known one."""
    words = known.view(np.uint64)
    return np.array([np.bitwise_count(words ^ one).sum(axis=1).min() for one in wanted.view(np.uint64)])


def figures(subject: dict[str, str], measure: Measure, what: str, values: np.ndarray) -> dict[str, str]:
    """Makes a row of the table."""
    # The hardest copy is the furthest, the hardest stranger the nearest.
    high = measure.larger_is_closer != what.startswith("copy")
    decimals = 3 if measure.larger_is_closer else 0
    hits = values >= measure.threshold if measure.larger_is_closer and measure.threshold else None
    if not measure.larger_is_closer:
        hits = values <= measure.threshold
    return subject | {
        "measure": measure.name,
        "what": what,
        "pictures": str(len(values)),
        "median": number(float(np.median(values)), decimals),
        "hardest_percent": number(float(np.percentile(values, 99 if high else 1)), decimals),
        "hardest": number(float(values.max() if high else values.min()), decimals),
        "threshold": "" if measure.threshold is None else str(measure.threshold),
        "found": "" if hits is None else str(int(hits.sum())),
    }


if __name__ == "__main__":
    main()
