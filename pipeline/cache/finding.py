"""Finding entries in a cache: all of them, those that options describe, or the one that they mean."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable
from pathlib import Path

from pipeline.cache.choosing import as_lines, options_apart
from pipeline.cache.entries import SPEC_FILE, Entry, read_entry
from pipeline.errors import CacheMismatchError, UnreadableFileError, UsageError
from pipeline.paths import expanded


def all_entries(cache: Path) -> list[Entry]:
    """Lists every readable entry of a cache, sorted by data set and name."""
    found = []
    for path in _spec_files(expanded(cache)):
        try:
            found.append(read_entry(path.parent))
        except (CacheMismatchError, UnreadableFileError):
            continue  # named by `pipeline cache verify`; the other entries stay usable
    return found


def _spec_files(cache: Path) -> list[Path]:
    while True:
        with contextlib.suppress(FileNotFoundError):  # a folder was removed between two looks at it
            return sorted(cache.glob(f"*/*/{SPEC_FILE}"))


def find_entries(
    cache: Path, matches: Callable[[Entry], bool] = lambda entry: True, *, published: bool = True
) -> list[Entry]:
    """Lists the entries that satisfy a condition.

    Args:
        cache: The folder.
        matches: The condition.
        published: Whether to list only those that hold at least one published split.
    """
    return [entry for entry in all_entries(cache) if (entry.splits or not published) and matches(entry)]


def only_entry(entries: Iterable[Entry], *, cache: Path, extract_command: str) -> Entry:
    """Returns the one entry among those that match.

    Args:
        entries: The candidates.
        cache: Where they were looked for.
        extract_command: The command that would make the wanted entry.

    Raises:
        UsageError: None matches (the message names the command to run) or several do (the message names
            the options that tell them apart).
    """
    found = list(entries)
    if not found:
        raise UsageError(f"no features in {cache} match these options. Run `{extract_command}` first")
    if len(found) > 1:
        raise UsageError(
            "several entries match these options; tell them apart with:\n" + as_lines(options_apart(found))
        )
    return found[0]
