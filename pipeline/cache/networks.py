"""Quantised networks of a data set, ``<cache>/<dataset>/int8/<network>``, known by the record beside each."""

from __future__ import annotations

import contextlib
import hashlib
import json
import re
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path, PurePath
from typing import Any

from pipeline.cache.entries import NETWORKS, SPEC_FILE, is_lock, read_entry
from pipeline.errors import CacheMismatchError, ForeignFileError, UnreadableFileError, system_refusal
from pipeline.files import Known, LeftAlone, is_blank, refuse_links
from pipeline.plain_json import parse_json
from pipeline.spec import FeatureSpec

RECORD = "calibration.json"
FILES = ("model.xml", "model.bin")
DEPTH = 3
"""Folders of the cache down to a network."""
_DRAFT = re.compile(r"draft-[0-9a-f]{8}\.(xml|bin)|calibration\.json\.[0-9]+\.tmp")
_LIKE_OURS = re.compile(r".+-[0-9a-f]{8}")


def identity_of(method: str, digests: Sequence[str]) -> str:
    """Returns the SHA-256 (64 hex digits) of the images that set ranges and of how they are used."""
    return hashlib.sha256(json.dumps([method, *digests]).encode()).hexdigest()


def network_name(spec: FeatureSpec, identity: str) -> str:
    """Returns the folder of the network that a spec and its calibration name."""
    return replace(spec, calibration=identity).entry_name


def read_record(path: Path) -> dict[str, Any]:
    """Reads what stands beside a network: ``spec``, ``method``, ``digests`` and ``files``.

    Raises:
        FileNotFoundError: There is none.
        ValueError: It was read, and is damaged or describes another network.
        UnreadableFileError: The system does not let it be read now.
    """
    try:
        record = parse_json(path.read_text())
        record = record | {"spec": FeatureSpec.from_json(json.dumps(record["spec"]))}
        name = network_name(record["spec"], identity_of(record["method"], record["digests"]))
        if not isinstance(record["files"], dict) or not all(
            isinstance(one, str) for one in record["digests"]
        ):
            raise TypeError("its fields are of other types")
    except FileNotFoundError:
        raise
    except (OSError, MemoryError) as error:
        raise UnreadableFileError(path, system_refusal(error) or str(error)) from error
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise ValueError(f"{path} is damaged") from error
    if name != path.parent.name:
        raise ValueError(f"{path} belongs to {name}")
    return record


def is_whole(folder: Path) -> bool:
    """Tells whether a quantised network stands in a folder, by the checksums beside it.

    Raises:
        UnreadableFileError: The system does not let it be read now.
    """
    try:
        checksums = read_record(folder / RECORD)["files"]
        return all(sha256_of(folder / name) == checksums[name] for name in FILES)
    except (FileNotFoundError, ValueError, KeyError):
        return False


def sha256_of(path: Path) -> str:
    """Returns the SHA-256 (64 hex digits) of a file.

    Raises:
        FileNotFoundError: There is none.
        UnreadableFileError: The system does not let it be read now.
    """
    try:
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        raise
    except (OSError, MemoryError) as error:
        raise UnreadableFileError(path, system_refusal(error) or str(error)) from error


def made_in(folder: Path) -> Known:
    """Returns what tells the files of a network from all others; weights have no mark of their own."""
    network, weights = FILES
    ours = _is_network(_beginning(folder / network))
    if not ours:
        with contextlib.suppress(FileNotFoundError, ValueError):
            ours = bool(read_record(folder / RECORD))

    def known(name: PurePath, head: bytes) -> bool:
        if name.name in (weights, RECORD):
            return ours
        if name.name == network:
            return is_blank(head) or _is_network(head)
        return _DRAFT.fullmatch(name.name) is not None or is_lock(name, head)

    return known


def _is_network(head: bytes) -> bool:
    """Tells whether a file begins as OpenVINO's do."""
    return b"<net" in head[:200]


def _beginning(path: Path) -> bytes:
    try:
        with open(path, "rb") as file:
            return file.read(200)
    except OSError:
        return b""


def unused_networks(cache: Path) -> tuple[list[Path], list[LeftAlone]]:
    """Lists the networks that no entry was computed with; an entry that cannot be read may need any of them.

    Returns:
        The folders of those that this package made, and what else looks like one, with the reason it stays.
    """
    used, doubtful = set(), set()
    for path in cache.glob(f"*/*/{SPEC_FILE}"):
        dataset = path.parent.parent
        try:
            used.add(dataset / NETWORKS / read_entry(path.parent).spec.network.entry_name)
        except (CacheMismatchError, UnreadableFileError):
            doubtful.add(dataset)
    unused, left = [], {}
    for folder in sorted(cache.glob(f"*/{NETWORKS}/*")):
        if folder in used or folder.parent.parent in doubtful or not _LIKE_OURS.fullmatch(folder.name):
            continue
        try:
            refuse_links(folder, root=cache, folder=True)
            read_record(folder / RECORD)
            unused.append(folder)
        except (ForeignFileError, UnreadableFileError) as error:
            left[error.path] = LeftAlone(error.path, error.reason)
        except (FileNotFoundError, ValueError):
            left[folder] = LeftAlone(folder, "has no sound record by which it could be known")
    return unused, list(left.values())
