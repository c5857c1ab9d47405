"""The rows that are measured: what a head answers to them, and which of them are no new ones."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from pipeline.cache import FeatureSet
from pipeline.errors import CacheMismatchError
from pipeline.evaluation.leaks.findings import Leaks
from pipeline.heads import SeenImages, TrainedHead
from pipeline.images import UNLABELLED
from pipeline.images.row_table import RowTable
from pipeline.wording import counted, several, verb

REMEMBERED = (
    "this is the training split: the head has seen these very images, so the figures tell how well it "
    "remembers, not how well it recognises. Quote those of `--split test`"
)
UNKNOWN = (
    "which images were trained on is not known: an earlier version saved the head, without a list of them. "
    "`pipeline train-head` trains it again"
)


def unit_names(rows: RowTable) -> list[str]:
    """Names what the errors of each of n rows go with: its group, or itself where it is in none."""
    return [f"group {name}" if name else f"row {i}" for i, name in enumerate(rows.groups)]


@dataclass(frozen=True)
class HonestFigure:
    """The headline on all rows, and on those that are new.

    Attributes:
        name: What it is.
        with_seen: Its value on all rows, in words.
        without: Its value on the new ones.
        n: How many these are.
    """

    name: str
    with_seen: str
    without: str
    n: int


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
    def among(
        cls,
        rows: RowTable,
        split: str,
        *,
        head: SeenImages | None,
        leaks: Leaks | None,
        known: np.ndarray | None = None,
    ) -> SeenRows:
        """Looks up rows, augmented views left out, in what a head has seen and what a check has found.

        Args:
            rows: The n rows.
            split: The split that they are.
            head: What the head has seen; None where that is not known.
            leaks: What the check has found; None where none was made.
            known: bool (n,), rows that count in figures; None = those with a class.
        """
        labelled = rows.labels != UNLABELLED if known is None else known
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

    def notes(self, honest: HonestFigure | None) -> list[str]:
        """Says what figures with and without these rows are worth.

        Args:
            honest: The headline with and without the rows under ``mask``; None where it leaves all or none.
        """
        if self.trained is None:
            of_split = [REMEMBERED] if self.split == "train" else self._leak(honest)
            return [UNKNOWN, *of_split]
        if self.split == "train" and self.trained_on == self.labelled.sum():
            return [REMEMBERED]
        if self.split == "train" and not self.trained_on:
            return ["the head was trained on none of these rows: this is another training split than its own"]
        return self._leak(honest)

    def _leak(self, honest: HonestFigure | None) -> list[str]:
        leaking, trained_on = int(self.leaking.sum()), self.trained_on or 0
        chosen_on = 0 if self.split == "val" else self.validated_on or 0
        rows = counted(int(self.labelled.sum()), "row")
        counts = (
            (leaking, f"{leaking:,} of {rows} {verb(leaking, 'stands', 'stand')} in the training split, too"),
            (trained_on, f"the head was trained on {trained_on:,} of {rows}"),
            (chosen_on, f"the head was chosen on {chosen_on:,} of {rows}"),
        )
        said = "; ".join(text for count, text in counts if count)
        if not said:
            return []
        if honest is None:
            return [
                f"LEAK: {said}. No other row is left, so the figures tell how well the head remembers, not "
                "how well it recognises: `pipeline train-head` trains it again on the splits as they are"
            ]
        return [
            f"LEAK: {said}: {honest.name} {honest.with_seen} with them, {honest.without} on the "
            f"{counted(honest.n, 'row')} without. Quote the second; `pipeline check` names both places of "
            "each"
        ]


def uncalibrated_answers(head: TrainedHead, features: FeatureSet) -> tuple[RowTable, np.ndarray]:
    """Returns the n rows that are no augmented views, labels as the head counts, and float (n, k).

    Raises:
        CacheMismatchError: The head does not know a class of the split, or the features' spec.
    """
    labels = _labels_of(head, features)
    originals = features.rows.views == 0
    rows = replace(features.rows, labels=labels).take(originals)
    return rows, head.uncalibrated_proba(features)[originals]


def _labels_of(head: TrainedHead, features: FeatureSet) -> np.ndarray:
    """Returns int32 (N,): the features' labels as indices into the classes of the head."""
    positions = {name: i for i, name in enumerate(head.classes)}
    used = [features.classes[i] for i in np.unique(features.labels[features.labels >= 0])]
    strangers = [name for name in used if name not in positions]
    if strangers:
        raise CacheMismatchError(
            f"head {head.name!r} does not know {len(strangers)} of the classes in {features.dataset} "
            f"{features.split}: {several(strangers)}. "
            "Run `pipeline train-head` on a split that has them"
        )
    # The extra last place is what the label -1 picks: unlabelled stays unlabelled.
    translation = [positions.get(name, -1) for name in features.classes] + [-1]
    return np.array(translation, np.int32)[features.labels]
