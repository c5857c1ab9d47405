"""Conformal sets: instead of one class, as many as it takes to hold the true one in 95 % of the cases."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from typing import Any

import numpy as np

from pipeline.cache import FeatureSet
from pipeline.errors import UsageError
from pipeline.evaluation.leaks.findings import Leaks
from pipeline.evaluation.rows import SeenRows, uncalibrated_answers, unit_names
from pipeline.heads import TrainedHead
from pipeline.wording import counted, several

SEED = 0
ROUNDING = 1e-9
"""What a product such as 100 * 0.95 may be above the whole number that it means."""


@dataclass(frozen=True, eq=False)
class ConformalSets:
    """From which probability on a class belongs to the set of an image.

    Source: split conformal prediction with the probability of the class as score, A. N. Angelopoulos,
    S. Bates, "A gentle introduction to conformal prediction", 2021, section 1; per class: V. Vovk,
    "Conditional validity of inductive conformal predictors", ACML 2012.

    Attributes:
        coverage: Share of new images like those of val whose set holds their class, at least; if new images
            come in groups, as val does, of images drawn from new groups.
        least: float64 (k,), the least probability of a class in a set; 0 where all images have it.
        rows: int (k,), val images that told it.
        per_class: Whether the coverage is that of the images of each class.
        grouped: Whether one image of each group was taken.
    """

    coverage: float
    least: np.ndarray
    rows: np.ndarray
    per_class: bool
    grouped: bool

    def sets(self, probabilities: np.ndarray) -> np.ndarray:
        """Tells which classes belong to the set of each image, bool (n, k), by float (n, k)."""
        return probabilities >= self.least

    def notes(self, classes: tuple[str, ...]) -> list[str]:
        """Says how far the promise reaches."""
        of = "of the images of each class" if self.per_class else "of images like those of val"
        rows = counted(int(self.rows.sum() if self.per_class else self.rows.max(initial=0)), "val image")
        each = ", one of each group" if self.grouped else ""
        said = [f"sets hold the class of {self.coverage:.1%} {of}, by {rows}{each}"]
        always = [classes[i] for i in np.flatnonzero(self.rows < fewest(self.coverage))]
        if always:
            needed = counted(fewest(self.coverage), "val image")
            said.append(f"in every set: {several(always)}. A class needs {needed} for {self.coverage:.1%}")
        return said

    def to_json(self, classes: tuple[str, ...]) -> dict[str, Any]:
        """Returns what ``--json`` has to say of the sets."""
        return {
            "coverage": self.coverage,
            "per_class": self.per_class,
            "one_of_each_group": self.grouped,
            "classes": {
                name: {"least_probability": float(least), "val_rows": int(rows)}
                for name, least, rows in zip(classes, self.least, self.rows, strict=True)
            },
        }


def conformal_sets(
    head: TrainedHead,
    valid: FeatureSet,
    coverage: float,
    *,
    per_class: bool = False,
    leaks: Leaks | None = None,
) -> ConformalSets:
    """Finds the sets of a head by its answers to val.

    Rows that the head was trained on, augmented views and rows without a label that it knows take no part.
    Of a group, whose images are alike, one image is drawn: groups are what is independent (R. Dunn, L.
    Wasserman, A. Ramdas, "Distribution-free prediction sets for two-layer hierarchical models", JASA 2023).

    Args:
        head: A trained head.
        valid: The val split of the features it was trained on.
        coverage: Between 0 and 1.
        per_class: Promise it to the images of each class, not to all together.
        leaks: What a check of val against train found.

    Raises:
        UsageError: The coverage is none, or val has too few images for it.
        CacheMismatchError: The head does not know a class of val, or the features' spec.
    """
    if not 0 < coverage < 1:
        raise UsageError(f"a coverage of {coverage:g} cannot be: give a number between 0 and 1, such as 0.95")
    rows, answers = uncalibrated_answers(head, valid)
    seen = SeenRows.among(rows, valid.split, head=head.seen, leaks=leaks)
    used = np.flatnonzero(seen.labelled & ~seen.mask)
    used = used[head.known[rows.labels[used]]]
    labels = rows.labels[used]
    names = unit_names(rows)
    groups = [names[i] for i in used.tolist()]
    drawn = one_of_each(groups, labels if per_class else np.zeros_like(labels))
    given = head.calibrated(answers[used])[drawn, labels[drawn]]
    if not per_class and len(drawn) < fewest(coverage):
        needed = counted(fewest(coverage), "val image")
        raise UsageError(
            f"a coverage of {coverage:g} needs {needed} that the head was not trained on, of groups of their "
            f"own; there are {len(drawn):,}. Give a smaller --coverage, or run `pipeline extract` on a "
            "source with more val images"
        )
    parts = [given[labels[drawn] == label] if per_class else given for label in range(len(head.classes))]
    return ConformalSets(
        coverage=coverage,
        least=np.array([least_probability(part, coverage) for part in parts]),
        rows=np.array([len(part) for part in parts]),
        per_class=per_class,
        grouped=len(set(groups)) < len(groups),
    )


def fewest(coverage: float) -> int:
    """Returns how many images it takes before a set can leave any class out."""
    return ceil(coverage / (1 - coverage) - ROUNDING)


def covering_place(count: int, coverage: float) -> int:
    """Returns the place among ``count`` scores of the one that so many new ones keep within, from 1 up.

    It is above ``count`` where these are too few.
    """
    return ceil((count + 1) * coverage - ROUNDING)


def least_probability(given: np.ndarray, coverage: float) -> float:
    """Returns the probability that so many of the true classes reach, and so would that of one more image.

    With n images, that of the image at place ceil((n + 1) coverage) from the top; 0 where there is none.

    Args:
        given: float (n,), the probability of the true class of each image.
        coverage: Between 0 and 1.
    """
    place = covering_place(len(given), coverage)
    if place > len(given):
        return 0.0
    return float(-np.partition(-given, place - 1)[place - 1])


def one_of_each(groups: list[str], strata: np.ndarray) -> np.ndarray:
    """Draws one position of each group in each stratum, int (m,), ascending.

    Args:
        groups: n names.
        strata: int (n,).
    """
    order = np.random.default_rng(SEED).permutation(len(groups)).tolist()
    first = {(int(strata[i]), groups[i]): i for i in order}
    return np.sort(np.fromiter(first.values(), np.int64, len(first)))
