"""The records of a table of images: checked, and taken up one by one."""

from __future__ import annotations

import os
from array import array
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NamedTuple

from pipeline.errors import UsageError
from pipeline.images.image_list import ImageList, ImageListBuilder
from pipeline.images.packed_strings import PackedStrings, repeated
from pipeline.images.source import UNLABELLED
from pipeline.images.source_options import SourceOptions
from pipeline.images.sources._class_names import (
    NO_LABEL,
    means_none,
    name_remarks,
    number_remarks,
    unlabelled_remark,
)
from pipeline.images.sources._table_paths import ImagePath, read_path
from pipeline.images.sources._table_targets import (
    GivenLabels,
    asked_kind,
    joined,
    listed,
    nothing_known,
    read_targets,
)
from pipeline.images.sources._table_text import (
    NONE,
    PATH,
    UNTYPED,
    ColumnTypes,
    TableColumns,
    find_columns,
)
from pipeline.images.sources._unread_splits import UnreadSplits
from pipeline.images.sources._words import STATED_WORDS, in_natural_order, on_one_line, some, stated_split
from pipeline.images.targets import CLASS, LABELS, NUMBER, TargetTable

_SHOWN = 40
_LONG = 1000  # letters of a message about a line, whatever stands in it


class Place(NamedTuple):
    """Where a record stands, for messages: the file, and ``line 3`` of it."""

    file: str
    record: str


class HeldImage(NamedTuple):
    """An image that a table holds itself, instead of the path to a file.

    Attributes:
        name: Its id.
        version: What tells the content of the table from a later one; None where that is not known.
    """

    name: str
    version: str | None = None


class ImageTable:
    """Takes up the records of a table one by one.

    Attributes:
        told_last: What is wrong with the first split that is none, or with all labels: told where nothing
            else is.
        stated: Names that are classes whatever they look like, for the table says so.
        unread: Watches the columns that are not read.
        targets: What labels stand for, where they are no classes; known when the table is finished.
    """

    def __init__(
        self, folder: Path, options: SourceOptions, *, where: Callable[[int], Place], subject: str
    ) -> None:
        """Begins an empty table.

        Args:
            folder: What paths are relative to.
            options: How the table is to be read.
            where: Tells, for messages, where the record stands that was added under a number.
            subject: The table as a whole, for messages.
        """
        self.told_last: UsageError | None = None
        self.stated: set[str] = set()
        self.unread = UnreadSplits()
        self._folder, self._where, self._subject = folder, where, subject
        self.targets: TargetTable | None = None
        self._of_targets: list[str] = []
        self._kind = asked_kind(options)
        self._options = options
        self._columns: dict[tuple[tuple[str, ...], ColumnTypes], TableColumns] = {}
        self._first: TableColumns | None = None
        self._items = ImageListBuilder(root=folder)
        self._lines = array("q")
        self._labels: Counter[str] = Counter()
        self._codes: dict[str, int] = {}
        self._first_lines = array("q")
        self._in_lists = False
        self._last_label = ""
        self._leads_out = False
        self._without_group: Counter[str] = Counter()
        self._changes: Counter[str] = Counter()
        self._short: list[int] = []

    def columns(self, line: int, names: tuple[str, ...], types: ColumnTypes = UNTYPED) -> TableColumns:
        """Returns the meaning of a header, or of the keys of a record.

        Args:
            line: Where it stands.
            names: The columns.
            types: What is known of them beside their names.

        Raises:
            UsageError: A required one is missing, is there twice, or has another name than further up.
        """
        if (names, types) in self._columns:
            return self._columns[names, types]
        try:
            columns = find_columns(names, self._options, types)
            first = self._first = self._first or columns
            for meaning, name in columns.named.items():
                if first.named.get(meaning, name) != name:
                    raise ValueError(
                        f"the {meaning} is {name!r} here and {first.named[meaning]!r} further up"
                    )
        except ValueError as error:
            raise self.error(line, str(error)) from error
        self._columns[names, types] = columns
        return columns

    def add(
        self,
        line: int,
        columns: TableColumns,
        values: Sequence[str],
        *,
        several: Sequence[str] | None = None,
        short: bool = False,
        held: HeldImage | None = None,
        split: str | None = None,
    ) -> None:
        """Adds a record.

        Args:
            line: Where it stands.
            columns: The meaning of its columns.
            values: A text for each of them.
            several: The labels, where the record lists them.
            short: Whether it has fewer fields than there are columns; the missing ones are empty here.
            held: The image, where the table holds it; None = the record has the path to a file.
            split: The split that the place of the record states.

        Raises:
            UsageError: It is malformed.
        """
        text = {meaning: values[at] for meaning, at in columns.position.items()}
        self._check_text(line, text)
        place = ImagePath(held.name) if held else self._place(line, text[PATH])
        label, group = text.get("label", "").strip(), text.get("group", "").strip()
        if columns.targets:
            label = joined(self._checked(line, "target", [values[at] for at in columns.targets]))
        elif several is not None:
            self._refuse_list(line)
            label = listed(self._checked(line, "label", several))
        self._lines.append(line)
        self._last_label = label
        self._labels[label] += 1
        self._leads_out |= not held and place.name.startswith(("/", ".."))
        if place.change:
            self._changes[place.change] += 1
        if short:
            self._short.append(line)
        if group in NO_LABEL:
            self._without_group[group] += 1
        if "split" not in columns.position:
            self.unread.look_at(columns, values)
        code = self._codes.setdefault(label, len(self._codes))
        if code == len(self._first_lines):
            self._first_lines.append(line)
        self._items.add(
            place.name,
            code,
            split=self._split(line, text.get("split", "").strip(), split),
            group=None if group in NO_LABEL else group,
            path=None if held else os.path.join(self._folder, place.name),
            version=held.version if held else None,
        )

    def finish(self) -> tuple[ImageList, tuple[str, ...]]:
        """Returns the images, and the classes in natural order.

        Raises:
            UsageError: A path stands there twice, the message gives the first line that repeats another; or
                a column that is not read names splits.
        """
        if self._kind in (LABELS, NUMBER) or self._options.target_column or self._in_lists:
            items = self._items.finish()
            self._refuse_ends(items)
            return items, self._finish_targets().names
        stated = self.stated - {""}
        known = {label for label in self._codes if label in stated or not means_none(label, self._codes)}
        classes = in_natural_order(known)
        index = {name: i for i, name in enumerate(classes)}
        items = self._items.finish(labels=[index.get(name, UNLABELLED) for name in self._codes])
        self._refuse_ends(items)
        return items, tuple(classes)

    def _finish_targets(self) -> TargetTable:
        column = self._first.named.get("label", "") if self._first else ""
        given = GivenLabels(
            texts=list(self._codes),
            counts=[self._labels[label] for label in self._codes],
            error=lambda place, trouble: self.error(self._first_lines[place], trouble),
            column=on_one_line(column.strip()),
        )
        kind = self._kind or (LABELS if self._in_lists else "")
        self.targets, self._of_targets = read_targets(given, kind, self._options)
        if trouble := nothing_known(self.targets):
            self.told_last = self.told_last or UsageError(f"{self._subject}: {trouble}")
        return self.targets

    def _refuse_list(self, line: int) -> None:
        """Refuses a list of labels where one class, or a number, is asked for."""
        self._in_lists = True
        if self._kind in (CLASS, NUMBER):
            way = "a column a number with --target-column" if self._kind == NUMBER else "--target labels"
            raise self.error(line, f"the label is a list, and --target {self._kind} is given: give {way}")

    def _refuse_ends(self, items: ImageList) -> None:
        """Refuses what shows only when all records are there."""
        self._refuse_repeats(items)
        if self._options.split_column != NONE:
            self.unread.refuse(self._subject)

    def remarks(self, classes: Sequence[str], *, cut_off: Callable[[], bool]) -> list[str]:
        """Says what was not taken as it is written.

        Args:
            classes: The classes.
            cut_off: Tells whether the file ends within a line.
        """
        found = [*self._first.remarks] if self._first else []
        ignored = {name.strip() for columns in self._columns.values() for name in columns.others.values()}
        if ignored:
            found.append(f"ignored columns: {some(sorted(name or '(without a name)' for name in ignored))}")
        found += [f"{_paths(count)} read {change}" for change, count in self._changes.items()]
        if self._short:
            rows = "1 row has" if len(self._short) == 1 else f"{len(self._short):,} rows have"
            found.append(
                f"{rows} fewer fields than columns, first in line {self._short[0]:,}: taken as empty"
            )
        known = set(classes)
        if self.targets is None:
            found += unlabelled_remark({text: n for text, n in self._labels.items() if text not in known})
        if spelt := {text: count for text, count in self._without_group.items() if text}:
            spellings = ", ".join(f"{text!r} ({count:,})" for text, count in sorted(spelt.items()))
            found.append(f"{spellings} is taken for no group")
        if self.targets is not None:
            return found + self._of_targets
        found += name_remarks(classes) + number_remarks(classes, sum(self._labels[name] for name in classes))
        if (
            self._labels[self._last_label] == 1
            and self._last_label in known
            and len(known) < len(self._lines) / 2
        ) and cut_off():
            found.append(
                f"the last line has no end, and its label {self._last_label!r} stands nowhere else: "
                "the file may be cut off"
            )
        return found

    def error(self, line: int, trouble: str) -> UsageError:
        """Returns the error that says what is wrong with a record."""
        return UsageError(f"{', '.join(self._where(line))}: {on_one_line(trouble[:_LONG])}")

    def _checked(self, line: int, name: str, texts: Sequence[str]) -> Sequence[str]:
        for text in texts:
            self._check_text(line, {name: text})
        return texts

    def _check_text(self, line: int, texts: dict[str, str]) -> None:
        """Refuses what neither a file system nor a feature file can hold."""
        for name, text in texts.items():
            if "\0" in text or any("\ud800" <= letter <= "\udfff" for letter in text):
                raise self.error(line, f"{name} {text[:_SHOWN]!r} is not valid text")

    def _place(self, line: int, written: str) -> ImagePath:
        try:
            return read_path(self._folder, written)
        except ValueError as error:
            raise self.error(line, str(error)) from error

    def _split(self, line: int, word: str, of_place: str | None) -> str | None:
        split = stated_split(word)
        if word and split is None:
            words = ", ".join(one for known in STATED_WORDS.values() for one in known)
            self.told_last = self.told_last or self.error(
                line, f"unknown split {word[:_SHOWN]!r}: choose from {words}"
            )
        if split and of_place and split != of_place:
            raise self.error(
                line,
                f"the split is {word[:_SHOWN]!r}, but the record stands among those of {of_place}: make them "
                f"agree, or give --split-column {NONE} to have splits chosen by content",
            )
        return split or of_place

    def _refuse_repeats(self, items: ImageList) -> None:
        first: dict[str, int] = {}
        names: PackedStrings = items.ids
        if self._leads_out:  # then two names may be one file
            names = PackedStrings.of(os.path.normpath(os.path.join(self._folder, name)) for name in names)
        for row in repeated(names):
            name, line = names[row], self._lines[row]
            if first.setdefault(name, line) != line:
                file, record = self._where(first[name])
                there = record if file == self._where(line).file else f"{record} of {file}"
                raise self.error(
                    line,
                    f"{name!r} stands in {there} already; keep one of them "
                    "(for several labels an image give --label-separator, or a column a label)",
                )


def _paths(count: int) -> str:
    return "1 path is" if count == 1 else f"{count:,} paths are"
