"""A table of rows: what a split holds, in columns, before any feature is computed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from pipeline.images.packed_strings import Categorical, PackedStrings
from pipeline.images.sequences import LazySequence, Positions, as_run, same, take_rows, whole_positions
from pipeline.images.source import UNLABELLED
from pipeline.images.targets import COLUMN, no_targets, same_targets

DIGEST_BYTES = 32
_MARK_BYTES = 8


@dataclass(frozen=True, eq=False)
class RowTable:
    """The wanted or stored rows of one split; row i of every column belongs together.

    Attributes:
        ids: N unique names.
        labels: int32 (N,), index into the classes, -1 = unlabelled.
        digests: uint8 (N, 32), SHA-256 of each image's bytes.
        views: uint8 (N,), 0 = the image itself, 1..K = its augmented views.
        groups: N names of what must stay together (a patient, a product); empty = none, and so is no list.
        targets: float32 (N, k), what is known of each image where that is no class, see
            ``images/targets.py``; (N, 0) where it is, and so is None.
    """

    ids: Sequence[str]
    labels: np.ndarray
    digests: np.ndarray
    views: np.ndarray
    groups: Sequence[str] = ()
    targets: np.ndarray = None  # type: ignore[assignment]  # settled below

    def __post_init__(self) -> None:
        if self.targets is None:
            object.__setattr__(self, "targets", no_targets(len(self.labels)))
        if not len(self.groups):
            object.__setattr__(self, "groups", Categorical(np.broadcast_to(np.int8(-1), len(self)), ()))

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def keys(self) -> np.ndarray:
        """What identifies each row's features under a spec: void (N,) of digest and view, 33 bytes."""
        packed = np.concatenate([self.digests, self.views[:, None]], axis=1)
        return np.ascontiguousarray(packed).view(f"V{DIGEST_BYTES + 1}").reshape(-1)

    def columns(self, split: str, classes: Sequence[str]) -> dict[str, list[Any]]:
        """Returns what is known of each row as texts, and its view as a number, by the names of the columns.

        Args:
            split: Where the rows stand.
            classes: Class names; an unlabelled row has an empty one, as has a row without a group. Of targets
                their names: each has a column of numbers, ``target:<name>``, with None for what is unknown.
        """
        targets = {
            f"{COLUMN}{name}": [None if np.isnan(value) else value for value in column]
            for name, column in zip(classes, self.targets.T, strict=False)
        }
        return {
            "id": list(self.ids),
            "sha256": [digest.tobytes().hex() for digest in self.digests],
            "split": [split] * len(self),
            "label": ["" if label == UNLABELLED else classes[label] for label in self.labels.tolist()],
            "group": list(self.groups),
            "view": self.views.tolist(),
            **targets,
        }

    @classmethod
    def joined(cls, parts: Sequence[RowTable]) -> RowTable:
        """Puts the rows of several lists, at least one, one below the other."""
        return cls(
            ids=_joined_strings([part.ids for part in parts]),
            labels=np.concatenate([part.labels for part in parts]),
            digests=np.concatenate([part.digests for part in parts]),
            views=np.concatenate([part.views for part in parts]),
            groups=_joined_strings([part.groups for part in parts]),
            targets=np.concatenate([part.targets for part in parts]),
        )

    def fingerprint(self) -> str:
        """SHA-256, in hex, of all columns."""
        whole = hashlib.sha256(f"{len(self)}".encode())
        for column in (self.labels.astype("<i4"), self.digests, self.views):
            whole.update(np.ascontiguousarray(column).data)
        if self.targets.shape[1]:
            whole.update(np.ascontiguousarray(self.targets.astype("<f4")).data)
        for names in (self.ids, self.groups):
            for name in names:
                whole.update(name.encode("utf-8", "surrogateescape") + b"\0")
        return whole.hexdigest()

    def take(self, index: slice | np.ndarray) -> RowTable:
        """Returns the rows at the given int positions (or under a boolean mask), in that order.

        Rows that follow one another share memory with these.
        """
        rows = as_run(whole_positions(index, len(self)))
        return RowTable(
            ids=_take_strings(self.ids, rows),
            labels=take_rows(self.labels, rows),
            digests=take_rows(self.digests, rows),
            views=take_rows(self.views, rows),
            groups=_take_strings(self.groups, rows),
            targets=take_rows(self.targets, rows),
        )

    def equals(self, other: RowTable) -> bool:
        """Tells whether both hold the same rows with the same names and labels in the same order."""
        return (
            same(self.ids, other.ids)
            and same(self.groups, other.groups)
            and np.array_equal(self.labels, other.labels)
            and np.array_equal(self.digests, other.digests)
            and np.array_equal(self.views, other.views)
            and same_targets(self.targets, other.targets)
        )


def count_classes(labels: np.ndarray, classes: int) -> tuple[np.ndarray, int]:
    """Returns the rows of each class, int (classes,), and how many have no label.

    Args:
        labels: Integers (N,), -1 = unlabelled.
        classes: Number of classes.
    """
    labelled = labels[labels >= 0]
    return np.bincount(labelled, minlength=classes), len(labels) - len(labelled)


def _take_strings(strings: Sequence[str], rows: Positions) -> Sequence[str]:
    return strings.take(rows) if isinstance(strings, LazySequence) else [strings[i] for i in rows]


def _joined_strings(parts: Sequence[Sequence[str]]) -> PackedStrings:
    return PackedStrings.joined(
        [part if isinstance(part, PackedStrings) else PackedStrings.of(part) for part in parts]
    )


def name_marks(rows: RowTable) -> np.ndarray:
    """Returns a hash of each row's id, uint64 (N,)."""
    return _marks(encoded_ids(rows))


def image_marks(rows: RowTable) -> np.ndarray:
    """Returns a hash of each row's id together with its digest, uint64 (N,)."""
    digests = np.ascontiguousarray(rows.digests)
    return _marks(digest.tobytes() + name for name, digest in zip(encoded_ids(rows), digests, strict=True))


def isin(these: np.ndarray, those: np.ndarray) -> np.ndarray:
    """Tells which of some keys are among others, bool (n,)."""
    if not len(these) or not len(those):
        return np.zeros(len(these), bool)
    return np.isin(these, those)


def encoded_ids(rows: RowTable) -> Iterator[bytes]:
    """Yields each row's id as it stands in a file."""
    if isinstance(rows.ids, PackedStrings):
        return rows.ids.encoded()
    return (name.encode("utf-8", "surrogateescape") for name in rows.ids)


def _marks(values: Iterable[bytes]) -> np.ndarray:
    digests = (hashlib.blake2b(value, digest_size=_MARK_BYTES).digest() for value in values)
    return np.fromiter((int.from_bytes(digest, "little") for digest in digests), np.uint64)
