"""How far copies in all eight orientations are from their originals, and strangers from one another.

python benchmarks/leak_orientations.py photos/ builtin:digits

Only hashes are compared, so no base is needed. Copies of training images are turned and then saved as JPEG of
quality 60, or at 70 % of the size; strangers are the images of different splits. Pairs that look the same as
they are (true copies among the data) are counted and left out.
"""

from __future__ import annotations

import argparse
import io
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import combinations
from pathlib import Path

import numpy as np
from inputs import encoded, smaller
from measuring import tell
from PIL import Image
from tables import RESULTS, number, write_table

from pipeline.evaluation.leaks.hashes import HASH_BYTES, ORIENTATIONS, oriented, picture_hash
from pipeline.evaluation.leaks.lookalikes import MOST_BITS
from pipeline.images import SPLITS, open_images
from pipeline.images.contents import digest
from pipeline.images.splits import assign_splits

TURNS = (
    None,
    Image.Transpose.FLIP_LEFT_RIGHT,
    Image.Transpose.FLIP_TOP_BOTTOM,
    Image.Transpose.ROTATE_180,
    Image.Transpose.TRANSPOSE,
    Image.Transpose.ROTATE_90,
    Image.Transpose.ROTATE_270,
    Image.Transpose.TRANSVERSE,
)
"""What makes a picture of each of ``ORIENTATIONS``."""


def main() -> None:
    """Measures and writes ``leak_orientations.csv``."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("data", nargs="+", help="addresses of images")
    parser.add_argument("--copies", type=int, default=250, help="training images that are copied")
    parser.add_argument("--out", type=Path, default=RESULTS / "leak_orientations.csv")
    given = parser.parse_args()
    write_table(given.out, [row for data in given.data for row in measured(data, given.copies)])


def measured(data: str, copies: int) -> Iterator[dict[str, str]]:
    """Yields a row for the copies and for the strangers of each orientation."""
    source = open_images(data)
    pictures = [source.read(item) for item in source.items()]
    digests = np.array([list(digest(one)) for one in pictures], np.uint8)
    split = np.array(list(assign_splits(source.items(), digests)))
    hashes, known = hashed(pictures)
    every_nth = [pictures[i] for i in np.flatnonzero(split == "train")]
    chosen = every_nth[:: max(1, len(every_nth) // copies)]
    own, _ = hashed(chosen)
    for way, name in enumerate(ORIENTATIONS):
        tell(f"{Path(data).name}: {name}")
        subject = {"data": Path(data).name, "orientation": name, "threshold": str(MOST_BITS)}
        for how, copy in (("quality 60", encoded), ("70 % of the size", smaller)):
            made, sound = hashed([copy(turned(one, way)) for one in chosen])
            distances = np.bitwise_count(own ^ oriented(made, way)).sum(axis=1)[sound]
            yield subject | row_of(f"copies, {how}", distances, hardest=distances.max())
        nearest, same = strangers(hashes, known, split, way)
        yield subject | row_of("strangers", nearest, hardest=nearest.min()) | {"true_copies": str(same)}


def row_of(what: str, distances: np.ndarray, *, hardest: int) -> dict[str, str]:
    """Makes the figures of a row; ``found`` are those that the default takes for copies."""
    return {
        "what": what,
        "pictures": str(len(distances)),
        "median": number(float(np.median(distances)), 0),
        "hardest": str(int(hardest)),
        "found": str(int((distances <= MOST_BITS).sum())),
        "true_copies": "",
    }


def strangers(hashes: np.ndarray, known: np.ndarray, split: np.ndarray, way: int) -> tuple[np.ndarray, int]:
    """Returns the distance of each image to the nearest of every earlier split, and the true copies."""
    found, same = [], 0
    parts = [hashes[known & (split == name)] for name in SPLITS if (split == name).any()]
    for earlier, later in combinations(parts, 2):
        old, straight = earlier.view(np.uint64), later.view(np.uint64)
        turned_later = np.ascontiguousarray(oriented(later, way)).view(np.uint64)
        for as_it_is, one in zip(straight, turned_later, strict=True):
            if np.bitwise_count(old ^ as_it_is).sum(axis=1).min() <= MOST_BITS:
                same += 1
            else:
                found.append(int(np.bitwise_count(old ^ one).sum(axis=1).min()))
    return np.array(found), same


def hashed(pictures: list[bytes | np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Returns uint8 (n, 32) and bool (n,): the hashes, and whose picture has one."""
    with ThreadPoolExecutor() as pool:
        found = list(pool.map(picture_hash, pictures))
    data = b"".join(one or bytes(HASH_BYTES) for one in found)
    return np.frombuffer(data, np.uint8).reshape(-1, HASH_BYTES), np.array([bool(one) for one in found])


def turned(picture: bytes | np.ndarray, way: int) -> Image.Image:
    """Opens a picture and turns it."""
    opened = Image.open(io.BytesIO(picture)) if isinstance(picture, bytes) else Image.fromarray(picture)
    with opened as image:
        plain = image.convert("RGB")
    return plain if TURNS[way] is None else plain.transpose(TURNS[way])


if __name__ == "__main__":
    main()
