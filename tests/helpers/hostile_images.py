"""A corpus of images that want to do harm, or have come to harm: with what is to become of each."""

from __future__ import annotations

import io
import os
import struct
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from tiffs import DEFLATE, GREY_INVERTED, JPEG, RGB, tiff

SIDE = 60_000
"""Height and width that the bombs promise: 3.6 gigapixels."""

EDGE = 32
"""Height and width in pixels that the corpus is extracted at."""


class Hostile(NamedTuple):
    """One file.

    Attributes:
        name: Its name, with the folders below a class.
        content: Its bytes.
        reason: Part of the reason that is listed; empty where it is to be decoded.
        pixels: What it is to be decoded to, uint8 (EDGE, EDGE, 3), exactly or nearly; None = anything.
    """

    name: str
    content: bytes
    reason: str = ""
    pixels: np.ndarray | None = None


def encode(image: np.ndarray | Image.Image, kind: str = "PNG", **options: object) -> bytes:
    """Encodes pixels or a Pillow image in a format."""
    file = io.BytesIO()
    (Image.fromarray(image) if isinstance(image, np.ndarray) else image).save(file, kind, **options)
    return file.getvalue()


def picture(height: int = 60, width: int = 80) -> np.ndarray:
    """Returns a soft, colourful picture that is different in every corner, uint8 (height, width, 3)."""
    y, x = np.mgrid[:height, :width]
    red, blue = x * 255 // max(width - 1, 1), y * 255 // max(height - 1, 1)
    return np.stack([red, (red + blue) // 2, blue], axis=-1).astype(np.uint8)


def wanted(image: np.ndarray | Image.Image) -> np.ndarray:
    """Returns what Pillow alone makes of a picture, uint8 (EDGE, EDGE, 3)."""
    image = Image.fromarray(image) if isinstance(image, np.ndarray) else image
    return np.asarray(image.convert("RGB").resize((EDGE, EDGE), Image.Resampling.BILINEAR))


def bombs() -> dict[str, bytes]:
    """Returns small files whose headers promise 3.6 gigapixels."""
    pixels = np.zeros((8, 8, 3), np.uint8)
    big, little = struct.pack(">L", SIDE), struct.pack("<L", SIDE)
    png, bmp, gif = encode(pixels), encode(pixels, "BMP"), encode(pixels, "GIF")
    header = b"IHDR" + big + big + png[24:29]
    jpeg = encode(pixels, "JPEG")
    frame = jpeg.index(b"\xff\xc0") + 5
    webp = b"RIFF\x1e\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0" + (little[:3] * 2)
    tiff = encode(pixels, "TIFF", tiffinfo={})
    for tag in (256, 257):
        entry = tiff.index(struct.pack("<H", tag), 8)
        tiff = tiff[: entry + 2] + struct.pack("<HLL", 4, 1, SIDE) + tiff[entry + 12 :]
    return {
        "PNG": png[:12] + header + struct.pack(">L", zlib.crc32(header)) + png[33:],
        "BMP": bmp[:18] + little + little + bmp[26:],
        "GIF": gif[:6] + little[:2] * 2 + gif[10:],
        "JPEG": jpeg[:frame] + struct.pack(">HH", SIDE, SIDE) + jpeg[frame + 4 :],
        "WebP": webp,
        "TIFF": tiff,
        "PPM": b"P6 60000 60000 255\n" + bytes(100),
    }


def corpus() -> Iterator[Hostile]:
    """Yields all files that an ordinary file system can hold as they are."""
    yield from _no_images()
    yield from _truncated()
    yield from (
        Hostile(f"bomb-{kind}.png", content, "pixels are more than") for kind, content in bombs().items()
    )
    yield from _bombs_inside()
    yield from _odd_shapes()
    yield from _colours()
    yield from _metadata()
    yield from _animations()
    yield from _names()


def _no_images() -> Iterator[Hostile]:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("a", "b")
    yield Hostile("empty.jpg", b"", "the file is empty")
    yield Hostile("one-byte.jpg", b"\xff", "no image of a known format")
    for kind, content in {
        "svg": b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>',
        "html": b"<html><body onload=alert(1)></html>",
        "zip": archive.getvalue(),
        "elf": b"\x7fELF" + bytes(100),
        "python": b"import os; os.abort()",
        "eps": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 8 8\n",
        "icon": b"\0\0\x01\0\x01\0",
    }.items():
        yield Hostile(f"{kind}-inside.jpg", content, "no image of a known format")
    yield Hostile("png-inside.jpg", encode(picture()), pixels=wanted(picture()))
    yield Hostile("tiff-inside.gif", encode(picture(), "TIFF"), pixels=wanted(picture()))


def _truncated() -> Iterator[Hostile]:
    noise = np.random.default_rng(0).integers(0, 256, (60, 80, 3), np.uint8)
    for kind in ("PNG", "JPEG", "GIF", "BMP", "WEBP", "TIFF", "PPM"):
        whole = encode(noise, kind)
        for tenth in range(1, 10):
            content = whole[: len(whole) * tenth // 10]
            yield Hostile(f"cut-{kind}-{tenth}0.png", content, "truncated|damaged|no pixels|cut off|Trunc")


def _bombs_inside() -> Iterator[Hostile]:
    zeros = zlib.compress(bytes(50_000_000), 9)
    png = encode(picture())
    for kind, content in ((b"zTXt", b"a\0\0" + zeros), (b"iCCP", b"a\0\0" + zeros)):
        chunk = struct.pack(">L", len(content)) + kind + content
        chunk += struct.pack(">L", zlib.crc32(kind + content))
        name = kind.decode()
        yield Hostile(f"bomb-{name}.png", png[:33] + chunk + png[33:], "Decompressed data too large|damaged")
    gif = encode(np.zeros((8, 8), np.uint8), "GIF")
    frame = gif.index(b",", 13)
    yield Hostile(
        "bomb-frame.gif",
        gif[: frame + 5] + struct.pack("<HH", SIDE, SIDE) + gif[frame + 9 :],
        "pixels are more than|exceeds limit|damaged",
    )


def _odd_shapes() -> Iterator[Hostile]:
    for height, width in ((1, 1), (1, 20_000), (20_000, 1)):
        pixels = picture(height, width)
        yield Hostile(f"shape-{height}x{width}.png", encode(pixels), pixels=wanted(pixels))


def _colours() -> Iterator[Hostile]:
    inks = (10, 200, 60, 30)
    cmyk = Image.new("CMYK", (40, 40), inks)
    yield Hostile("cmyk-adobe.jpg", encode(cmyk, "JPEG", quality=100), pixels=wanted(cmyk))
    yield Hostile("cmyk.tif", encode(cmyk, "TIFF"), pixels=wanted(cmyk))
    # YCCK: the three inks as luminance and chrominance, told by the last byte of Adobe's own segment.
    light = np.asarray(Image.new("RGB", (1, 1), inks[:3]).convert("YCbCr"))[0, 0].tolist()
    stored = encode(
        Image.new("CMYK", (40, 40), (*(255 - part for part in light), inks[3])), "JPEG", quality=100
    )
    at = stored.index(b"Adobe") + 11
    yield Hostile("ycck-adobe.jpg", stored[:at] + b"\2" + stored[at + 1 :], pixels=wanted(cmyk))
    deep = np.linspace(0, 65535, EDGE * EDGE).reshape(EDGE, EDGE).astype(np.uint16)
    grey = np.repeat(np.rint(deep / 257).astype(np.uint8)[..., None], 3, axis=2)
    yield Hostile("deep-grey.png", encode(Image.fromarray(deep)), pixels=grey)
    rgb = np.repeat(deep[..., None], 3, axis=2)
    yield Hostile("deep-rgb.png", deep_rgb_png(rgb), pixels=np.rint(rgb / 257).astype(np.uint8))
    yield Hostile("deep-rgb.tif", tiff(rgb, RGB, compression=DEFLATE, predictor=2), pixels=rgb // 257)
    yield Hostile("deep-white-is-zero.tif", tiff(65535 - deep, GREY_INVERTED), pixels=grey)
    yield Hostile("deep-jpeg.tif", tiff(deep, compression=JPEG), "with JPEG compression is not read")
    yield Hostile("deep-cut.tif", tiff(deep, more={273: (4, [2**31])}), "truncated")
    huge = {322: (4, [SIDE]), 323: (4, [SIDE]), 324: (4, [8]), 325: (4, [9])}
    yield Hostile("deep-tile.tif", tiff(deep, more=huge), "more than the limit of 600,000,000 bytes")
    clear = Image.new("P", (EDGE, EDGE), 0)
    clear.putpalette([200, 10, 10, 10, 200, 10])
    clear.paste(1, (EDGE // 2, 0, EDGE, EDGE))
    on_white = np.full((EDGE, EDGE, 3), 255, np.uint8)
    on_white[:, EDGE // 2 :] = [10, 200, 10]
    yield Hostile("palette-clear.png", encode(clear, transparency=0), pixels=on_white)
    nothing = np.dstack([picture(), np.zeros((60, 80), np.uint8)])
    yield Hostile(
        "all-clear.webp", encode(nothing, "WEBP", lossless=True), pixels=np.full_like(on_white, 255)
    )
    nan = np.full((8, 8), np.nan, np.float32)
    yield Hostile("not-a-number.tif", encode(Image.fromarray(nan), "TIFF"), "not finite numbers")


def deep_rgb_png(pixels: np.ndarray) -> bytes:
    """Writes what Pillow reads but does not write: 16 bits a colour."""
    height, width, _ = pixels.shape
    lines = b"".join(b"\0" + line.astype(">u2").tobytes() for line in pixels)
    chunks = (
        (b"IHDR", struct.pack(">LLBBBBB", width, height, 16, 2, 0, 0, 0)),
        (b"IDAT", zlib.compress(lines)),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">L", len(content)) + kind + content + struct.pack(">L", zlib.crc32(kind + content))
        for kind, content in (*chunks, (b"IEND", b""))
    )


def _metadata() -> Iterator[Hostile]:
    pixels, square = picture(), picture(EDGE, EDGE)
    turned = {6: np.rot90(square, -1), 3: np.rot90(square, 2)}
    for orientation, result in turned.items():
        exif = Image.Exif()
        exif[0x0112] = orientation
        yield Hostile(f"exif-{orientation}.png", encode(square, exif=exif), pixels=result)
    endless = b"Exif\0\0II*\0\x08\0\0\0\xff\xff" + struct.pack("<HHLL", 0x0112, 3, 1, 99) + bytes(40)
    for name, block in {
        "endless": endless,
        "looping": b"Exif\0\0MM\0*\0\0\0\0" * 9,
        "empty": b"Exif\0\0",
    }.items():
        yield Hostile(
            f"exif-{name}.jpg", encode(pixels, "JPEG", exif=block, quality=95), pixels=wanted(pixels)
        )
    yield Hostile("icc-garbage.png", encode(pixels, icc_profile=b"\xff" * 999), pixels=wanted(pixels))
    yield Hostile(
        "icc-garbage.jpg",
        encode(pixels, "JPEG", icc_profile=b"x" * 70_000, quality=95),
        pixels=wanted(pixels),
    )
    text = PngInfo()
    text.add_text("<script>", "alert(1)\n" * 999)
    yield Hostile("script-inside.png", encode(pixels, pnginfo=text), pixels=wanted(pixels))


def _animations() -> Iterator[Hostile]:
    first, second = Image.fromarray(picture()), Image.new("RGB", (80, 60), (255, 0, 0))
    for kind in ("PNG", "WEBP"):
        content = encode(first, kind, save_all=True, append_images=[second] * 20, lossless=True)
        yield Hostile(f"moving-{kind}.png", content, pixels=wanted(first))
    few = first.quantize(64)
    gif = encode(few, "GIF", save_all=True, append_images=[second] * 20)
    yield Hostile("moving.gif", gif, pixels=wanted(few))


def _names() -> Iterator[Hostile]:
    names = [
        "new\nline.png",
        "carriage\rreturn.png",
        "\x1b[2J\x1b[31mescape.png",
        "emoji \U0001f408.png",
        "<script>alert(1)</script>".replace("/", "\N{DIVISION SLASH}") + ".png",
        "=cmd|calc!A0.png",
        "-rf.png",
        " .png",
        "right-to-left \u202egnp.png",
        os.fsdecode(b"no-\xff\xfe-utf8.png"),
        "long-" + "x" * 246 + ".png",
        "%s%n{0}$HOME`id`;.png",
    ]
    for number, name in enumerate(names):
        pixels = picture()
        pixels[0, 0] = number
        yield Hostile(name, encode(pixels), pixels=wanted(pixels))


def write_corpus(folder: Path, files: list[Hostile]) -> None:
    """Writes files into a folder; none of them may have the content of another."""
    folder.mkdir(parents=True, exist_ok=True)
    for file in files:
        (folder / file.name).write_bytes(file.content)


def add_traps(folder: Path, root: Path, outside: Path) -> list[str]:
    """Adds what is no file at all, or leads away, and returns the names of what is to be passed over.

    Args:
        folder: A class folder.
        root: The root that it stands below.
        outside: A folder that does not belong to the images.
    """
    outside.mkdir()
    (outside / "secret.png").write_bytes(encode(picture(9, 9)))
    os.mkfifo(folder / "pipe.png")
    (folder / "loop.png").symlink_to("loop.png")
    (folder / "nowhere.png").symlink_to("missing.png")
    (folder / "device.png").symlink_to("/dev/zero")
    (folder / "secret.png").symlink_to(outside / "secret.png")
    (folder / "out").symlink_to(outside)
    (folder / "up").symlink_to(root)
    (folder / "a-folder.png").mkdir()
    return ["pipe.png", "loop.png", "nowhere.png", "device.png", "secret.png"]
