"""Looking into a cache and cleaning it: what ``pipeline cache`` does."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

from pipeline import files
from pipeline.cache import converted_bases
from pipeline.cache.entries import FEATURE_FILES, SPEC_FILE, Entry, is_features, is_of_an_entry, read_entry
from pipeline.cache.feature_file import open_feature_file, open_mapped
from pipeline.cache.finding import all_entries, is_called, options_apart
from pipeline.cache.format import damaged_rows
from pipeline.cache.locks import LOCK_FILE, BusyError, exclusive_lock
from pipeline.cache.networks import FILES, RECORD, made_in, unused_networks
from pipeline.cache.partial_file import refused
from pipeline.errors import CacheMismatchError, PipelineError, UnreadableFileError, UsageError
from pipeline.files import Known, LeftAlone, remove_folder
from pipeline.paths import expanded
from pipeline.progress import progress
from pipeline.wording import counted, verb


def summaries(cache: Path) -> list[dict[str, Any]]:
    """Lists every readable entry: its rows per split, its bytes, the options that tell it from its kin."""
    found = []
    for entry, apart in _told_apart(all_entries(cache)):
        rows: dict[str, int | None] = {}
        left: list[LeftAlone] = []
        for split, shards in entry.shards.items():
            try:
                rows[split] = sum(len(open_feature_file(entry.file(shard.name)).rows) for shard in shards)
            except (CacheMismatchError, UsageError):
                rows[split] = None
            except UnreadableFileError as error:
                rows[split] = None
                left.append(LeftAlone(error.path, error.reason))
        size = sum(map(_size, _feature_files(entry.folder)))
        found.append(
            {
                "entry": str(entry.folder),
                "source": entry.source,
                "rows": rows,
                "bytes": size,
                "told_apart_by": apart,
                "left_alone": [one.to_json() for one in left],
            }
        )
    return found


def _told_apart(entries: Sequence[Entry]) -> Iterator[tuple[Entry, list[str]]]:
    """Yields entries with the options that tell each from the others of its data set."""
    for _, group in groupby(entries, key=lambda entry: entry.folder.parent):
        kin = list(group)
        yield from zip(kin, options_apart(kin), strict=True)


def describe(entry: Entry) -> dict[str, Any]:
    """Returns an entry's spec and, for each of its files, what the file says of itself."""
    files = []
    for path in _feature_files(entry.folder):
        layout = open_feature_file(path)
        header = layout.header
        files.append(
            {
                "file": str(path),
                "rows": len(layout.rows),
                "done": int(layout.done.sum()),
                "feature_shape": list(layout.feature_shape),
                "classes": list(header.classes),
                "skipped": list(header.skipped),
                "software": header.software,
            }
        )
    return {
        "entry": str(entry.folder),
        "source": entry.source,
        "weights": entry.weights_label,
        "spec": json.loads(entry.spec.to_json()),
        "files": files,
    }


def verify_cache(cache: Path, names: Sequence[str] = ()) -> list[dict[str, Any]]:
    """Re-checks every file of a cache.

    Args:
        cache: The folder.
        names: Names of entries, see ``is_called``; none = all of them.

    Returns:
        One finding per feature or spec file: ``file``, ``rows``, ``problem`` (None or why the file cannot be
        used at all), ``unreadable`` (None or why it cannot be read now, which is no damage) and ``bad_rows``
        (``row`` and ``id`` of each whose checksum differs).
    """
    folders = sorted({spec.parent for spec in cache.glob("*/*/*")})
    if names:
        folders = [folder for folder in folders if any(is_called(folder, name) for name in names)]
    paths = [path for folder in folders for path in _checked(folder)]
    findings = []
    with progress("verify", len(paths), "files") as advance:
        for path in paths:
            finding = _verify(path)
            if path.exists():  # else it was published or removed meanwhile
                findings.append(finding)
            advance(1)
    return findings


def _verify(path: Path) -> dict[str, Any]:
    finding: dict[str, Any] = {
        "file": str(path),
        "rows": 0,
        "problem": None,
        "unreadable": None,
        "bad_rows": [],
    }
    try:
        if path.name == SPEC_FILE:
            read_entry(path.parent)
            return finding
        layout = open_mapped(path)
        finding["rows"] = int(layout.done.sum())
        finding["bad_rows"] = [{"row": int(row), "id": layout.rows.ids[row]} for row in damaged_rows(layout)]
        if layout.header.spec.entry_name != path.parent.name:
            finding["problem"] = f"it belongs to {layout.header.spec.entry_name}"
        elif layout.header.shard.name != path.name.split(".")[0]:
            finding["problem"] = f"it holds the part {layout.header.shard.name}"
        elif path.suffix == ".h5" and not layout.done.all():
            missing = int((~layout.done).sum())
            finding["problem"] = f"{counted(missing, 'row')} {verb(missing)} not done"
    except UnreadableFileError as error:
        finding["unreadable"] = error.reason
    except PipelineError as error:
        finding["problem"] = str(error)
    return finding


def remove(entry: Entry) -> Freed:
    """Deletes an entry; what this package did not make stays, and its folder with it.

    Raises:
        ForeignFileError: A link stands in the place of its folder, or of its lock.
        PipelineError: Another process is filling it.
    """
    freed = Freed()
    with exclusive_lock(entry.folder, wait_s=0), refused(f"the cache at {entry.folder}"):
        for path in sorted(entry.folder.iterdir()):
            if path.name != LOCK_FILE:  # others may wait for it: it goes last, with the folder
                freed.remove(path, entry.cache, is_of_an_entry)
    return freed


def remove_retired(cache: Path) -> Freed:
    """Deletes what this package keeps in reserve: retired files, and networks and bases without an entry."""
    freed, cache = Freed(), expanded(cache)
    entries = all_entries(cache)
    for entry in entries:
        for path in entry.retired():
            freed.remove(path, cache, is_features)
    unused, left = unused_networks(cache)
    freed.left += left
    for network in unused:
        # The record is the last: without it nothing else would be known as a network's.
        known = made_in(network)
        for path in sorted(network.iterdir(), key=lambda path: (path.name == RECORD, path)):
            freed.remove(path, cache, known)
        remove_folder(network, root=cache)
    for base in converted_bases.unused_bases(cache, entries):
        with suppress(BusyError), exclusive_lock(base, wait_s=0, depth=converted_bases.DEPTH):
            for name in (*FILES, converted_bases.RECORD):
                freed.remove(base / name, cache, converted_bases.is_of_a_base)
    return freed


@dataclass
class Freed:
    """What was deleted.

    Attributes:
        bytes: How much room that made.
        left: What stays, since this package did not make it or it cannot be read now.
    """

    bytes: int = 0
    left: list[LeftAlone] = field(default_factory=list)

    def remove(self, path: Path, root: Path, known: Known) -> None:
        """Deletes a file, or notes why it stays."""
        size = _size(path)
        if reason := files.remove(path, root=root, known=known):
            self.left.append(reason)
        else:
            self.bytes += size


def _checked(folder: Path) -> list[Path]:
    return [path for path in (folder / SPEC_FILE,) if path.exists()] + _feature_files(folder)


def _size(path: Path) -> int:
    """Bytes of a file; none where it was published or removed since it was listed."""
    try:
        return path.lstat().st_size
    except FileNotFoundError:
        return 0


def _feature_files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("*.h5*") if path.suffix in FEATURE_FILES)
