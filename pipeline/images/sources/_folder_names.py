"""What names of folders mean: splits, classes, our own caches and runs, or what must be asked for."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import islice

from pipeline.errors import UsageError
from pipeline.images.source import SPLITS
from pipeline.images.sources._words import SPLIT_WORDS, printable, some, split_of, stated_split

LAYOUT = "<class>/image.jpg or <split>/<class>/image.jpg, with splits train, val, test"

_RECORDS = {
    "spec.json": b'"weights_label"',
    "head.json": b'"feature_shape"',
    "evaluations.jsonl": b'"answers"',
    "leaderboard.json": b'"chosen_on"',
}
"""Files that stand in an entry of a cache or of the runs, and a key of each."""

_DEPTH = 3  # <runs>/<dataset>/<entry>/<head>/head.json
_LOOKED_AT = 64  # a folder may hold a million images
_FOLDERS = 4
_HEAD = 1 << 16

_PLAIN = re.compile(r"(?:train|training|val|valid|validation|test|testing)(?:[-_ ]?set)?", re.IGNORECASE)
_PARTS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_FOLD = re.compile(r"(?:k?[-_ ]?folds?|cv|split)[-_ ]?[0-9]+", re.IGNORECASE)
_ATTACHED = re.compile(rf"({'|'.join(SPLIT_WORDS['train'][::-1])}|validation|test)(.+)")
_MAY_BE_TEST = ("eval", "evaluation", "holdout")  # or val: only who made the set knows
_TABLE = (
    "put them as train/<class>/image.jpg, test/<class>/image.jpg, or list the images in a .csv table "
    "with the columns path,label,split"
)


def is_own_folder(folder: str, depth: int = _DEPTH) -> bool:
    """Tells by the records in it, or a few folders further down, whether this package made a folder.

    Args:
        folder: Its path; no link is followed.
        depth: How many folders further down records may stand.
    """
    try:
        with os.scandir(folder) as entries:
            found = list(islice(entries, _LOOKED_AT))
        if any(_is_record(entry) for entry in found):
            return True
        below = [entry.path for entry in found if entry.is_dir(follow_symlinks=False)]
    except OSError:
        return False  # whoever lists it says so
    return depth > 0 and any(is_own_folder(path, depth - 1) for path in sorted(below)[:_FOLDERS])


def _is_record(entry: os.DirEntry[str]) -> bool:
    key = _RECORDS.get(entry.name)
    if key is None or not entry.is_file(follow_symlinks=False):
        return False
    with open(entry.path, "rb") as file:
        return key in file.read(_HEAD)


@dataclass(frozen=True)
class SplitFolders:
    """What some neighbouring folders are.

    Attributes:
        splits: The one folder of each split, in the order train, val, test.
        others: The folders that are none.
        doubtful: The split that a part of the name of some of the others means, by name.
    """

    splits: dict[str, str] = field(default_factory=dict)
    others: list[str] = field(default_factory=list)
    doubtful: dict[str, str] = field(default_factory=dict)

    @property
    def unusual(self) -> list[str]:
        """The splits whose folders are not simply called so, as ``train_images = train``."""
        return [f"{name} = {split}" for split, name in self.splits.items() if not _PLAIN.fullmatch(name)]


def find_splits(names: Sequence[str], where: str) -> SplitFolders:
    """Tells which of some neighbouring folders are splits.

    ``dev`` is a split only where others are.

    Args:
        names: Their names.
        where: What they stand in, for messages.

    Raises:
        UsageError: Two of them are the same split, or their names mix splits with something else.
    """
    read = split_of if not any(map(split_of, names)) else lambda name: split_of(name) or stated_split(name)
    named: dict[str, list[str]] = defaultdict(list)
    for name in names:
        if split := read(name):
            named[split].append(name)
    for split, same in named.items():
        if len(same) > 1:
            raise UsageError(
                f"{where} has {len(same)} folders for the split {split}: {_listed(same)}; "
                "merge them, or rename all but one"
            )
    if not named:
        _refuse_mixed(names, where)
    others = [name for name in names if not read(name)]
    doubtful = {name: hint[0] for name in others if (hint := _hint(name))}
    return SplitFolders({split: named[split][0] for split in SPLITS if split in named}, others, doubtful)


def _refuse_mixed(names: Sequence[str], where: str) -> None:
    """Refuses ``cats_train/ cats_test/``, which are neither splits nor classes, and ``fold_1/ fold_2/``."""
    hints = {name: hint for name in names if (hint := _hint(name))}
    attached = {name: hint for name in names if name not in hints and (hint := _attached(name))}
    by_rest: dict[str, set[str]] = defaultdict(set)
    for split, rest in (hints | attached).values():
        by_rest[rest].add(split)
    every = len(hints) == len(names) and len({split for split, _ in hints.values()}) > 1
    if every or any(len(splits) > 1 for splits in by_rest.values()):
        raise UsageError(
            f"{where} has folders that look like splits, but say more: {_listed(list(hints | attached))}; "
            f"{_TABLE}"
        )
    if len(names) > 1 and all(_FOLD.fullmatch(name) for name in names):
        raise UsageError(
            f"{where} has folders that look like folds of one data set, not like classes: {_listed(names)}; "
            f"{_TABLE}"
        )


def _hint(name: str) -> tuple[str, str] | None:
    """Returns the split that a part of a name means, and the rest of the name; None where none does."""
    parts = [part.casefold() for part in _PARTS.findall(name)]
    for place, part in enumerate(parts):
        split = split_of(part) or ("test" if part in _MAY_BE_TEST else None)
        if split:
            return split, "".join(parts[:place] + parts[place + 1 :])
    return None


def _attached(name: str) -> tuple[str, str] | None:
    """Returns the split that a name begins with, without anything between, and the rest."""
    found = _ATTACHED.fullmatch(name.casefold())
    return (split_of(found[1]) or "", found[2]) if found else None


def _listed(names: Sequence[str]) -> str:
    return some([printable(name) for name in names], limit=8)
