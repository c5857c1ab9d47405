"""What decoding and resizing a picture costs, by whom, and how far the pixels are from Pillow's.

python benchmarks/decoding.py
python benchmarks/decoding.py --images photos/ --size 224

Times are of one thread, from the bytes of a JPEG file to uint8 (size, size, 3); "loader" is what stage one
does with all cores, from files to batches. Errors, in grey levels, are taken against a full decode by Pillow
and its own resize. The hostile pictures of the tests are compared, too, where the tests are at hand.
"""

from __future__ import annotations

import argparse
import importlib.util
import os
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from functools import partial
from io import BytesIO
from pathlib import Path

import numpy as np
from inputs import SUFFIXES, add_image_option, photograph
from measuring import Contender, Pass, Row, interleave, tell
from PIL import Image
from quiet import Watch, add_patience_option
from tables import RESULTS, number, write_table

from pipeline.extraction.augment import Augmentation
from pipeline.extraction.load import Loader, load_ahead
from pipeline.images import open_images
from pipeline.images.decode import DecodeError, decode
from pipeline.images.resizing import CYKOOZ, PILLOW, by_pillow, find_resize

Way = Callable[[bytes], np.ndarray]
TESTS = Path(__file__).parents[1] / "tests" / "helpers"
BATCH = 16
PLAIN, QUICK = f"pipeline, {PILLOW}", f"pipeline, {CYKOOZ}"


def main() -> None:
    """Measures and writes ``decoding.csv``."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add_image_option(parser)
    add_patience_option(parser)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--count", type=int, default=64, help="photographs of a kind")
    parser.add_argument("--out", type=Path, default=RESULTS / "decoding.csv")
    given = parser.parse_args()
    watch, table = Watch(given.patience), []
    for kind, files in pictures(given.images, given.count).items():
        table += measured(kind, files, given.size, given.rounds, watch)
    table += list(compared_hostile(given.size))
    write_table(given.out, table)


def pictures(images: Path | None, count: int) -> dict[str, list[bytes]]:
    """Returns JPEG files by kind: made ones of two sizes, and the user's own."""
    kinds = {
        "made, 500 x 375": [photograph(seed, (500, 375)) for seed in range(count)],
        "made, 4000 x 3000": [photograph(seed, (4000, 3000)) for seed in range(max(1, count // 16))],
    }
    if images is not None:
        files = sorted(path for path in images.rglob("*") if path.suffix.lower() in SUFFIXES)
        chosen = np.linspace(0, len(files) - 1, min(4 * count, len(files))).astype(int)
        kinds["photographs given"] = [files[index].read_bytes() for index in chosen]
    return kinds


def ways(size: int) -> dict[str, Way]:
    """Returns every way to make pixels of a file that can be gone here; the first is the reference."""
    found: dict[str, Way] = {
        "Pillow, full decode": partial(full_decode, size=size),
        PLAIN: partial(decode, size=size),
        QUICK: partial(decode, size=size, resize=find_resize(CYKOOZ)),
    }
    if importlib.util.find_spec("simplejpeg"):
        found["simplejpeg, resized by cykooz"] = partial(by_simplejpeg, size=size)
    if importlib.util.find_spec("cv2"):
        import cv2

        cv2.setNumThreads(1)
        for name in ("INTER_AREA", "INTER_LINEAR"):
            found[f"OpenCV, {name}"] = partial(by_opencv, size=size, method=getattr(cv2, name))
    return found


def full_decode(data: bytes, size: int) -> np.ndarray:
    """Decodes every pixel, also of a large JPEG."""
    return np.asarray(by_pillow(Image.open(BytesIO(data)).convert("RGB"), size))


def by_simplejpeg(data: bytes, size: int) -> np.ndarray:
    """Decodes with libjpeg-turbo, at no less than three times the size."""
    import simplejpeg

    pixels = simplejpeg.decode_jpeg(data, min_height=3 * size, min_width=3 * size, min_factor=1)
    return np.asarray(find_resize(CYKOOZ)(Image.fromarray(pixels), size, None))


def by_opencv(data: bytes, size: int, method: int) -> np.ndarray:
    """Decodes every pixel; ``INTER_LINEAR`` is not antialiased, ``INTER_AREA`` has a box for a triangle."""
    import cv2

    pixels = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR_RGB)
    return cv2.resize(pixels, (size, size), interpolation=method)


def measured(kind: str, files: list[bytes], size: int, rounds: int, watch: Watch) -> list[dict[str, str]]:
    """Times all ways over some files in turn, and compares their pixels with the reference."""
    tell(f"{kind}: {len(files)} files of {np.mean([len(one) for one in files]) / 1e3:,.0f} kB")
    known = ways(size)
    reference = [next(iter(known.values()))(data) for data in files]
    rows = {name: Row(name, images=len(files)) for name in known}
    contenders = [Contender([rows[name]], partial(one_pass, way, files)) for name, way in known.items()]
    for name in (PILLOW, CYKOOZ):
        row = rows[f"resize alone, {name}"] = Row(f"resize alone, {name}", images=1)
        contenders.append(Contender([row], partial(resize_pass, opened(files, size), size, name)))
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "train" / "one"
        place.mkdir(parents=True)
        for index, data in enumerate(files):
            (place / f"{index:05}.jpg").write_bytes(data)
        for name in (PILLOW, CYKOOZ):
            row = rows[f"loader, {name}"] = Row(f"loader, {name}", images=len(files))
            contenders.append(Contender([row], partial(loader_pass, folder, size, name)))
        interleave(contenders, rounds, watch.run)
    table = []
    for name, row in rows.items():
        step = name.partition(", ")[0]
        base = rows[f"{step}, {PILLOW}"] if f"{step}, {PILLOW}" in rows else rows[PLAIN]
        away = distances((known[name](data) for data in files), reference) if name in known else []
        table.append(line(kind, size, len(files), name, row, base, away))
    return table


def one_pass(way: Way, files: list[bytes]) -> list[Pass]:
    """Goes one way for all files in this thread."""
    started, busy = time.perf_counter(), time.process_time()
    for data in files:
        way(data)
    return [Pass(time.perf_counter() - started, time.process_time() - busy)]


def opened(files: list[bytes], size: int) -> list[Image.Image]:
    """Decodes a few files, at no less than three times the size."""
    images = [Image.open(BytesIO(data)) for data in files[:8]]
    for image in images:
        image.draft(None, (3 * size, 3 * size))
        image.load()
    return images


def resize_pass(images: list[Image.Image], size: int, resize: str) -> list[Pass]:
    """Resizes decoded pictures; the seconds are those of one."""
    work, rounds = find_resize(resize), 8
    started, busy = time.perf_counter(), time.process_time()
    for _ in range(rounds):
        for image in images:
            work(image, size, None)
    times = (time.perf_counter() - started, time.process_time() - busy)
    return [Pass(*(seconds / rounds / len(images) for seconds in times))]


def loader_pass(folder: str, size: int, resize: str) -> list[Pass]:
    """Loads all files in batches, as stage one does, with a thread a core."""
    source = open_images(folder)
    items = source.items()
    loader = Loader(
        source=source,
        items=items,
        digests=None,
        views=np.zeros(len(items), np.uint8),
        augmentation=Augmentation(),
        image_size=size,
        batch_size=min(BATCH, len(items)),
        resize=resize,
    )
    wanted = [np.arange(at, min(at + BATCH, len(items))) for at in range(0, len(items), BATCH)]
    started, busy = time.perf_counter(), time.process_time()
    for _ in load_ahead(wanted, loader, os.cpu_count() or 1):
        pass
    return [Pass(time.perf_counter() - started, time.process_time() - busy)]


def distances(found: Iterable[np.ndarray], reference: Iterable[np.ndarray]) -> list[np.ndarray]:
    """Returns the grey levels between pictures and their references."""
    return [np.abs(one.astype(int) - other) for one, other in zip(found, reference, strict=True)]


def compared_hostile(size: int) -> Iterable[dict[str, str]]:
    """Compares the pixels of all hostile files that are pictures; Pillow's are the reference."""
    if not TESTS.is_dir():
        return
    sys.path.insert(0, str(TESTS))
    from hostile_images import corpus

    pairs = []
    for file in corpus():
        try:
            pairs.append((decode(file.content, size, resize=find_resize(CYKOOZ)), decode(file.content, size)))
        except DecodeError:
            continue
    away = distances((quick for quick, _ in pairs), (plain for _, plain in pairs))
    yield line("hostile files of the tests", size, len(pairs), QUICK, None, None, away)


def line(
    kind: str, size: int, count: int, way: str, row: Row | None, base: Row | None, away: list[np.ndarray]
) -> dict[str, str]:
    """Returns a line of the table."""
    every = np.concatenate([one.ravel() for one in away]) if away else None
    return {
        "pictures": kind,
        "count": str(count),
        "size": str(size),
        "way": way,
        "milliseconds": number(row and row.seconds * 1e3 / row.images, 3),
        "cpu_milliseconds": number(row and row.cpu_seconds and row.cpu_seconds * 1e3 / row.images, 3),
        "times_faster_than_pillow": number(row and row.ratio_to(base), 2),
        "mean_error": number(None if every is None else float(every.mean()), 3),
        "max_error": number(None if every is None else float(every.max()), 0),
        "others_share": number(row and row.others, 2),
    }


if __name__ == "__main__":
    main()
