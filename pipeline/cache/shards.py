"""Parts: the files of a split, one or several, and their names."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from pipeline.images import SPLITS

_NUMBERED = re.compile(r"(?P<split>[a-z]+)-(?P<number>[0-9]{5,})-of-(?P<count>[0-9]{5,})")


@dataclass(frozen=True, order=True)
class Part:
    """One file of a split.

    Attributes:
        split: ``train``, ``val`` or ``test``.
        number: Its place among the files of the split, from 0.
        count: How many there are.
    """

    split: str
    number: int = 0
    count: int = 1

    @property
    def name(self) -> str:
        """File name without its ending: ``train``, or ``train-00000-of-00008`` where there are several."""
        return self.split if self.count == 1 else f"{self.split}-{self.number:05}-of-{self.count:05}"

    @classmethod
    def of(cls, name: str) -> Part | None:
        """Reads a name; None where it is no part's."""
        part = cls(name)
        if match := _NUMBERED.fullmatch(name):
            part = cls(match["split"], int(match["number"]), int(match["count"]))
        known = part.split in SPLITS and part.number < part.count
        return part if known and part.name == name else None


def parts_of(split: str, count: int) -> list[Part]:
    """Lists the parts of a split in so many files."""
    return [Part(split, number, count) for number in range(count)]


def whole_sets(names: Iterable[str]) -> dict[str, list[Part]]:
    """Finds, among the names of files, the splits of which no file is missing.

    While one set of files takes the place of another both may be whole for a moment: the one of more files
    counts.

    Args:
        names: File names without their endings; those that are no part's are passed over.

    Returns:
        The parts of each split in order; splits in the order train, val, test.
    """
    found: dict[tuple[str, int], set[int]] = defaultdict(set)
    for part in filter(None, map(Part.of, names)):
        found[part.split, part.count].add(part.number)
    counts: dict[str, int] = defaultdict(int)
    for (split, count), numbers in found.items():
        if len(numbers) == count:
            counts[split] = max(counts[split], count)
    return {split: parts_of(split, counts[split]) for split in SPLITS if split in counts}
