"""Formats beyond the usual ones: read, or called by their names; and files whose names say nothing."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from pipeline.images import open_images
from pipeline.images.decode import DecodeError, decode
from pipeline.images.formats.encoded import looks_like_image
from pipeline.images.formats.kinds import HEAD_BYTES, Kind, kind_of

COLOUR = (200, 60, 30)


def picture(kind, mode="RGB", **options):
    encoded = io.BytesIO()
    Image.new("RGB", (24, 16), COLOUR).convert(mode).save(encoded, kind, **options)
    return encoded.getvalue()


READ = [
    ("x.avif", "AVIF", "RGB"),
    ("x.jp2", "JPEG2000", "RGB"),
    ("x.j2k", "JPEG2000", "RGB"),
    ("x.jpx", "JPEG2000", "L"),
    ("x.tga", "TGA", "RGB"),
    ("X.TGA", "TGA", "RGBA"),
    ("x.tga", "TGA", "L"),
    ("x.tga", "TGA", "LA"),
    ("x.sgi", "SGI", "RGB"),
    ("x.bw", "SGI", "L"),
    ("x.pcx", "PCX", "RGB"),
    ("x.mpo", "MPO", "RGB"),
    ("x.apng", "PNG", "RGB"),
]


@pytest.mark.parametrize(("name", "kind", "mode"), READ)
def test_what_pillow_reads_is_read(name, kind, mode, tmp_path):
    (tmp_path / "cat").mkdir()
    (tmp_path / "cat" / name).write_bytes(picture(kind, mode))
    source = open_images(str(tmp_path))
    (item,) = source.items()
    expected = np.asarray(Image.new("RGB", (1, 1), COLOUR).convert(mode).convert("RGB"))[0, 0]
    assert np.abs(decode(source.read(item), 8)[4, 4].astype(int) - expected).max() <= 2


HEIC = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + bytes(40)
LFS = b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a2146\nsize 12345\n"
ANNEX = b"/annex/objects/SHA256E-s120--4d7a.jpg\n"


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (HEIC, "but HEIC: convert it to PNG or JPEG"),
        (b"\xff\x0a" + bytes(40), "but JPEG XL"),
        (b'<?xml version="1.0"?>\n<svg xmlns="http://www.w3.org/2000/svg"/>', "but SVG"),
        (b"8BPS\0\1" + bytes(40), "but Photoshop"),
        (bytes(128) + b"DICM" + bytes(40), "but DICOM"),
        (LFS, "a Git LFS pointer, not the image itself: run `git lfs pull`"),
        (ANNEX, "a git-annex pointer, not the image itself: run `git annex get`"),
    ],
)
def test_what_is_not_read_is_called_by_its_name(content, reason):
    assert looks_like_image(content[:HEAD_BYTES])
    with pytest.raises(DecodeError) as caught:
        decode(content, 8)
    assert reason in str(caught.value)


@pytest.mark.parametrize(
    ("name", "content", "taken"),
    [
        ("photo", picture("JPEG"), True),
        ("photo.2", picture("PNG"), True),
        ("photo.dat", picture("WEBP"), True),
        ("photo.img", picture("AVIF"), True),
        ("photo.PNG", picture("JPEG"), True),  # a wrong suffix: the content decides how it is decoded
        ("photo.heic", HEIC, True),  # so that it is listed as unreadable
        ("photo", HEIC, True),
        ("photo", LFS, True),
        ("photo.jpg", LFS, True),
        ("photo", b"BMI of all patients, 2019", False),
        ("photo", b"P5 is the fifth of the patients", False),
        ("photo", bytes(600), False),
        ("photo", b"", False),
        ("README", picture("PNG"), False),
        ("photo.txt", picture("PNG"), False),
        ("photo.jpg~", picture("JPEG"), False),
        ("photo.png.part", picture("PNG"), False),
        (".photo.png", picture("PNG"), False),
        ("._photo.png", picture("PNG"), False),
        ("Thumbs.db", picture("PNG"), False),
        (".DS_Store", b"\0\0\0\1Bud1", False),
    ],
)
def test_the_name_decides_and_the_first_bytes_where_it_says_nothing(name, content, taken, tmp_path):
    (tmp_path / "cat").mkdir()
    (tmp_path / "cat" / "0.png").write_bytes(picture("PNG"))
    (tmp_path / "cat" / name).write_bytes(content)
    source = open_images(str(tmp_path))
    assert [item.id for item in source.items()] == sorted(["cat/0.png"] + [f"cat/{name}"] * taken)


def test_no_file_with_a_telling_name_is_opened_to_be_listed(make_images, tmp_path, monkeypatch):
    root = make_images(tmp_path, "cat/1.png", "cat/2.jpg")
    (root / "cat" / "notes.txt").write_text("x")
    monkeypatch.setattr("pipeline.images.sources._storage.first_bytes", lambda path: pytest.fail(path))
    assert len(open_images(str(root)).items()) == 2


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.JPG", Kind.IMAGE),
        ("a.tar.jpeg", Kind.IMAGE),
        ("scan.nii.gz", Kind.IMAGE),
        ("a.csv", Kind.OTHER),
        ("LICENSE", Kind.OTHER),
        ("a.jpg.bak", Kind.UNFINISHED),
        ("a.jpg.crdownload", Kind.UNFINISHED),
        ("jpg", Kind.UNKNOWN),
        ("a.0001", Kind.UNKNOWN),
    ],
)
def test_what_names_say(name, kind):
    assert kind_of(name) is kind
