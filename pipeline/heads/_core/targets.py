"""Several labels and numbers: which heads learn them, and what they are worth."""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING

from pipeline import registry
from pipeline.errors import UsageError
from pipeline.heads._core.head import HEADS, Head, TargetHead
from pipeline.images.targets import CLASS, described
from pipeline.registry import name_of
from pipeline.wording import several, verb

if TYPE_CHECKING:
    from types import ModuleType

OF_EVERY_TARGET = "ridge"
"""A head that learns every kind, in a moment."""


def heads_for(target: str) -> list[str]:
    """Lists the heads that learn a kind of target."""
    heads: list[tuple[str, ModuleType]] = [
        (name, registry.load(HEADS, "head", name)) for name in registry.names(HEADS)
    ]
    return [name for name, module in heads if target == CLASS or target in _kinds(module.HEAD)]


def target_head(head: Head, target: str) -> TargetHead:
    """Returns a head as one that learns a kind of target.

    Raises:
        UsageError: It does not; the message names those that do.
    """
    if isinstance(head, TargetHead) and target in head.targets:
        return head
    raise UsageError(
        f"head {name_of(type(head))!r} does not learn {described(target)}: choose from "
        f"{', '.join(heads_for(target))}; `--head {OF_EVERY_TARGET}` is quick"
    )


def file_of(head: Head, target: str) -> str:
    """Names the file that a model is saved in."""
    return head.file if target == CLASS else target_head(head, target).file_of_targets(target)


def refuse_class_options(head: Head, *options: str) -> None:
    """Refuses options that only say how classes are learnt.

    Args:
        head: A head that is to learn labels or numbers.
        options: Names of these options, of which the head may lack some.

    Raises:
        UsageError: One of them is not at its default; the message names it.
    """
    given = [
        one.name for one in fields(head) if one.name in options and getattr(head, one.name) != one.default
    ]
    if given:
        raise UsageError(
            f"{several(given)} of head {name_of(type(head))!r} {verb(given)} for one class an image: "
            f"leave {verb(given, 'it', 'them')} out"
        )


def _kinds(head: type[Head]) -> frozenset[str]:
    return getattr(head, "targets", frozenset())
