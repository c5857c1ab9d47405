"""What this package puts into an entry, known by name and content: nothing else is removed there."""

from __future__ import annotations

import re
from pathlib import Path, PurePath

from pipeline.cache.parts import Part
from pipeline.files import is_blank, root_of

SIGNATURE = b"\x89HDF\r\n\x1a\n"
"""How an HDF5 file begins."""
DRAFT = re.compile(r"(?P<name>.+)\.[0-9]+\.tmp")
_FEATURES = re.compile(r"(?P<part>[^.]+)(\.[0-9]+)?\.h5(\.partial|\.retired)?")
_WORDS = (b"weights_label", b"created_at", b"software", b"digests", b"crc32")
"""Names of attributes and columns, which stand in the first pages of a feature file; one may be damaged."""
_SPEC_WORDS = (b'"dataset"', b'"spec"', b'"weights_label"', b'"preprocessing"', b'"image_size"')


def cache_of(file: Path) -> Path:
    """Returns the cache of a file in an entry, ``<cache>/<dataset>/<entry>/<file>``."""
    return root_of(file, 2)


def is_features(name: PurePath, head: bytes) -> bool:
    """Tells whether a file is one of features: published, partial or retired, and be it damaged."""
    found = _FEATURES.fullmatch(name.name)
    ours = is_blank(head) or sum(word in head for word in _WORDS) > 1
    return ours and found is not None and Part.of(found["part"]) is not None


def is_spec(name: PurePath, head: bytes) -> bool:
    """Tells whether a file is the ``spec.json`` of an entry, and be it damaged."""
    ours = is_blank(head) or head == b"{}" or any(word in head for word in _SPEC_WORDS)
    return ours and name.name == "spec.json"


def is_lock(name: PurePath, head: bytes) -> bool:
    """Tells whether a file is a lock, by the name of its holder in it."""
    ours = is_blank(head) or head.startswith(b'{"pid": ')
    return ours and name.name.startswith(".") and name.name.endswith(".lock")


def is_leftover(name: PurePath, head: bytes) -> bool:
    """Tells whether a file is what a killed run has left: a draft, or the lock of a single file."""
    if name.name.startswith("probe-") and name.suffix == ".tmp":
        return re.fullmatch(rb"[0-9a-f]{0,32}", head) is not None
    if draft := DRAFT.fullmatch(name.name):
        begins = b"{" if draft["name"] == "spec.json" else SIGNATURE
        ours = draft["name"] == "spec.json" or _FEATURES.fullmatch(draft["name"]) is not None
        return ours and (is_blank(head) or head.startswith(begins))
    return name.name != ".lock" and is_lock(name, head)


def is_of_an_entry(name: PurePath, head: bytes) -> bool:
    """Tells whether a file is anything that this package puts into an entry."""
    return any(known(name, head) for known in (is_features, is_spec, is_lock, is_leftover))
