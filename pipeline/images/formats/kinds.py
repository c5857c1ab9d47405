"""What a file is, as far as its name and its first bytes tell."""

from __future__ import annotations

import os
import re
from enum import Enum

HEAD_BYTES = 512
"""As many of a file's first bytes tell what it is."""

_READ = (
    ".jpg .jpeg .jpe .jfif .mpo .png .apng .gif .bmp .webp .tif .tiff .ppm .pgm .pbm .pnm .pfm .avif .avifs "
    ".jp2 .j2k .jpf .jpx .j2c .jpc .tga .icb .vda .vst .sgi .rgb .rgba .bw .pcx"
)
READ = frozenset(_READ.split())
"""Suffixes of formats that are decoded."""

_RAW = (
    ".dng .cr2 .cr3 .crw .nef .nrw .arw .srf .sr2 .orf .rw2 .raf .pef .srw .3fr .fff .iiq .dcr .kdc .mrw "
    ".x3f .raw .rwl .mos .mef .erf"
)
_UNREAD = {
    "HEIC": ".heic .heif .hif .heics .heifs",
    "SVG": ".svg .svgz",
    "JPEG XL": ".jxl",
    "JPEG XR": ".jxr .wdp .hdp",
    "camera raw": _RAW,
    "Photoshop": ".psd .psb",
    "GIMP": ".xcf",
    "DICOM": ".dcm .dicom .ima",
    "volume": ".nii .nrrd .nhdr .mha .mhd .mgz .mnc",
    "microscope": ".czi .lif .nd2 .oib .oif .lsm .vsi",
    "FITS": ".fits .fit .fts",
    "OpenEXR": ".exr",
    "Radiance": ".hdr",
    "QOI": ".qoi",
    "DDS": ".dds",
    "icon": ".ico .cur .icns",
    "PostScript": ".eps .ai",
    "metafile": ".wmf .emf",
    "other": ".xbm .xpm .ras .im .msp .pic .pict .pct .djvu .bpg .flif .dpx .cin .dcx .blp .ftex .jls .kra",
}
UNREAD = {suffix: name for name, suffixes in _UNREAD.items() for suffix in suffixes.split()}
"""Suffixes of pictures in formats that are not decoded, with the name of the format."""

_OTHER = (
    ".txt .csv .tsv .json .jsonl .ndjson .xml .yaml .yml .toml .ini .cfg .conf .md .rst .html .htm .css .js "
    ".log .pdf .doc .docx .xls .xlsx .odt .rtf .tex .bib .py .pyc .ipynb .sh .bat .m .r .java .c .cpp .h "
    ".sql .db .sqlite .npy .npz .mat .h5 .hdf5 .pkl .pickle .pt .pth .ckpt .onnx .tflite .parquet .arrow "
    ".feather .tfrecord .tfrecords .rec .idx .lst .zip .tar .gz .tgz .bz2 .xz .zst .7z .rar .mp4 .mov .avi "
    ".mkv .webm .m4v .wmv .flv .mpg .mpeg .3gp .mp3 .wav .flac .ogg .m4a .xmp .aae .thm .lnk .url .webloc "
    ".exe .dll .so .dvc .md5 .sha1 .sha256 .crc .asc .sig .gitkeep .ply .obj .stl .pcd .cls .caption"
)
_OTHER_SUFFIXES = frozenset(_OTHER.split())
_NAMES = (
    "thumbs.db desktop.ini readme license licence copying notice changelog makefile dockerfile manifest "
    "classes labels"
)
_OTHER_NAMES = frozenset(_NAMES.split())
_UNFINISHED = re.compile(
    r".*(?:~|\.(?:bak|orig|old|tmp|temp|swp|part|partial|crdownload|download|filepart))", re.DOTALL
)

# Pictures that are not decoded, by their first bytes; those that are decoded stand in `encoded.py`.
_SIGNS: tuple[tuple[str, re.Pattern[bytes]], ...] = tuple(
    (name, re.compile(pattern, re.DOTALL))
    for name, pattern in (
        ("HEIC", rb".{4}ftyp(?:hei[cfmsx]|hev[cmsx]|mif1|msf1)"),
        ("SVG", rb"(?:\xef\xbb\xbf)?(?:\s|<\?xml[^>]*>|<!--.*?-->|<!DOCTYPE svg[^>]*>)*<svg[\s>]"),
        ("JPEG XL", rb"\xff\x0a|\0\0\0\x0cJXL \r\n\x87\n"),
        ("JPEG XR", rb"II\xbc"),
        ("camera raw", rb"FUJIFILMCCD-RAW|IIRO|IIRS|MMOR|IIU\0|\0MRM|FOVb|.{4}ftypcrx "),
        ("Photoshop", rb"8BPS\0[\1\2]"),
        ("GIMP", rb"gimp xcf "),
        ("DICOM", rb".{128}DICM"),
        ("FITS", rb"SIMPLE  =                    T"),
        ("OpenEXR", rb"v/1\x01"),
        ("Radiance", rb"#\?RADIANCE\n"),
        ("QOI", rb"qoif"),
        ("DDS", rb"DDS \x7c\0\0\0"),
        ("icon", rb"\0\0[\1\2]\0[^\0]\0.{3}\0|icns"),
        ("PostScript", rb"%!PS-Adobe-[0-9.]+ EPSF"),
    )
)
_POINTERS = (
    (
        b"version https://git-lfs.github.com/spec/",
        "a Git LFS pointer, not the image itself: run `git lfs pull`",
    ),
    (b"/annex/objects/", "a git-annex pointer, not the image itself: run `git annex get`"),
)


class Kind(Enum):
    """What a file's name says of it."""

    IMAGE = "an image"
    OTHER = "no image"
    UNFINISHED = "a backup, or a download that was not finished"
    UNKNOWN = "nothing; its first bytes may tell"


def kind_of(name: str) -> Kind:
    """Tells what a file's name says of it; hidden files are for whoever lists them."""
    base = name.strip().lower()
    stem, suffix = os.path.splitext(base)
    if suffix in READ or suffix in UNREAD or base.endswith(".nii.gz"):
        return Kind.IMAGE
    if suffix in _OTHER_SUFFIXES or base in _OTHER_NAMES or stem in _OTHER_NAMES:
        return Kind.OTHER
    return Kind.UNFINISHED if _UNFINISHED.fullmatch(base) else Kind.UNKNOWN


def pointer(head: bytes) -> str:
    """Says where an image is to be had, where a file is only a pointer to it; else empty."""
    return next((trouble for sign, trouble in _POINTERS if head.startswith(sign)), "")


def unread_format(head: bytes) -> str:
    """Returns the format of a picture that is not decoded, by its first bytes; empty where it is none."""
    return next((name for name, sign in _SIGNS if sign.match(head[:HEAD_BYTES])), "")
