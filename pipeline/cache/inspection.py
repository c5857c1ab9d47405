"""Looking into a cache and cleaning it: what ``pipeline cache`` does."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from pipeline.cache.choosing import is_called, options_apart
from pipeline.cache.entries import FEATURE_FILES, NETWORKS, SPEC_FILE, Entry, read_entry
from pipeline.cache.filling import damaged_rows
from pipeline.cache.finding import all_entries
from pipeline.cache.lock import LOCK_FILE
from pipeline.cache.mapping import open_mapped
from pipeline.cache.presence import alone_in
from pipeline.cache.reading import open_layout
from pipeline.counts import counted, verb
from pipeline.errors import CacheMismatchError, PipelineError, UsageError
from pipeline.progress import progress


def summaries(cache: Path) -> list[dict[str, Any]]:
    """Lists every readable entry: its rows per split, its bytes, the options that tell it from its kin."""
    found = []
    for entry, apart in _told_apart(all_entries(cache)):
        rows: dict[str, int | None] = {}
        for split, parts in entry.parts.items():
            try:
                rows[split] = sum(len(open_layout(entry.file(part.name)).rows) for part in parts)
            except (CacheMismatchError, UsageError):
                rows[split] = None
        size = sum(map(_size, _feature_files(entry.folder)))
        found.append(
            {
                "entry": str(entry.folder),
                "source": entry.source,
                "rows": rows,
                "bytes": size,
                "told_apart_by": apart,
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
        layout = open_layout(path)
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
        used at all) and ``bad_rows`` (``row`` and ``id`` of each whose checksum differs).
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
    finding: dict[str, Any] = {"file": str(path), "rows": 0, "problem": None, "bad_rows": []}
    try:
        if path.name == SPEC_FILE:
            read_entry(path.parent)
            return finding
        layout = open_mapped(path)
        finding["rows"] = int(layout.done.sum())
        finding["bad_rows"] = [{"row": int(row), "id": layout.rows.ids[row]} for row in damaged_rows(layout)]
        if layout.header.spec.entry_name != path.parent.name:
            finding["problem"] = f"it belongs to {layout.header.spec.entry_name}"
        elif layout.header.part.name != path.name.split(".")[0]:
            finding["problem"] = f"it holds the part {layout.header.part.name}"
        elif path.suffix == ".h5" and not layout.done.all():
            missing = int((~layout.done).sum())
            finding["problem"] = f"{counted(missing, 'row')} {verb(missing)} not done"
    except PipelineError as error:
        finding["problem"] = str(error)
    return finding


def remove(entry: Entry) -> int:
    """Deletes an entry and returns the bytes freed.

    Raises:
        PipelineError: Another process is filling it.
    """
    with alone_in(entry.folder, wait_s=0):
        freed = sum(path.stat().st_size for path in _feature_files(entry.folder))
        for path in entry.folder.iterdir():
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            elif path.name != LOCK_FILE:  # others may wait for it: it goes last, with the folder
                path.unlink()
    return freed


def remove_retired(cache: Path) -> int:
    """Deletes every retired file and every quantised network without an entry; returns the bytes freed."""
    files = [path for entry in all_entries(cache) for path in entry.retired()]
    unused = _unused_networks(cache)
    files += [path for network in unused for path in network.iterdir()]
    freed = sum(path.stat().st_size for path in files)
    for path in files:
        path.unlink()
    for network in unused:
        network.rmdir()
    return freed


def _unused_networks(cache: Path) -> list[Path]:
    """Lists quantised networks that no entry was computed with; an unreadable entry may need any of them."""
    used, doubtful = set(), set()
    for path in cache.glob(f"*/*/{SPEC_FILE}"):
        dataset = path.parent.parent
        try:
            used.add(dataset / NETWORKS / read_entry(path.parent).spec.network.entry_name)
        except CacheMismatchError:
            doubtful.add(dataset)
    found = sorted(cache.glob(f"*/{NETWORKS}/*"))
    return [path for path in found if path not in used and path.parent.parent not in doubtful]


def _checked(folder: Path) -> list[Path]:
    return [path for path in (folder / SPEC_FILE,) if path.exists()] + _feature_files(folder)


def _size(path: Path) -> int:
    """Bytes of a file; none where it was published or removed since it was listed."""
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


def _feature_files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.glob("*.h5*") if path.suffix in FEATURE_FILES)
