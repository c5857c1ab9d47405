"""The shelf: bases in files that have a name of their own, copied to one place for every project.

A folder ``<shelf>/<name>`` holds the network, its external data, its preprocessing as TOML, and
``base.json``, which says what is ours. The shelf is at ``$PIPELINE_BACKBONES``, else among the user's data.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

from pipeline.backbones.configs.own import write
from pipeline.backbones.file_base import FileBase
from pipeline.backbones.graph import SUFFIXES, check_file
from pipeline.backbones.table import BACKBONES
from pipeline.errors import UsageError, disk_errors
from pipeline.files import Known, LeftAlone, is_blank, remove, remove_folder
from pipeline.paths import expanded, is_folder_name
from pipeline.plain_json import parse_json
from pipeline.publishing import published

PLACE = "PIPELINE_BACKBONES"
RECORD = "base.json"
_BEGIN = b'{"base": '
_NAME = re.compile(r"[a-z0-9][a-z0-9_.-]{0,79}")
RESERVED = ("add", "get", "remove", "show")
"""Words that follow `pipeline backbones`."""


@dataclass(frozen=True)
class Shelved:
    """A base on the shelf.

    Attributes:
        name: What it is called.
        path: The file of its network.
        origin: Where it came from.
        bytes: Size of all its files.
    """

    name: str
    path: Path
    origin: str
    bytes: int


def shelf_folder() -> Path:
    """Returns where the shelf is, whether it is there or not."""
    if chosen := os.environ.get(PLACE):
        return expanded(chosen)
    data = os.environ.get("XDG_DATA_HOME") or "~/.local/share"
    return expanded(data) / "two-stage-pipeline" / "backbones"


def shelved() -> dict[str, Shelved]:
    """Lists the bases on the shelf by name; what is no sound base is passed over."""
    found = {}
    for record in sorted(shelf_folder().glob(f"*/{RECORD}")):
        one = _read(record.parent)
        if one is not None:
            found[one.name] = one
    return found


def take(name: str) -> FileBase | None:
    """Opens a base of the shelf; None where there is none of this name.

    Raises:
        UsageError: It cannot be used any more.
    """
    if not _NAME.fullmatch(name):
        return None
    one = _read(shelf_folder() / name)
    return None if one is None else FileBase.of_file(one.path, address=name, name=name)


def add(name: str, network: Path, *, config: Path | None = None, origin: str = "") -> Shelved:
    """Copies a network to the shelf, once it is known that it can be a base.

    Args:
        name: What it is to be called; an older base of this name gives way.
        network: Its file.
        config: The file that states its preprocessing, wherever that is; None = beside it.
        origin: Where it came from; empty = the path.

    Raises:
        UsageError: The name cannot be used, or the network is no base.
        ForeignFileError: Something else stands where it is to be.
        PipelineError: The shelf cannot be written.
    """
    check_name(name)
    base = FileBase.of_file(expanded(network), config=config)
    if base.path is None or base.stated is None:
        raise AssertionError("a file has a path, and states how pictures are prepared")
    shape = base.cuts(base.own_size)  # told now, and not when it is used
    if not shape:
        raise UsageError(f"{network} has no place to cut it at that could be cached")
    files = [base.path, *(base.path.parent / one for one in check_file(base.path))]
    folder, root = shelf_folder() / name, shelf_folder()
    toml = Path(base.path.name).with_suffix(".toml").name
    record = {
        "base": name,
        "network": base.path.name,
        "files": [*(one.name for one in files), toml],
        "origin": origin or str(base.path),
    }
    trouble = f"the base cannot be written to {folder}"
    with (
        disk_errors(trouble, f"Choose another place with {PLACE}"),
        published(folder, root=root, known=_made_in(folder)) as draft,
    ):
        for one in files:
            shutil.copyfile(one, draft / one.name)
        (draft / toml).write_text(write(base.stated), encoding="utf-8")
        (draft / RECORD).write_text(json.dumps(record), encoding="utf-8")
    made = _read(folder)
    if made is None:
        raise AssertionError("what was just written is there")
    return made


def discard(name: str) -> list[LeftAlone]:
    """Removes a base from the shelf.

    Returns:
        What stays in its folder, because it was not put there by :func:`add`.

    Raises:
        UsageError: There is none of this name.
    """
    if name not in shelved():
        known = ", ".join(shelved()) or "none"
        raise UsageError(f"no base {name!r} on the shelf at {shelf_folder()}: those there are {known}")
    folder, root = shelf_folder() / name, shelf_folder()
    known_files, left = _made_in(folder), []
    with disk_errors(f"{folder} cannot be removed", "See to its permissions"):
        # The record goes last: without it nothing else would be known.
        for path in sorted(folder.iterdir(), key=lambda path: path.name == RECORD):
            if one := remove(path, root=root, known=known_files):
                left.append(one)
    remove_folder(folder, root=root)
    return left


def check_name(name: str) -> None:
    """Refuses a name that a base on the shelf cannot have.

    Raises:
        UsageError: The message says why.
    """
    if not _NAME.fullmatch(name) or name.endswith(SUFFIXES):
        raise UsageError(
            f"{name!r} cannot be the name of a base: give small letters, digits, -, _ and ., and no ending "
            "of a file"
        )
    if name in BACKBONES or name in RESERVED:
        raise UsageError(f"{name!r} cannot be the name of a base, it means something else: choose another")


def _read(folder: Path) -> Shelved | None:
    """Reads the record of a base; None where there is none, or no sound one."""
    record = _record(folder)
    if record is None:
        return None
    sizes = [(folder / one).stat().st_size for one in record["files"] if (folder / one).is_file()]
    if len(sizes) < len(record["files"]):
        return None
    return Shelved(folder.name, folder / record["network"], str(record["origin"]), sum(sizes))


def _record(folder: Path) -> dict[str, Any] | None:
    try:
        record = parse_json((folder / RECORD).read_text(encoding="utf-8"))
        files = record["files"]
        sound = all(isinstance(one, str) and is_folder_name(one) for one in files)
        return record if sound and record["network"] in files and isinstance(record["origin"], str) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _made_in(folder: Path) -> Known:
    """Returns what tells the files of a base from others: those that its record names."""
    record = _record(folder) or {}
    names = set(record.get("files", []))

    def known(name: PurePath, head: bytes) -> bool:
        if name.name == RECORD:
            return is_blank(head) or head.startswith(_BEGIN)
        return name.name in names

    return known
