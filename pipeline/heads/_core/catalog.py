"""The folder as a catalogue: which heads there are, what they do, and how to make one."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Mapping
from dataclasses import dataclass

from pipeline import registry
from pipeline.heads._core.head import Head, Layered
from pipeline.options import Option, options_of, parse_options

_HEADS = "pipeline.heads"


@dataclass(frozen=True)
class HeadInfo:
    """What a user wants to know about a head before training it."""

    name: str
    description: str
    options: tuple[Option, ...]


def describe_head(name: str) -> HeadInfo:
    """Describes a head: its name, the first line of its docstring, its options.

    Raises:
        UsageError: There is no such head.
    """
    kind = _head_type(name)
    return HeadInfo(name, inspect.getdoc(kind).partition("\n")[0], options_of(kind))


def make_head(name: str, options: Mapping[str, object]) -> Head:
    """Makes a head from options given as text or as values of their types.

    Raises:
        UsageError: There is no such head or option, or a value does not fit its option.
    """
    kind = _head_type(name)
    return kind(**parse_options(kind, options, subject=f"head {name!r}"))


def layered_heads() -> list[str]:
    """Lists the heads whose models can be written as layers."""
    package = importlib.import_module(_HEADS)
    return [name for name in registry.names(package) if issubclass(_head_type(name), Layered)]


def _head_type(name: str) -> type[Head]:
    package = importlib.import_module(_HEADS)
    return registry.load(package, "head", name, next_step="`pipeline heads` says what each does").HEAD
