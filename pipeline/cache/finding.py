"""Finding entries in a cache: all of them, those that options describe, or the one that they mean."""

from __future__ import annotations

import contextlib
import shlex
from collections.abc import Callable, Iterable
from pathlib import Path

from pipeline.cache.entries import SPEC_FILE, Entry, read_entry
from pipeline.errors import CacheMismatchError, UsageError


def all_entries(cache: Path) -> list[Entry]:
    """Lists every readable entry of a cache, sorted by data set and name."""
    found = []
    for path in _spec_files(cache):
        try:
            found.append(read_entry(path.parent))
        except CacheMismatchError:
            continue  # named by `pipeline cache verify`; the other entries stay usable
    return found


def _spec_files(cache: Path) -> list[Path]:
    while True:
        with contextlib.suppress(FileNotFoundError):  # a folder was removed between two looks at it
            return sorted(cache.glob(f"*/*/{SPEC_FILE}"))


def find_entries(cache: Path, matches: Callable[[Entry], bool] = lambda entry: True) -> list[Entry]:
    """Lists the entries that hold at least one published split and satisfy a condition."""
    return [entry for entry in all_entries(cache) if entry.splits and matches(entry)]


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
            "several entries match these options; tell them apart with:\n" + _options_apart(found)
        )
    return found[0]


def _options_apart(entries: list[Entry]) -> str:
    labels, identities = {e.weights_label for e in entries}, {e.spec.weights for e in entries}
    tell_apart = len(labels) == len(identities)  # not so for two seeds, or two files of the same name
    described = [
        {
            "--name": entry.dataset,
            "--backbone": entry.spec.backbone,
            "--layer": entry.spec.layer,
            "--pooling": entry.spec.pooling,
            "--image-size": str(entry.spec.image_size),
            "--weights": entry.weights_label if tell_apart else entry.spec.weights,
            "--precision": entry.spec.precision,
            "--store": entry.spec.store,
            "--engine": entry.spec.engine,
        }
        for entry in entries
    ]
    apart = [key for key in described[0] if len({options[key] for options in described}) > 1]
    lines = (
        " ".join(f"{key} {shlex.quote(options[key])}" for key in apart) or f"(entry {entry.folder.name})"
        for entry, options in zip(entries, described, strict=True)
    )
    return "\n".join(f"  {line}" for line in lines)
