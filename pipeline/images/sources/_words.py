"""What folder and column names mean: split words, natural order, short lists."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Sequence

from pipeline.wording import first_few

SPLIT_WORDS = {
    "train": ("train", "training", "training_set"),
    "val": ("val", "valid", "validation", "validation_set"),
    "test": ("test", "testing", "test_set"),
}
"""The words for each split that are understood everywhere, in any case."""

STATED_WORDS = SPLIT_WORDS | {"val": (*SPLIT_WORDS["val"], "dev", "development")}
"""The words that are understood where somebody states a split: in a table, in the name of an array."""

SHOWN = 3
"""Names that a remark gives."""

_SHORT = {"trn": "train", "vld": "val", "tst": "test"}
_SPLITS = {word: split for split, words in SPLIT_WORDS.items() for word in words} | _SHORT
_MORE = (  # what people add to the name of a split without meaning more
    "datasets?|data|sets?|splits?|subset|images?|imgs?|pictures?|pics?|photos?|samples?|examples?|files|"
    "folder|dir|part|full|all|final|original|orig|raw|resized|cropped|processed|labell?ed|v?[0-9]"
)
_SPLIT_NAME = re.compile(rf"(?:{_MORE})*({'|'.join(sorted(_SPLITS, key=len, reverse=True))})(?:{_MORE})*")
_LONGEST = 60  # letters of a name that is looked through for these
_SEPARATORS = re.compile(r"[-_. ]+")
_DIGITS = re.compile(r"([0-9]+)")


def split_of(word: str) -> str | None:
    """Returns ``train``, ``val`` or ``test`` for a name that means it, else None.

    Such are the words of ``SPLIT_WORDS``, alone or with what says nothing more: ``test_data``,
    ``images-train``, ``train2017``.
    """
    if len(word) > _LONGEST:
        return None
    found = _SPLIT_NAME.fullmatch(_SEPARATORS.sub("", word.casefold()))
    return _SPLITS[found[1]] if found else None


def stated_split(word: str) -> str | None:
    """Returns the split that a word of ``STATED_WORDS`` means, else None."""
    return next((split for split, words in STATED_WORDS.items() if word.casefold() in words), None)


def in_natural_order(names: Iterable[str]) -> list[str]:
    """Sorts names so that ``img2`` comes before ``img10``, without regard to case."""
    return sorted(names, key=_natural_key)


def some(names: Sequence[str], limit: int = SHOWN, *, total: int | None = None) -> str:
    """Lists the first few names on one line: ``a, b, c and 4 more``; ``total`` where not all are given."""
    shown = list(map(on_one_line, names[:limit]))
    return first_few(shown, limit, total=len(names) if total is None else total)


def printable(name: str) -> str:
    r"""Returns a file name as valid text: bytes that are no UTF-8 become ``\xNN``."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def on_one_line(name: str) -> str:
    r"""Returns a name as it stands in a message: printable, with a line feed as ``\n``."""
    return name.encode("utf-8", "backslashreplace").decode().replace("\n", "\\n")


def _natural_key(name: str) -> tuple[list[tuple[int, str] | str], str]:
    parts = _DIGITS.split(name.casefold())
    return [_by_value(part) if i % 2 else part for i, part in enumerate(parts)], name


def _by_value(digits: str) -> tuple[int, str]:
    """Returns what sorts digits as their number does, however many they are."""
    return len(significant := digits.lstrip("0")), significant
