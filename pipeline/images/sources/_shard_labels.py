"""What labels and folders in tar shards mean, in each and in all together: classes, and splits."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import replace
from typing import NamedTuple

from pipeline.errors import UsageError
from pipeline.images.source import UNLABELLED
from pipeline.images.source_options import SourceOptions
from pipeline.images.sources._folder_names import find_splits
from pipeline.images.sources._sample_labels import MemberPlace
from pipeline.images.sources._samples import ShardImage
from pipeline.images.sources._shard_targets import ShardTargets, read_shard_targets
from pipeline.images.sources._storage import Storage, StoredFile
from pipeline.images.sources._table_targets import asked_kind, is_listed
from pipeline.images.sources._words import in_natural_order, on_one_line, some, split_of
from pipeline.images.targets import CLASS, LABELS, TargetTable

NAMES = "classes.txt"
"""File beside the shards with the names of numbered classes, one a line, number 0 first."""

_NUMBER = re.compile(r"-1|[0-9]{1,9}")

_LONGEST_LIST = 2**24  # bytes of a list of class names


class FolderLabel(NamedTuple):
    """What a member's folder says of it; None where it says nothing."""

    split: str | None = None
    label: str | None = None


def read_folders(folders: Mapping[str, MemberPlace], *, labelled: bool) -> dict[str, FolderLabel]:
    """Tells what folders mean: as in a tree of folders, below any that all have in common.

    Args:
        folders: Every folder that holds an image, with where it was seen; ``""`` for none.
        labelled: Images have labels of their own, so that folders name splits at most.

    Raises:
        UsageError: Some images are in class folders, or in split folders, and others are not.
    """
    parts = {folder: folder.split("/") if folder else [] for folder in folders}
    while len({tuple(path[:1]) for path in parts.values()}) == 1 and all(len(p) > 1 for p in parts.values()):
        if split_of(next(iter(parts.values()))[0]):
            break
        parts = {folder: path[1:] for folder, path in parts.items()}
    tops = list(dict.fromkeys(path[0] for path in parts.values() if path))
    splits = _splits_among(tops, labelled=labelled)
    if splits:
        meanings = {
            folder: FolderLabel(splits.get(path[0]) if path else None, path[1] if len(path) > 1 else None)
            for folder, path in parts.items()
        }
    elif not labelled and _class_first(parts, folders):
        meanings = {folder: FolderLabel(split_of(path[1]), path[0]) for folder, path in parts.items()}
    else:
        meanings = {folder: FolderLabel(None, path[0] if path else None) for folder, path in parts.items()}
    if labelled:
        return {folder: FolderLabel(meaning.split, None) for folder, meaning in meanings.items()}
    _refuse_mixture(meanings, folders)
    return meanings


def _splits_among(tops: list[str], *, labelled: bool) -> dict[str, str]:
    """Returns the split of each folder that is one; where images have labels, other names mean nothing."""
    names = [name for name in tops if split_of(name)] if labelled else tops
    return {name: split for split, name in find_splits(names, "the tar file").splits.items()}


def _class_first(parts: Mapping[str, list[str]], folders: Mapping[str, MemberPlace]) -> bool:
    """Tells whether all images are in ``<class>/<split>/``.

    Raises:
        UsageError: Some are, and others are not.
    """
    inner: dict[str, set[str | None]] = defaultdict(set)
    for path in parts.values():
        if path:
            inner[path[0]].add(split_of(path[1]) if len(path) > 1 else None)
    whole = [name for name, found in inner.items() if None not in found]
    several = [name for name, found in inner.items() if len(found - {None}) > 1]
    if whole and len(whole) == len(inner) and all(parts.values()):
        return True
    if not several:
        return False
    other = next(folder for folder, path in parts.items() if not split_of(path[1] if len(path) > 1 else ""))
    shard, member = folders[other]
    raise UsageError(
        f"{shard}: {on_one_line(member)!r} is in no split folder of its class, but others are "
        f"({on_one_line(several[0])}/train/, ...): give all of them one, or none"
    )


def _refuse_mixture(meanings: Mapping[str, FolderLabel], folders: Mapping[str, MemberPlace]) -> None:
    """Refuses images beside class folders or split folders: they may have lost theirs."""
    splits = {meaning.split for meaning in meanings.values()}
    for folder, meaning in meanings.items():
        shard, member = folders[folder]
        if meaning.split is None and len(splits) > 1:
            raise UsageError(
                f"{shard}: {on_one_line(member)!r} is in no split folder, but others are: put it into "
                "train/, val/ or test/"
            )
        siblings = [other.label for other in meanings.values() if other.split == meaning.split]
        if meaning.label is None and any(siblings):
            raise UsageError(
                f"{shard}: {on_one_line(member)!r} is in no class folder, but others are: give it a "
                "folder, or give all images a .cls"
            )


def name_labels(labels: Mapping[str, MemberPlace], names: list[str] | None) -> dict[str, str | None]:
    """Returns the class behind each label: the name itself, that of its number, or the number as text.

    Args:
        labels: Every label, with where it was seen.
        names: Those of numbered classes, number 0 first; None where there are none.

    Returns:
        The class by label; None for ``-1``, which means unlabelled.

    Raises:
        UsageError: Some labels are numbers and others are names, or a number has no name.
    """
    numbers = [label for label in labels if _NUMBER.fullmatch(label)]
    texts = [label for label in labels if not _NUMBER.fullmatch(label)]
    if numbers and texts:
        number, text = labels[numbers[0]], labels[texts[0]]
        raise UsageError(
            f"{text.shard}: {on_one_line(text.member)!r} has the class {texts[0]!r}, but "
            f"{number.member!r} in {number.shard} has the number {numbers[0]}: use names or numbers, not both"
        )
    if texts:
        return {label: label for label in labels}
    return {label: _name_of(int(label), labels[label], names) for label in labels}


def _name_of(number: int, place: MemberPlace, names: list[str] | None) -> str | None:
    if number < 0:
        return None
    if names is None:
        return str(number)
    if number >= len(names):
        raise UsageError(
            f"{place.shard}: {on_one_line(place.member)!r} has the class {number}, but {NAMES} has "
            f"{len(names):,} lines (number 0 is the first): add the missing names"
        )
    return names[number]


def read_names(content: bytes, shown: str) -> list[str]:
    """Reads the names of numbered classes, one a line.

    Raises:
        UsageError: It is not UTF-8 text, or a line is empty or repeated.
    """
    try:
        lines = [line.strip() for line in content.decode("utf-8-sig").rstrip().split("\n")]
    except UnicodeDecodeError as error:
        raise UsageError(f"{shown} is not UTF-8 text ({error.reason}): save it as UTF-8") from error
    first: dict[str, int] = {}
    for number, line in enumerate(lines, start=1):
        if not line or "\0" in line:
            raise UsageError(f"{shown}, line {number}: no class name: one a line, number 0 first")
        if first.setdefault(line, number) != number:
            raise UsageError(
                f"{shown}, line {number}: {line!r} is line {first[line]} already: tell them apart"
            )
    return lines


class LabelScheme:
    """How the images of all shards are labelled.

    Attributes:
        classes: Class names in natural order, or the names of targets.
        targets: What labels stand for, where they are no classes.
    """

    def __init__(
        self,
        meanings: dict[str, FolderLabel],
        labels: dict[str, str | None] | ShardTargets | None,
    ) -> None:
        """Takes what folders mean, and the class of each label, or targets; None = folders are classes."""
        self._folders, self._of_folders = meanings, labels is None
        self.targets: TargetTable | None = None
        if isinstance(labels, ShardTargets):
            self.targets, self._codes = labels.table, dict(labels.codes)
            self.classes = labels.table.names
            return
        known = {meaning.label: meaning.label for meaning in meanings.values()} if labels is None else labels
        self.classes = tuple(in_natural_order({name for name in known.values() if name is not None}))
        places = {name: at for at, name in enumerate(self.classes)}
        self._codes = {
            label: UNLABELLED if name is None else places[name]
            for label, name in known.items()
            if label is not None
        }

    def label_of(self, image: ShardImage) -> int:
        """Returns the position of an image's class, or of its targets; ``UNLABELLED`` where it has none."""
        label = self._folders[_folder(image)].label if self._of_folders else image.label
        return UNLABELLED if label is None else self._codes[label]

    def split_of(self, shard: StoredFile, image: ShardImage, named: str | None) -> str | None:
        """Returns the split that is stated for an image, by its shard's name, its ``.json`` or its folder.

        Args:
            shard: Where the image is.
            image: The image.
            named: The split in the shard's name.

        Raises:
            UsageError: They disagree.
        """
        meaning = self._folders[_folder(image)]
        stated = [split for split in (named, image.split, meaning.split) if split]
        if len(set(stated)) > 1:
            raise UsageError(
                f"{shard.name}: {on_one_line(image.name)!r} is said to be in {' and in '.join(stated)}, "
                "by the names of shard and folder or its .json: make them agree"
            )
        return stated[0] if stated else None


def understand(
    storage: Storage,
    listed: list[tuple[StoredFile, list[ShardImage]]],
    notes: list[str],
    options: SourceOptions,
) -> LabelScheme:
    """Tells what labels and folders mean; bare shards among labelled ones hold unlabelled images."""
    labels: dict[str, MemberPlace] = {}
    counts: Counter[str] = Counter()
    folders: dict[str, MemberPlace] = {}
    for shard, found in listed:
        for image in found:
            folders.setdefault(_folder(image), MemberPlace(shard.name, image.name))
            if image.label is not None:
                labels.setdefault(image.label, MemberPlace(shard.name, image.name))
                counts[image.label] += 1
    kind = asked_kind(options) or (LABELS if any(map(is_listed, labels)) else CLASS)
    if labels and (bare := [shard.name for shard, found in listed if found and found[0].label is None]):
        notes.append(f"no labels in {some(bare)}")
    names = None
    if labels and (file := storage.look(NAMES)):
        if file.size > _LONGEST_LIST:
            raise UsageError(f"{file.path} has {file.size:,} bytes: it is no list of class names")
        names = read_names(storage.read(file, 0, file.size), on_one_line(file.path))
    meanings = read_folders(folders, labelled=bool(labels) or kind != CLASS)
    if kind != CLASS:
        targets = read_shard_targets(storage.root, labels, counts, kind, options)
        notes += targets.notes
        if kind == LABELS and names is not None:
            targets = targets._replace(table=_with_names(targets.table, next(iter(labels.values())), names))
        return LabelScheme(meanings, targets)
    return LabelScheme(meanings, name_labels(labels, names) if labels else None)


def _with_names(table: TargetTable, place: MemberPlace, names: list[str]) -> TargetTable:
    """Gives numbered labels the names that stand beside the shards."""
    if not all(_NUMBER.fullmatch(name) for name in table.names):
        return table
    return replace(table, names=tuple(_name_of(int(name), place, names) or name for name in table.names))


def _folder(image: ShardImage) -> str:
    return image.name.rpartition("/")[0]
