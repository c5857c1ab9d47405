"""How well images unlike all of the training are told from others, and how often it is a false alarm.

    python benchmarks/familiarity.py --draw strange/           # noise and text, to be extracted
    python benchmarks/familiarity.py --entry CACHE/photos/ENTRY --foreign CACHE/strange/ENTRY

Every image of the foreign entries, class by class, is set against the test images of the entry, whose
threshold is that of its val images. The area under the ROC curve (AUROC) is the share of pairs in which the
test image is the more familiar one.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from tables import markdown

from pipeline.cache import FeatureSet, open_features
from pipeline.cache.entries import read_entry
from pipeline.heads import Familiarity

DRAWN = 150
SIDE = 160
WORDS = ("the", "quick", "brown", "fox", "jumps", "over", "lazy", "dog", "invoice", "page", "table")


def draw(folder: Path) -> None:
    """Fills ``folder/noise`` and ``folder/text`` with pictures, the same ones every time."""
    random = np.random.default_rng(0)
    for kind, make in (("noise", _noise), ("text", _text)):
        (folder / kind).mkdir(parents=True, exist_ok=True)
        for i in range(DRAWN):
            make(random, i).save(folder / kind / f"{i:03}.png")


def _noise(random: np.random.Generator, number: int) -> Image.Image:
    """Draws noise in colours, in grey, or in large soft spots."""
    if number % 3 == 2:
        spots = random.integers(0, 256, (20, 20, 3), np.uint8)
        return Image.fromarray(spots).resize((SIDE, SIDE), Image.Resampling.BICUBIC)
    pixels = random.integers(0, 256, (SIDE, SIDE, 1 if number % 3 else 3), np.uint8)
    return Image.fromarray(np.broadcast_to(pixels, (SIDE, SIDE, 3)).copy())


def _text(random: np.random.Generator, number: int) -> Image.Image:
    page = Image.new("RGB", (SIDE, SIDE), (255 - int(random.integers(0, 25)),) * 3)
    font = ImageFont.load_default(size=int(random.integers(8, 16)))
    for top in range(6, SIDE, 18):
        ImageDraw.Draw(page).text((6, top), " ".join(random.choice(WORDS, 5)), fill=(20, 20, 20), font=font)
    return page


def auroc(higher: np.ndarray, lower: np.ndarray) -> float:
    """Returns the share of pairs in which the first is above the second; equal ones count half."""
    order = np.sort(lower)
    places = np.searchsorted(order, higher, "left") + np.searchsorted(order, higher, "right")
    return float(places.mean() / 2 / len(lower))


def measured(familiarity: Familiarity, features: FeatureSet) -> np.ndarray:
    """Returns how familiar the images of a split are, float64 (n,)."""
    index = np.arange(len(features))
    blocks = [features.read(index[start : start + 256]) for start in range(0, len(index), 256)]
    return np.concatenate([familiarity.measure(block) for block in blocks])


def main() -> None:
    """Prints a row for each kind of foreign images."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--draw", type=Path, metavar="FOLDER", help="draw foreign images and end")
    parser.add_argument("--entry", type=Path, help="features with train, val and test")
    parser.add_argument("--foreign", type=Path, nargs="+", default=[], help="entries of foreign images")
    options = parser.parse_args()
    if options.draw:
        draw(options.draw)
        return
    started = time.perf_counter()
    train, valid, test = (open_features(options.entry, split) for split in ("train", "val", "test"))
    familiarity = Familiarity.of(train, valid)
    if familiarity is None:
        parser.error(f"{options.entry}: val has too few images")
    known = measured(familiarity, test)
    seconds = time.perf_counter() - started
    rows, every = [], []
    for folder in options.foreign:
        parts = [open_features(folder, split) for split in read_entry(folder).splits]
        found = np.concatenate([measured(familiarity, part) for part in parts])
        labels = np.concatenate([part.labels for part in parts])
        every.append(found)
        for label, name in enumerate(parts[0].classes):
            one = found[labels == label]
            rows.append((name, len(one), auroc(known, one), np.mean(one < familiarity.threshold)))
    foreign = np.concatenate(every)
    rows.append(("all", len(foreign), auroc(known, foreign), np.mean(foreign < familiarity.threshold)))
    print(markdown(["foreign", "images", "AUROC", "found"], [_cells(*row) for row in rows]))
    alarms = np.mean(known < familiarity.threshold)
    print(f"\nfalse alarms among {len(known):,} test images: {alarms:.2%}; the threshold: {familiarity.line}")
    print(f"{seconds:.1f} s for {len(train) + len(valid) + len(test):,} rows")


def _cells(name: str, count: int, area: float, found: float) -> list[str]:
    return [name, f"{count:,}", f"{area:.4f}", f"{found:.1%}"]


if __name__ == "__main__":
    main()
