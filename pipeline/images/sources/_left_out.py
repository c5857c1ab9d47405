"""What a source leaves out, by itself or by ``--leave-out``: how much, and the first few names."""

from __future__ import annotations

import fnmatch
import heapq
import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, field

from pipeline.images.source import LeftOut
from pipeline.images.sources._words import SHOWN, on_one_line, printable, some

NO_IMAGES = "files that are no images"
UNFINISHED = "backups and unfinished downloads"
HIDDEN_FOLDERS = "hidden folders"
SYSTEM_FOLDERS = "folders of the system"
OWN_FOLDERS = "folders that this package made"
LINKS_OUT = "links out of the folder"
LINKS_BACK = "links back up"
LINKS_NOWHERE = "links to nothing"
LINKS_LOCKED = "links that cannot be followed"
NOT_HERE = "images that are not on this machine"
BESIDE_CLASSES = "images beside class folders"
BESIDE_SPLITS = "images beside the split folders"
FOLDERS_BESIDE_SPLITS = "folders beside the split folders"


class Omissions:
    """Keeps account of what is left out.

    A folder may be listed twice, so what is said of it later replaces what was said before; all names would
    take more memory than the images where each has a text file.
    """

    def __init__(self) -> None:
        self._kinds: dict[str, _Names] = {}

    def add(self, what: str, folder: str, names: Collection[str], *, count: int | None = None) -> None:
        """Notes names of a folder: all of its kind at once.

        Args:
            what: The kind, in the plural.
            folder: Path relative to the root, ``""`` or ending in ``/``.
            names: In the folder.
            count: How many there are, where not all are named.
        """
        if names:
            kind = self._kinds.setdefault(what, _Names())
            kind.counts[folder] = len(names) if count is None else count
            kind.name(folder + name for name in names)

    def count(self, *kinds: str) -> int:
        """Returns how many there are of some kinds."""
        return sum(sum(self._kinds[what].counts.values()) for what in kinds if what in self._kinds)

    def shown(self, what: str) -> str:
        """Returns a kind with its number and first names, on one line."""
        (one,) = [one for one in self.left_out() if one.what == what]
        return f"{what} ({one.count:,}): {some(one.examples, total=one.count)}"

    def left_out(self) -> tuple[LeftOut, ...]:
        """Returns the account."""
        return tuple(
            LeftOut(what, self.count(what), tuple(on_one_line(printable(name)) for name in kind.first))
            for what, kind in self._kinds.items()
        )


@dataclass
class _Names:
    """Names of one kind: how many in each folder, and the first few of all."""

    counts: dict[str, int] = field(default_factory=dict)
    first: list[str] = field(default_factory=list)

    def name(self, paths: Iterable[str]) -> None:
        self.first = heapq.nsmallest(SHOWN, {*self.first, *paths}, key=printable)


def by_pattern(pattern: str) -> str:
    """Returns the kind of what a user has left out by a pattern."""
    return f"what --leave-out {pattern!r} names"


class Patterns:
    """Some patterns; a source asks them for every name that it comes across.

    A pattern without ``/`` is that of a file's or a folder's name, wherever it stands (``*_mask.png``,
    ``masks``). Others are those of whole ids (``train/cat/*.png``), or of folders from the root
    (``extra/masks``). ``*`` stands for any letters, ``/`` among them.
    """

    def __init__(self, texts: Sequence[str] = ()) -> None:
        self._matching = {text: _compiled(text) for text in texts if text}

    def find(self, folder: str, name: str) -> str | None:
        """Returns the first pattern that means a file or folder; None where none does.

        Args:
            folder: Path of the folder that it stands in, ``""`` or ending in ``/``.
            name: In that folder.
        """
        for text, (pattern, of_ids) in self._matching.items():
            if pattern.match(folder + name if of_ids else name):
                return text
        return None

    def find_id(self, name: str) -> str | None:
        """Returns the first pattern that means an id or a folder on the way to it."""
        if not self._matching:
            return None
        ends = [at for at, letter in enumerate(name) if letter == "/"]
        starts = [0, *(at + 1 for at in ends)]
        parts = (
            (name[:start], name[start:end]) for start, end in zip(starts, [*ends, len(name)], strict=True)
        )
        return next((found for folder, part in parts if (found := self.find(folder, part))), None)

    def unused(self, omissions: Omissions) -> list[str]:
        """Returns a remark on each pattern that has met nothing, by the account of what was left out."""
        return [
            f"--leave-out {text!r} names nothing here"
            for text in self._matching
            if not omissions.count(by_pattern(text))
        ]


def _compiled(text: str) -> tuple[re.Pattern[str], bool]:
    """Returns a pattern, and whether it is one of whole ids."""
    plain = text.removeprefix("./").rstrip("/")
    return re.compile(fnmatch.translate(plain)), "/" in plain
