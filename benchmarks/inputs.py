"""Images to measure with: a user's own photographs, or made ones that cost a decoder about as much."""

from __future__ import annotations

import argparse
import shutil
from io import BytesIO
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from pipeline.spec import FeatureSpec

MADE = FeatureSpec(
    backbone="vgg16",
    weights="random:0",
    layer="block5_pool",
    pooling="none",
    image_size=150,
    preprocessing="caffe",
    precision="float32",
    store="float16",
)
"""What benchmarks of stage two say of features that they make up."""

CLASSES = ("first", "second")
SUFFIXES = (".jpg", ".jpeg")
JPEG_COMMENT = b"\xff\xfe"


def encoded(picture: Image.Image, quality: int = 60) -> bytes:
    """Saves a picture as JPEG."""
    buffer = BytesIO()
    picture.save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def smaller(picture: Image.Image) -> bytes:
    """Saves a picture at 70 % of its size."""
    size = (max(1, round(picture.width * 0.7)), max(1, round(picture.height * 0.7)))
    return encoded(picture.resize(size, Image.Resampling.LANCZOS), 90)


def add_image_option(parser: argparse.ArgumentParser) -> None:
    """Lets the user choose other images than the made ones."""
    parser.add_argument("--images", type=Path, help="folder of JPEG photographs; default: made ones")


def place_images(source: Path | None, folder: Path, count: int) -> Path:
    """Fills ``folder/train/<class>/`` with different images in two classes.

    Args:
        source: Where JPEG files are taken from, evenly over its sorted list; None = make them.
        folder: Where they are put.
        count: How many. Where the source has fewer, they are repeated with another comment inside, so
            that every file has a content of its own.

    Returns:
        The folder.

    Raises:
        SystemExit: The source holds no JPEG file.
    """
    if source is None:
        made = [photograph(number) for number in range(min(count, 500))]
    else:
        files = sorted(path for path in source.rglob("*") if path.suffix.lower() in SUFFIXES)
        if not files:
            raise SystemExit(f"{source} holds no file ending in {' or '.join(SUFFIXES)}")
        chosen = np.linspace(0, len(files) - 1, min(count, len(files))).astype(int)
        made = [files[index].read_bytes() for index in chosen]
    for name in CLASSES:
        (folder / "train" / name).mkdir(parents=True)
    for number in range(count):
        place = folder / "train" / CLASSES[number % len(CLASSES)] / f"{number:06}.jpg"
        place.write_bytes(_with_comment(made[number % len(made)], number))
    return folder


def photograph(seed: int, size: tuple[int, int] | None = None) -> bytes:
    """Makes a JPEG of soft light, shapes and grain, the same for the same seed.

    Args:
        seed: Another one makes another picture.
        size: Width and height in pixels; None = 180 to 500 each.
    """
    draw = np.random.default_rng(seed)
    width, height = size or (int(extent) for extent in draw.integers(180, 501, 2))
    light = Image.fromarray(draw.integers(0, 256, (6, 8, 3), np.uint8))
    picture = light.resize((width, height), Image.Resampling.BICUBIC)
    pen = ImageDraw.Draw(picture)
    for _ in range(12):
        (left, right), (top, bottom) = np.sort(draw.integers(0, (width, height), (2, 2)), axis=0).T.tolist()
        colour = tuple(draw.integers(0, 256, 3).tolist())
        (pen.ellipse if draw.random() < 0.5 else pen.rectangle)((left, top, right, bottom), fill=colour)
    grain = draw.normal(0, 8, (height, width, 1))
    pixels = np.clip(np.asarray(picture) + grain, 0, 255).astype(np.uint8)
    return _encoded(Image.fromarray(pixels))


def empty(folder: Path) -> Path:
    """Returns a folder that holds nothing, whatever it held before."""
    shutil.rmtree(folder, ignore_errors=True)
    return folder


def _encoded(picture: Image.Image) -> bytes:
    buffer = BytesIO()
    picture.save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def _with_comment(jpeg: bytes, number: int) -> bytes:
    """Puts a comment behind the first marker: other bytes, hence another digest, of the same picture."""
    text = f"copy {number}".encode()
    return jpeg[:2] + JPEG_COMMENT + (len(text) + 2).to_bytes(2, "big") + text + jpeg[2:]
