"""Columns of a table that nobody reads, and that may tell its splits apart."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.errors import UsageError
from pipeline.images.source_options import flag
from pipeline.images.sources._class_names import NO_LABEL
from pipeline.images.sources._table_text import NONE, TableColumns, tells_split
from pipeline.images.sources._words import STATED_WORDS, on_one_line, stated_split


class UnreadSplits:
    """Watches the columns that are not read for one that tells splits apart.

    Attributes:
        settled: Names of those that do not, which need no more looking at.
    """

    def __init__(self) -> None:
        self._words: dict[str, set[str]] = {}
        self.settled: set[str] = set()

    def look_at(self, columns: TableColumns, values: Sequence[str]) -> None:
        """Takes notice of a record."""
        for at, name in columns.others.items():
            if name in self.settled or (word := values[at].strip()) in NO_LABEL:
                continue
            split = stated_split(word)
            if split is None and not tells_split(name):
                self.settled.add(name)
                self._words.pop(name, None)
            elif len(words := self._words.setdefault(name, set())) < 2:
                words.add(split or word)

    def refuse(self, subject: str) -> None:
        """Refuses a table whose own splits would be passed over.

        Args:
            subject: The table, for the message.

        Raises:
            UsageError: A column holds the words of two splits and no others, or is named as ``is_test`` is.
        """
        for name, words in self._words.items():
            if len(words) < 2:
                continue
            shown, option = on_one_line(name.strip()), flag("split_column")
            way = (
                f"write a column split with {', '.join(STATED_WORDS)}"
                if tells_split(name)
                else f"give {option} {shown}"
            )
            raise UsageError(
                f"{subject}: column {shown!r} tells splits apart ({', '.join(sorted(words))}) and is not "
                f"read: {way}, or {option} {NONE} to have splits chosen by content"
            )
