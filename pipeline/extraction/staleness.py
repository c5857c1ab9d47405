"""Whether a source still holds what stage one took in: compared cheaply, and told in one line."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.cache import FeatureSet
from pipeline.cache.entries import STAT_CACHE, Entry
from pipeline.cache.feature_file import open_feature_file
from pipeline.cache.features import Selection
from pipeline.errors import PipelineError
from pipeline.extraction.command import extract_command
from pipeline.images import SPLITS, ImageSource, open_images
from pipeline.images.contents import digest_items, known_digests
from pipeline.images.image_list import ImageList, list_images
from pipeline.images.listed_rows import SCHEME
from pipeline.images.source import targets_of
from pipeline.images.splits import assign_splits
from pipeline.images.targets import CLASS, NOUNS, NUMBER, renamed, same_rows
from pipeline.progress import progress, say
from pipeline.wording import counted, first_few

READ_AT_MOST = 1000
"""Images that are read because the stat cache does not know them; of more, so many spread over all."""
LONG = 50_000
"""Images from which on it is said that they are compared."""
MOST = 200_000
"""Images that are compared, which took 7 seconds on two cores; a head of more is trained for minutes."""
_BLOCK = 20_000
_FIXED = re.compile(rf"(sample:\d+:)*(builtin|keras):|{SCHEME}")
_REMOTE = re.compile(r"(sample:\d+:)*[a-z][a-z0-9+.-]*://")
_SHOWN_CLASSES = 5
_NEW = -2


@dataclass(frozen=True, kw_only=True)
class Staleness:
    """What differs between a source as it is and as stage one took it in.

    Attributes:
        source: Its address.
        command: What takes the changes in.
        added: Images that had no features yet.
        removed: Images that are there no more.
        content: Images of the same name and other content.
        unreadable: Images that cannot be read any more.
        labels: Images with another class.
        splits: Images in another split.
        classes_added: Classes that are new.
        classes_removed: Classes that are gone.
        not_looked_at: Images whose content may be another: their files were touched, and are many.
        not_compared: Why nothing was compared; empty where it was.
        target: What was known of the images, see ``images/targets.py``: what ``labels`` and ``classes`` are.
    """

    source: str
    command: str = ""
    added: int = 0
    removed: int = 0
    content: int = 0
    unreadable: int = 0
    labels: int = 0
    splits: int = 0
    classes_added: tuple[str, ...] = ()
    classes_removed: tuple[str, ...] = ()
    not_looked_at: int = 0
    not_compared: str = ""
    target: str = CLASS

    @property
    def differences(self) -> list[str]:
        """What differs, in words."""
        counts = {
            "added": self.added,
            "removed": self.removed,
            "with other content": self.content,
            "that cannot be read any more": self.unreadable,
            f"with another {'number' if self.target == NUMBER else 'label'}": self.labels,
            "in another split": self.splits,
        }
        words = [f"{counted(count, 'image')} {what}" for what, count in counts.items() if count]
        for what, names in (("new", self.classes_added), ("gone", self.classes_removed)):
            if names:
                listed = first_few(list(map(repr, names)), _SHOWN_CLASSES)
                noun = counted(len(names), NOUNS[self.target]).split()[1]
                words.append(f"{noun} {listed} {what}")
        return words

    def __str__(self) -> str:
        if self.differences:
            changed = ", ".join(self.differences)
            return (
                f"WARNING: {self.source} has changed since these features were made: {changed}. "
                f"Run `{self.command}` to take that in"
            )
        if self.not_compared:
            return f"note: {self.source} may have changed since these features were made: {self.not_compared}"
        return ""

    def to_json(self) -> dict[str, Any] | None:
        """Returns what ``changed_since_extract`` is in the objects of commands; None = nothing differs."""
        if self.differences:
            names = ("added", "removed", "content", "unreadable", "labels", "splits", "not_looked_at")
            return {
                **{name: getattr(self, name) for name in names},
                "classes": {"added": list(self.classes_added), "removed": list(self.classes_removed)},
                "run": self.command,
            }
        return {"not_compared": self.not_compared} if self.not_compared else None


def compare_with_source(chosen: Selection) -> Staleness:
    """Compares features with the images that they were made from, as far as that costs little.

    The source is listed. Names, labels, classes and splits are compared for every image, contents by the stat
    cache; of the images that it does not know, at most ``READ_AT_MOST`` are read. Nothing is written. Of more
    than ``MOST`` images none are compared.

    Sources that never change (``builtin:``, ``keras:``) and imported features are not compared, and neither
    are those in remote stores: stage two makes no request by surprise. Nothing that a source holds makes this
    fail.
    """
    entry = chosen.entries[0]
    if _FIXED.match(entry.source):
        return Staleness(source=entry.source)
    if _REMOTE.match(entry.source):
        return _unknown(entry, "it is in a remote store, and only `pipeline extract` looks there")
    try:
        stored = [chosen.open(split) for split in chosen.splits]
    except PipelineError:  # of its own files, which whoever uses them says more clearly
        return Staleness(source=entry.source)
    try:
        count = sum(int(np.count_nonzero(shard.rows.views == 0)) for shard in stored)
        if count > MOST:
            return _unknown(
                entry, f"{counted(count, 'image')} are many: only `pipeline extract` compares them"
            )
        if count >= LONG:
            say(f"comparing the features with {entry.source}")
        source = open_images(entry.source, entry.source_options)
        return _compare(chosen, stored, source)
    except PipelineError as error:
        return _unknown(entry, str(error))
    except Exception as error:  # whatever a source may hold now: the features are there all the same
        return _unknown(entry, f"{type(error).__name__}: {error}")


def _unknown(entry: Entry, why: str) -> Staleness:
    return Staleness(source=entry.source, not_compared=why.replace("\n", " "))


def _compare(chosen: Selection, stored: Sequence[FeatureSet], source: ImageSource) -> Staleness:
    entry = chosen.entries[0]
    skipped = {record["id"] for record in _skipped(entry)}
    old = _Old.of(stored, source)
    items = list_images(source.items())
    if skipped:
        items = items.take(np.array([name not in skipped for name in items.ids], bool))
    partners = _partners(_keys(items.ids), old.keys)
    found = np.flatnonzero(partners >= 0)
    contents = _contents(source, items, partners, old.digests, entry)
    splits = assign_splits(items, contents.digests).codes
    other = _with_other_labels(source, items.labels[found], old, partners[found])
    gone = len(old.keys) - len(np.unique(partners[found]))
    known_classes = list(dict.fromkeys(name for shard in stored for name in shard.classes))
    rest = contents.not_looked_at
    return Staleness(
        source=entry.source,
        command=extract_command(chosen.entries, source_name=source.name, skip_bad=bool(skipped)),
        added=len(items) - len(found),
        removed=gone,
        content=contents.changed,
        unreadable=contents.unreadable,
        labels=int(np.count_nonzero(other)),
        splits=int(np.count_nonzero(old.splits[partners[found]] != splits[found])),
        classes_added=tuple(name for name in source.classes if name not in known_classes),
        classes_removed=tuple(name for name in known_classes if name not in source.classes),
        not_looked_at=rest,
        target=old.target,
        not_compared=f"the content of {counted(rest, 'image')} was not looked at" if rest else "",
    )


@dataclass(frozen=True, eq=False)
class _Old:
    """What stage one took in: the images without their views.

    Attributes:
        keys: int64 (M,), hashes of their names.
        labels: int (M,), positions among the classes of today, -1 without label, -2 of a class that is gone.
        splits: int (M,), positions in ``SPLITS``.
        digests: uint8 (M, 32).
        target: What was known of the images, see ``images/targets.py``.
        targets: float32 (M, k); (M, 0) where images had classes.
        names: Their k names.
    """

    keys: np.ndarray
    labels: np.ndarray
    splits: np.ndarray
    digests: np.ndarray
    target: str
    targets: np.ndarray
    names: tuple[str, ...]

    @classmethod
    def of(cls, stored: Sequence[FeatureSet], source: ImageSource) -> _Old:
        places = {name: place for place, name in enumerate(source.classes)}
        target = stored[0].target
        names = (
            () if target == CLASS else tuple(dict.fromkeys(name for one in stored for name in one.classes))
        )
        keys, labels, splits, digests, targets = [], [], [], [], []
        for shard in stored:
            rows = shard.rows.take(shard.rows.views == 0)
            meaning = np.array([*(places.get(name, _NEW) for name in shard.classes), -1])
            keys.append(_keys(rows.ids))
            labels.append(meaning[rows.labels])
            splits.append(np.full(len(rows), SPLITS.index(shard.split)))
            digests.append(rows.digests)
            targets.append(renamed(rows.targets, target, shard.classes, names))
        return cls(
            keys=np.concatenate(keys),
            labels=np.concatenate(labels),
            splits=np.concatenate(splits),
            digests=np.concatenate(digests),
            target=target,
            targets=np.concatenate(targets),
            names=names,
        )


def _with_other_labels(
    source: ImageSource, labels: np.ndarray, old: _Old, partners: np.ndarray
) -> np.ndarray:
    """Tells which images have another class, or other targets, than before, bool (n,).

    Args:
        source: As it is.
        labels: Those of its items, int (n,).
        old: As it was.
        partners: Where each image was in it, int (n,).
    """
    table = targets_of(source)
    if (CLASS if table is None else table.kind) != old.target:
        return np.ones(len(labels), bool)
    if table is None:
        return old.labels[partners] != labels
    names = tuple(dict.fromkeys((*old.names, *table.names)))
    before = renamed(old.targets[partners], old.target, old.names, names)
    return ~same_rows(renamed(table.of(labels), table.kind, table.names, names), before)


def _keys(names: Sequence[str]) -> np.ndarray:
    """Hashes names, int64 (N,): a million texts would fill the memory for a moment's work."""
    return np.fromiter(map(hash, names), np.int64, len(names))


def _partners(keys: np.ndarray, among: np.ndarray) -> np.ndarray:
    """Returns where each key stands among others, int (N,); -1 where it does not."""
    order = np.argsort(among)
    place = order[np.minimum(np.searchsorted(among, keys, sorter=order), len(among) - 1)]
    return np.where(among[place] == keys, place, -1)


@dataclass(frozen=True, eq=False)
class _Contents:
    """Digests of today, uint8 (N, 32), as far as they are known; those from before elsewhere."""

    digests: np.ndarray
    changed: int
    unreadable: int
    not_looked_at: int


def _contents(
    source: ImageSource, items: ImageList, partners: np.ndarray, old: np.ndarray, entry: Entry
) -> _Contents:
    """Finds out which images have other content."""
    digests, known = _recall(source, items, entry)
    doubtful = np.flatnonzero(~known & (partners >= 0))
    sample = doubtful
    if len(doubtful) > READ_AT_MOST:
        sample = doubtful[np.linspace(0, len(doubtful) - 1, READ_AT_MOST).astype(int)]
    read, failures = digest_items(source, items.take(sample))
    digests[sample] = read
    known[sample] = True
    failed = sample[list(failures)]
    known[failed] = False
    compared = np.flatnonzero(known & (partners >= 0))
    changed = (digests[compared] != old[partners[compared]]).any(axis=1)
    rest = np.flatnonzero(~known & (partners >= 0))
    digests[rest] = old[partners[rest]]
    new = np.flatnonzero(
        ~known & (partners < 0)
    )  # their splits are nobody's business, but they need contents
    digests[new, :8] = np.arange(len(new), dtype=">u8").view(np.uint8).reshape(-1, 8)
    return _Contents(digests, int(changed.sum()), len(failed), len(doubtful) - len(sample))


def _recall(source: ImageSource, items: ImageList, entry: Entry) -> tuple[np.ndarray, np.ndarray]:
    """Returns the digests that the stat cache knows, uint8 (N, 32), and which these are, bool (N,)."""
    digests, known = np.zeros((len(items), 32), np.uint8), np.ones(len(items), bool)
    shown = progress("comparing", len(items), "images") if len(items) >= LONG else _silent()
    with shown as advance:
        for start in range(0, len(items), _BLOCK):
            block = slice(start, start + _BLOCK)
            digests[block], missing = known_digests(source, items[block], stat_cache=entry.cache / STAT_CACHE)
            known[start + missing] = False
            advance(len(items[block]))
    return digests, known


@contextlib.contextmanager
def _silent() -> Iterator[Callable[[int], None]]:
    yield lambda count: None


def _skipped(entry: Entry) -> Iterator[dict[str, str]]:
    for shards in entry.shards.values():
        for shard in shards:
            yield from open_feature_file(entry.file(shard.name)).header.skipped
