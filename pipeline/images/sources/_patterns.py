"""What a user leaves out of a source, by shell patterns (``--leave-out``)."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Sequence

from pipeline.images.sources._left_out import Omissions, by_pattern


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
