"""What trained heads have seen of val and test: figures on these images would flatter them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from pipeline.cache import FeatureSet
from pipeline.errors import CacheMismatchError
from pipeline.evaluation.leaks.likeness import take_originals
from pipeline.heads import read_seen


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
