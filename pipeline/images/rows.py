"""Rows: what a split holds, in columns, before any feature is computed."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

DIGEST_BYTES = 32


@dataclass(frozen=True, eq=False)
class Rows:
    """The wanted or stored rows of one split; row i of every column belongs together.

    Attributes:
        ids: N unique names.
        labels: int32 (N,), index into the classes, -1 = unlabelled.
        digests: uint8 (N, 32), SHA-256 of each image's bytes.
        views: uint8 (N,), 0 = the image itself, 1..K = its augmented views.
        groups: N names of what must stay together (a patient, a product); empty = none, and so is no list.
    """

    ids: Sequence[str]
    labels: np.ndarray
    digests: np.ndarray
    views: np.ndarray
    groups: Sequence[str] = ()

    def __post_init__(self) -> None:
        if not len(self.groups):
            object.__setattr__(self, "groups", [""] * len(self))

    def __len__(self) -> int:
        return len(self.labels)

    @property
    def keys(self) -> np.ndarray:
        """What identifies each row's features under a spec: void (N,) of digest and view, 33 bytes."""
        packed = np.concatenate([self.digests, self.views[:, None]], axis=1)
        return np.ascontiguousarray(packed).view(f"V{DIGEST_BYTES + 1}").reshape(-1)

    @classmethod
    def joined(cls, parts: Sequence[Rows]) -> Rows:
        """Puts the rows of several lists, at least one, one below the other."""
        return cls(
            ids=[name for part in parts for name in part.ids],
            labels=np.concatenate([part.labels for part in parts]),
            digests=np.concatenate([part.digests for part in parts]),
            views=np.concatenate([part.views for part in parts]),
            groups=[name for part in parts for name in part.groups],
        )

    def fingerprint(self) -> str:
        """SHA-256, in hex, of all columns."""
        whole = hashlib.sha256(f"{len(self)}".encode())
        for column in (self.labels.astype("<i4"), self.digests, self.views):
            whole.update(np.ascontiguousarray(column))
        for names in (self.ids, self.groups):
            for name in names:
                whole.update(name.encode("utf-8", "surrogateescape") + b"\0")
        return whole.hexdigest()

    def take(self, index: np.ndarray) -> Rows:
        """Returns the rows at the given int positions (or under a boolean mask), in that order."""
        positions = np.arange(len(self))[index]
        return Rows(
            ids=[self.ids[i] for i in positions],
            labels=self.labels[positions],
            digests=self.digests[positions],
            views=self.views[positions],
            groups=[self.groups[i] for i in positions],
        )

    def equals(self, other: Rows) -> bool:
        """Tells whether both hold the same rows with the same names and labels in the same order."""
        return (
            list(self.ids) == list(other.ids)
            and list(self.groups) == list(other.groups)
            and np.array_equal(self.labels, other.labels)
            and np.array_equal(self.digests, other.digests)
            and np.array_equal(self.views, other.views)
        )
