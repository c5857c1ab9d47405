"""What a user says of how a source is to be read, where its layout leaves that open."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from pipeline.errors import UsageError

TABLE_OPTIONS = (
    *("path_column", "label_column", "split_column", "group_column"),
    *("target", "target_column", "label_separator"),
)
"""The fields that every table understands."""


@dataclass(frozen=True, kw_only=True)
class SourceOptions:
    """How a source is to be read; a field at its default says nothing.

    A kind of source names the fields that it understands in its ``OPTIONS``. Entries keep what was given, so
    that the same source can be opened again.

    Attributes:
        path_column: Column of a table that holds the paths; empty = ``path``.
        label_column: Column of a table that holds the labels; empty = ``label``, ``none`` = no image has one,
            in a folder as well.
        split_column: Column of a table that names the splits; empty = ``split``, ``none`` = there is none.
        group_column: Column of a table that names the groups; empty = ``group``, ``none`` = there is none.
        target: What is known of an image: ``class``, ``labels`` (several) or ``number``; empty = as other
            options say, else ``class``.
        target_column: Columns of a table with a label each, 0 or 1, or with a number each.
        label_separator: What stands between several labels in the column of the labels; empty = it holds one.
        follow_links: Read images through links that lead out of a folder.
        leave_out: Shell patterns of image ids that do not belong to the set, such as ``*_mask.png``.
    """

    path_column: str = ""
    label_column: str = ""
    split_column: str = ""
    group_column: str = ""
    target: str = ""
    target_column: tuple[str, ...] = ()
    label_separator: str = ""
    follow_links: bool = False
    leave_out: tuple[str, ...] = ()

    @property
    def given(self) -> dict[str, Any]:
        """The fields that say something."""
        return {field.name: value for field in fields(self) if (value := getattr(self, field.name))}

    def refuse_others(self, known: Collection[str], uri: str) -> None:
        """Refuses what a kind of source does not understand.

        Args:
            known: The fields that it understands.
            uri: Its address, for the message.

        Raises:
            UsageError: A field is given that means nothing there.
        """
        for name in self.given:
            if name not in known:
                choices = ", ".join(map(flag, known)) or "none"
                raise UsageError(f"{flag(name)} means nothing for {uri}; options of this source: {choices}")

    def to_json(self) -> dict[str, Any]:
        """Returns what is given, as plain types."""
        given = asdict(self)
        return {
            name: list(value) if isinstance(value := given[name], tuple) else value for name in self.given
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> SourceOptions:
        """Rebuilds the options from :meth:`to_json`.

        Raises:
            ValueError: A field is unknown or of another type.
        """
        known = {field.name: field.default for field in fields(cls)}
        values: dict[str, Any] = {}
        for name, value in data.items():
            if name not in known:
                raise ValueError(f"unknown source option {name!r}")
            if isinstance(known[name], tuple):
                texts = isinstance(value, list) and all(isinstance(one, str) for one in value)
                values[name] = tuple(value) if texts else None
            else:
                values[name] = value
            if type(values[name]) is not type(known[name]):
                raise ValueError(f"source option {name} is of another type")
        return cls(**values)


def flag(name: str) -> str:
    """Returns the command-line option that sets a field."""
    return f"--{name.replace('_', '-')}"
