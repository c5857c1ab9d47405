"""Which columns of a table are the path, the label, the split and the group."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipeline.images.source_options import SourceOptions, flag
from pipeline.images.sources._words import STATED_WORDS, on_one_line, some

REQUIRED = ("path", "label")
MEANINGS = (*REQUIRED, "split", "group")
"""What a column can mean; each is also the name of the column that means it."""

NONE = "none"
"""Says of an optional column that there is none."""

_NAMES = {
    "path": (
        *("path", "file", "filename", "file_name", "filepath", "file_path"),
        *("image", "image_file", "image_name", "image_path", "img", "img_path"),
    ),
    "label": ("label", "class", "class_name", "category", "target"),
    "split": ("split",),
    "group": ("group",),
}
"""Names that are understood where they are unambiguous; the first of each needs no remark."""

_MARKS = "\ufeff\u200b\u200e\u200f"  # a byte order mark and its like, which nobody sees
_SHOWN = 8
_FLAG = re.compile(rf"is_?({'|'.join(word for words in STATED_WORDS.values() for word in words)})(_.*)?")


@dataclass(frozen=True)
class Columns:
    """The meaning of the columns of a table, or of the keys of one of its records.

    Attributes:
        position: Where each meaning stands, counted from 0.
        named: The name of the column of each meaning, as the table spells it.
        others: Position and name of the columns without a meaning.
    """

    position: Mapping[str, int]
    named: Mapping[str, str]
    others: Mapping[int, str]

    @property
    def remarks(self) -> list[str]:
        """What was read under another name than expected."""
        return [
            f"column {on_one_line(name)!r} is read as the {meaning}"
            for meaning, name in self.named.items()
            if _plain(name) != meaning
        ]


def find_columns(names: Sequence[str], options: SourceOptions) -> Columns:
    """Finds the meaning of columns by their names, without regard to case and blanks.

    Args:
        names: The names in order.
        options: Columns that the user names.

    Raises:
        ValueError: A required column is missing, or several could be one; the message says how to choose.
    """
    wanted = {meaning: getattr(options, f"{meaning}_column") for meaning in MEANINGS}
    position = {meaning: _find(meaning, names, wanted[meaning]) for meaning in MEANINGS}
    missing = [meaning for meaning in REQUIRED if position[meaning] is None]
    if missing:
        ways = " ".join(f"{flag(f'{meaning}_column')} COLUMN" for meaning in missing)
        raise ValueError(
            f"no {' and no '.join(missing)}: expected {', '.join(MEANINGS)}; "
            f"found {some(names, _SHOWN) or 'nothing'}. If a column of another name holds it, give {ways}"
        )
    found = {meaning: at for meaning, at in position.items() if at is not None}
    for meaning, at in found.items():
        if other := next((one for one in found if one != meaning and found[one] == at), None):
            raise ValueError(f"column {on_one_line(names[at])!r} cannot be both {meaning} and {other}")
    return Columns(
        found,
        {meaning: names[at] for meaning, at in found.items()},
        {at: name for at, name in enumerate(names) if at not in found.values()},
    )


def tells_split(name: str) -> bool:
    """Tells whether a column says by its name that it tells one split from the rest, as ``is_test`` does."""
    return _FLAG.fullmatch(_plain(name)) is not None


def _find(meaning: str, names: Sequence[str], wanted: str) -> int | None:
    if wanted:
        return _wanted(meaning, names, wanted)
    found = [at for at, name in enumerate(names) if _plain(name) in _NAMES[meaning]]
    if len(found) > 1:
        same = len({names[at].strip() for at in found}) == 1
        way = (
            "rename or remove one of them"
            if same
            else f"say which with {flag(f'{meaning}_column')} {on_one_line(names[found[0]].strip())}"
        )
        listed = " and ".join(repr(on_one_line(names[at])) for at in found[:_SHOWN])
        raise ValueError(f"{_count(found)} columns could be the {meaning}, {listed}: {way}")
    return found[0] if found else None


def _wanted(meaning: str, names: Sequence[str], wanted: str) -> int | None:
    option = f"{flag(f'{meaning}_column')} {on_one_line(wanted)}"
    found = [at for at, name in enumerate(names) if name.strip() == wanted.strip()]
    found = found or [at for at, name in enumerate(names) if _plain(name) == _plain(wanted)]
    if not found and wanted == NONE and meaning not in REQUIRED:
        return None
    if not found:
        raise ValueError(f"no column for {option}: found {some(names, _SHOWN) or 'nothing'}")
    if len(found) > 1:
        listed = " and ".join(repr(on_one_line(names[at])) for at in found[:_SHOWN])
        raise ValueError(f"{_count(found)} columns fit {option}, {listed}: rename or remove one of them")
    return found[0]


def _count(found: Sequence[int]) -> str:
    return "two" if len(found) == 2 else str(len(found))


def _plain(name: str) -> str:
    """Returns a name as it is compared: without marks that nobody sees, case, and kinds of blanks."""
    visible = "".join(letter for letter in unicodedata.normalize("NFKC", name) if letter not in _MARKS)
    return re.sub(r"[\s_-]+", "_", visible.strip()).casefold()
