"""Damage in feature files: what was found, and how much had to be computed anew for it."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.cache.format import FeatureFile
from pipeline.cache.shards import RowMap
from pipeline.errors import CacheMismatchError
from pipeline.images.row_table import RowTable, isin, name_marks
from pipeline.wording import counted, verb


class DamagedFileError(CacheMismatchError):
    """A feature file was read and is damaged.

    Attributes:
        what: Which part of it, in a few words.
    """

    def __init__(self, message: str, what: str) -> None:
        super().__init__(message)
        self.what = what

    def __reduce__(self) -> tuple[type[DamagedFileError], tuple[str, str]]:
        """Rebuilds it in another process."""
        return type(self), (str(self), self.what)


@dataclass(frozen=True, eq=False)
class Damage:
    """A damaged feature file that was met.

    Attributes:
        path: Where it stood.
        what: Which part of it is damaged, in a few words.
        rows: What it says that it holds; None where that cannot be read.
        identity: Tells it from others, also under another name.
    """

    path: Path
    what: str
    rows: RowTable | None = None
    identity: tuple[int, ...] = ()

    @classmethod
    def of(cls, path: Path, what: str, layout: FeatureFile | None = None) -> Damage:
        """Takes down a file that is still there, or what was read of it."""
        if layout is None:
            return cls(path, what, identity=identity_of(path))
        return cls(path, what, layout.rows, layout.identity)


def identity_of(path: Path) -> tuple[int, ...]:
    """Tells a file from others, also under another name; one that is gone, from nothing."""
    try:
        status = os.stat(path)
    except OSError:
        return ()
    return status.st_dev, status.st_ino


def damage_of_marks(layout: FeatureFile) -> list[Damage]:
    """Finds out whether marks of ``done`` are damaged: a published file has all of them."""
    missing = int((~layout.done).sum()) if layout.path.suffix == ".h5" else layout.stray
    return [Damage.of(layout.path, f"done of {counted(missing, 'row')}", layout)] if missing else []


def damage_of_features(layout: FeatureFile, count: int) -> list[Damage]:
    """Takes down that so many rows do not fit their checksums."""
    if not count:
        return []
    return [Damage.of(layout.path, f"features or crc32 of {counted(count, 'row')}", layout)]


@dataclass
class DamageReport:
    """What became of a damaged file in one run.

    Attributes:
        file: Where it stood.
        what: Which part of it was damaged, in a few words.
        rows: Rows that it should have held, and that were computed anew.
    """

    file: Path
    what: str
    rows: int

    @property
    def line(self) -> str:
        """Says it to people."""
        anew = "no row had to be computed anew"
        if self.rows:
            anew = f"{counted(self.rows, 'row')} {verb(self.rows, 'was', 'were')} computed anew"
        return (
            f"{self.file} was damaged ({self.what}): {anew}, what can be proved was taken over. "
            "Look after the disk"
        )

    def to_json(self) -> dict[str, Any]:
        """Returns the object of ``--json``."""
        return {"file": str(self.file), "what": self.what, "rows": self.rows}


@dataclass
class DamageLog:
    """The damaged files that a run has met for one entry.

    Attributes:
        folder: Folder of the entry.
    """

    folder: Path
    _met: dict[tuple[int, ...] | Path, Damage] = field(default_factory=dict)
    _computed: dict[tuple[int, ...] | Path, int] = field(default_factory=dict)

    def meet(self, damages: Iterable[Damage]) -> None:
        """Takes down damaged files; the same one may be met again, also under another name."""
        for damage in damages:
            key = damage.identity or damage.path
            known = self._met.get(key)
            if known is None:
                self._met[key] = damage
            elif known.rows is None:
                self._met[key] = replace(known, rows=damage.rows)

    def count(self, wanted: Mapping[str, RowTable], computed: np.ndarray) -> None:
        """Counts for each file how many of its rows were computed.

        Args:
            wanted: By the name of the shard, rows of the entry.
            computed: bool (G,), which of them, one shard after the other, were computed.
        """
        by_file = RowMap([len(rows) for rows in wanted.values()]).by_file(computed)
        for (name, rows), mask in zip(wanted.items(), by_file, strict=True):
            if self._met and mask.any():
                fresh = rows.take(np.flatnonzero(mask))
                for key, damage in self._met.items():
                    found = self._computed.get(key, 0) + self._lost(damage, name, fresh)
                    self._computed[key] = found

    def _lost(self, damage: Damage, name: str, computed: RowTable) -> int:
        """Counts rows that a damaged file had, or should have had, by the name or digest of the image."""
        if damage.rows is None:
            own = damage.path.parent == self.folder and damage.path.name.split(".")[0] == name
            return len(computed) if own else 0
        known = isin(computed.keys, damage.rows.keys)
        known |= isin(name_marks(computed), name_marks(damage.rows))
        return int(known.sum())

    def reports(self) -> list[DamageReport]:
        """Lists the files, each once."""
        return [
            DamageReport(damage.path, damage.what, self._computed.get(key, 0))
            for key, damage in self._met.items()
        ]
