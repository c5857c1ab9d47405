"""Rows that a head, or its training split, has seen: figures on them tell how well it remembers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.cache import FeatureSet
from pipeline.errors import CacheMismatchError
from pipeline.evaluation.figures import Figures
from pipeline.evaluation.leaks.findings import Leaks
from pipeline.evaluation.leaks.likeness import take_originals
from pipeline.heads import read_seen
from pipeline.images import UNLABELLED
from pipeline.images.row_table import RowTable
from pipeline.wording import counted, verb

if TYPE_CHECKING:
    from pipeline.heads import SeenImages


REMEMBERED = (
    "this is the training split: the head has seen these very images, so the figures tell how well it "
    "remembers, not how well it recognises. Quote those of `--split test`"
)
UNKNOWN = (
    "which images were trained on is not known: an earlier version saved the head, without a list of them. "
    "`pipeline train-head` trains it again"
)


@dataclass(frozen=True, eq=False, kw_only=True)
class SeenRows:
    """Which of n measured rows are no new ones; rows without a label are never among them.

    A head knows the images it was trained and validated on by their bytes, whatever split they stand in now.
    That val rows were validated on is what val is for, so on val they are counted and not left out.

    Attributes:
        split: The split that is measured.
        labelled: bool (n,), rows that count in figures.
        trained: bool (n,), rows that the head was trained on; None where that is not known.
        validated: bool (n,), rows that the head, or its training, was chosen on; None where not known.
        leaking: bool (n,), rows that stand in the training split as it is now, in whatever form.
    """

    split: str
    labelled: np.ndarray
    trained: np.ndarray | None
    validated: np.ndarray | None
    leaking: np.ndarray

    @classmethod
    def among(cls, rows: RowTable, split: str, *, head: SeenImages | None, leaks: Leaks | None) -> SeenRows:
        """Looks up rows, augmented views left out, in what a head has seen and what a check has found."""
        labelled = rows.labels != UNLABELLED
        none = np.zeros(len(rows), bool)
        return cls(
            split=split,
            labelled=labelled,
            trained=None if head is None else labelled & head.trained_on(rows.digests),
            validated=None if head is None else labelled & head.validated_on(rows.digests),
            leaking=none if leaks is None else labelled & leaks.mask(split, rows.ids),
        )

    @property
    def trained_on(self) -> int | None:
        """Number of rows that the head was trained on; None where that is not known."""
        return None if self.trained is None else int(self.trained.sum())

    @property
    def validated_on(self) -> int | None:
        """Number of rows that the head was validated on; None where that is not known."""
        return None if self.validated is None else int(self.validated.sum())

    @property
    def mask(self) -> np.ndarray:
        """Rows to leave out of honest figures, bool (n,)."""
        parts = [self.leaking, self.trained, None if self.split == "val" else self.validated]
        return np.logical_or.reduce([part for part in parts if part is not None])

    def notes(self, figures: Figures, without: Figures | None) -> list[str]:
        """Says what figures with and without these rows are worth.

        Args:
            figures: Those of all rows.
            without: Those of the rows that are not under ``mask``; None where it leaves all or none.
        """
        if self.trained is None:
            of_split = [REMEMBERED] if self.split == "train" else self._leak(figures, without)
            return [UNKNOWN, *of_split]
        if self.split == "train" and self.trained_on == figures.n:
            return [REMEMBERED]
        if self.split == "train" and not self.trained_on:
            return ["the head was trained on none of these rows: this is another training split than its own"]
        return self._leak(figures, without)

    def _leak(self, figures: Figures, without: Figures | None) -> list[str]:
        leaking, trained_on = int(self.leaking.sum()), self.trained_on or 0
        chosen_on = 0 if self.split == "val" else self.validated_on or 0
        rows = counted(figures.n, "row")
        counts = (
            (leaking, f"{leaking:,} of {rows} {verb(leaking, 'stands', 'stand')} in the training split, too"),
            (trained_on, f"the head was trained on {trained_on:,} of {rows}"),
            (chosen_on, f"the head was chosen on {chosen_on:,} of {rows}"),
        )
        said = "; ".join(text for count, text in counts if count)
        if not said:
            return []
        if without is None:
            return [
                f"LEAK: {said}. No other row is left, so the figures tell how well the head remembers, not "
                "how well it recognises: `pipeline train-head` trains it again on the splits as they are"
            ]
        return [
            f"LEAK: {said}: accuracy {figures.accuracy:.2%} with them, {without.accuracy:.2%} on the "
            f"{counted(without.n, 'row')} without. Quote the second; `pipeline check` names both places of "
            "each"
        ]


@dataclass(frozen=True)
class SeenByHead:
    """What a trained head has seen of a split.

    Attributes:
        head: Name of the head.
        split: ``val`` or ``test``.
        images: Images of the split.
        trained_on: Those that the head was trained on.
        validated_on: Those that it, or its training, was chosen on: what val is for, and test is not.
    """

    head: str
    split: str
    images: int
    trained_on: int
    validated_on: int

    @property
    def leaks(self) -> bool:
        """Whether figures of the head on the split would flatter it."""
        return self.trained_on > 0 or (self.validated_on > 0 and self.split != "val")

    @property
    def line(self) -> str:
        """The numbers in words."""
        seen = [f"trained on {self.trained_on:,}"] if self.trained_on else []
        seen += [f"chosen on {self.validated_on:,}"] if self.validated_on and self.split != "val" else []
        return (
            f"head {self.head} was {' and '.join(seen)} of the {self.images:,} {self.split} images: "
            f"`pipeline train-head --head {self.head}` trains it again on the splits as they are"
        )


@dataclass(frozen=True)
class SeenByHeads:
    """What all heads of an entry have seen.

    Attributes:
        found: One a head and split, where it has seen what it should not have.
        notes: Heads of which that is not known, and why.
    """

    found: tuple[SeenByHead, ...] = ()
    notes: tuple[str, ...] = ()

    def to_json(self) -> list[dict[str, Any]]:
        """Returns what ``pipeline check --json`` prints as ``heads``."""
        return [asdict(one) for one in self.found]


def find_seen(entry: Path, splits: Mapping[str, FeatureSet]) -> SeenByHeads:
    """Looks up the images of val and test in what each head trained on an entry has seen.

    Args:
        entry: ``runs/<dataset>/<entry>``; there may be no head in it, and it may be absent.
        splits: Features of the splits by name.
    """
    found, notes = [], []
    for path in sorted(entry.glob("[!.]*/head.json")):
        name = path.parent.name
        try:
            seen = read_seen(path.parent)
        except CacheMismatchError as error:
            notes.append(f"head {name} is left out: {error}")
            continue
        if seen is None:
            notes.append(f"head {name}: what it was trained on is not known, an earlier version saved it")
            continue
        for split in [name for name in splits if name != "train"]:
            digests = take_originals(splits[split]).rows.digests
            counts = (int(one.sum()) for one in (seen.trained_on(digests), seen.validated_on(digests)))
            found.append(SeenByHead(name, split, len(digests), *counts))
    return SeenByHeads(tuple(one for one in found if one.leaks), tuple(notes))
