"""Options as the fields of a dataclass: parsed from text or values, checked by their types."""

from __future__ import annotations

import dataclasses
import math
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import ModuleType
from typing import Annotated, Any, NamedTuple

from pipeline import registry
from pipeline.errors import UsageError, unknown

_MOST_BITS = 63  # of whole numbers: what NumPy and all libraries behind the options can take

MOST_SEED = 2**32 - 1
"""Largest seed that NumPy, scikit-learn and Keras take."""


class Check(NamedTuple):
    """A condition on an option's value, with the words that describe it."""

    words: str
    holds: Callable[[Any], bool]


PositiveFloat = Annotated[float, Check("above 0", lambda value: value > 0)]
Share = Annotated[float, Check("at least 0 and below 1", lambda value: 0 <= value < 1)]
Count = Annotated[int, Check("at least 1", lambda value: value >= 1)]


Seed = Annotated[int, Check(f"from 0 to {MOST_SEED}", lambda value: 0 <= value <= MOST_SEED)]


def between(low: float, high: float) -> Check:
    """A condition: not below ``low`` and not above ``high``."""
    return Check(f"from {low:g} to {high:g}", lambda value: low <= value <= high)


def one_of(*choices: str) -> Check:
    """A condition: one of some words."""
    return Check(" or ".join(f"`{one}`" for one in choices), lambda value: value in choices)


@dataclass(frozen=True)
class Flag:
    """How a field is asked for on a command line; stands in the annotation of the field.

    Attributes:
        names: ``--layer`` and other spellings.
        help: What it is for.
        default: What is taken where nothing is said, in words.
        metavar: What its value looks like; empty = by its type.
        low: Least value of a number.
        path: Whether it may name a file.
    """

    names: tuple[str, ...]
    help: str
    default: str
    metavar: str = ""
    low: int | None = None
    path: bool = False


@dataclass(frozen=True)
class Option:
    """One option.

    Attributes:
        name: Its field.
        type: Its annotation.
        default: The value it has when not given.
    """

    name: str
    type: Any
    default: object

    def __str__(self) -> str:
        return f"{self.name}: {describe_type(self.type)} = {_text(self.default)}"


def options_of(owner: type) -> tuple[Option, ...]:
    """Lists the options of a dataclass in the order of its fields."""
    hints = typing.get_type_hints(owner, include_extras=True)
    return tuple(Option(f.name, hints[f.name], f.default) for f in dataclasses.fields(owner))


def flags_of(owner: type) -> dict[str, Flag]:
    """Returns the flag of each field of a dataclass that has one."""
    hints = typing.get_type_hints(owner, include_extras=True)
    return {
        name: one
        for name, hint in hints.items()
        for one in getattr(hint, "__metadata__", ())
        if isinstance(one, Flag)
    }


def settings_of(configured: object) -> list[str]:
    """Writes what a dataclass was asked for, ``NAME=VALUE`` each, without what it takes by itself."""
    values = [(option, getattr(configured, option.name)) for option in options_of(type(configured))]
    return [f"{option.name}={_text(value)}" for option, value in values if value != option.default]


def split_settings(settings: Sequence[str], flag: str) -> dict[str, str]:
    """Splits settings as they stand on the command line, ``NAME=VALUE``.

    Raises:
        UsageError: A setting has no ``=``.
    """
    for setting in settings:
        if "=" not in setting:
            raise UsageError(f"{flag} {setting!r} is not NAME=VALUE, for example `{flag} C=0.1`")
    return dict(setting.split("=", 1) for setting in settings)


def parse_options(
    owner: type, given: Mapping[str, object], *, subject: str, flag: str = "--set"
) -> dict[str, object]:
    """Turns given values, text or already typed, into values of the declared types.

    Args:
        owner: A dataclass whose fields are the options.
        given: Values by name.
        subject: What the options belong to, for messages, e.g. ``head 'logreg'``.
        flag: The command-line option that sets them, for messages.

    Raises:
        UsageError: An option does not exist (the message lists those that do), or a value does not fit.
    """
    known = {option.name: option for option in options_of(owner)}
    for key in given:
        if key not in known:
            choices = "; ".join(map(str, known.values()))
            raise unknown(f"option of {subject},", key, known, next_step=f"Types and defaults: {choices}")
    return {key: _checked(known[key], value, subject, flag) for key, value in given.items()}


def describe_type(annotation: Any) -> str:
    """Says in words what an option takes, e.g. ``float above 0`` or ``text or none``."""
    kind = typing.get_origin(annotation)
    arguments = typing.get_args(annotation)
    if kind is Annotated:
        checks = [check.words for check in arguments[1:] if isinstance(check, Check)]
        return " ".join([describe_type(arguments[0]), *checks])
    if kind in (types.UnionType, typing.Union):
        return " or ".join(map(describe_type, arguments))
    if kind is tuple:
        return f"{describe_type(arguments[0])}s with commas"
    return {str: "text", types.NoneType: "none"}.get(annotation, annotation.__name__)


def _checked(option: Option, value: object, subject: str, flag: str) -> object:
    try:
        return _parse(option.type, value)
    except ValueError:
        raise UsageError(
            f"option {option.name}={_text(value)} of {subject} must be {describe_type(option.type)}, "
            f"for example `{flag} {option.name}={_text(option.default)}`"
        ) from None


def _parse(annotation: Any, value: object) -> object:
    """Reads a value as the annotated type; raises ValueError where it is none."""
    kind = typing.get_origin(annotation)
    arguments = typing.get_args(annotation)
    if kind is Annotated:
        parsed = _parse(arguments[0], value)
        if not all(check.holds(parsed) for check in arguments[1:] if isinstance(check, Check)):
            raise ValueError
        return parsed
    if kind in (types.UnionType, typing.Union):
        return _parse_union(arguments, value)
    if kind is tuple:
        items = value.split(",") if isinstance(value, str) else value
        if not isinstance(items, list | tuple):
            raise ValueError
        return tuple(_parse(arguments[0], item) for item in items)
    return _PARSERS[annotation](value)


def _parse_union(arguments: tuple[Any, ...], value: object) -> object:
    # `none` is tried first, because a text option would take the word as text.
    for kind in sorted(arguments, key=lambda argument: argument is not types.NoneType):
        try:
            return _parse(kind, value)
        except ValueError:
            continue
    raise ValueError


def _parse_bool(value: object) -> bool:
    words = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
    if str(value).lower() not in words:
        raise ValueError
    return words[str(value).lower()]


def _parse_int(value: object) -> int:
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise ValueError
    parsed = int(value)
    if parsed.bit_length() > _MOST_BITS:
        raise ValueError
    return parsed


def _parse_float(value: object) -> float:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError
    try:
        parsed = float(value)
    except OverflowError:  # a whole number of many digits
        raise ValueError from None
    if not math.isfinite(parsed):
        raise ValueError
    return parsed


def _parse_text(value: object) -> str:
    if not isinstance(value, str):
        raise ValueError
    return value


def _parse_none(value: object) -> None:
    if value is not None and str(value).lower() != "none":
        raise ValueError


_PARSERS: dict[type, Callable[[Any], object]] = {
    bool: _parse_bool,
    int: _parse_int,
    float: _parse_float,
    str: _parse_text,
    types.NoneType: _parse_none,
}


def _text(value: object) -> str:
    """Writes a value as it would be given on the command line."""
    if isinstance(value, tuple | list):
        return ",".join(map(_text, value))
    if isinstance(value, int) and value.bit_length() > _MOST_BITS:
        return f"(a whole number of {value.bit_length():,} bits)"  # Python refuses to write some of them
    return str(value).lower() if value is None or isinstance(value, bool) else str(value)


def make_configured(executors: ModuleType, name: str, options: Mapping[str, object] | None = None) -> Any:
    """Makes the executor of a name.

    Args:
        executors: The folder that holds it; each file names a frozen dataclass as ``EXECUTOR``.
        name: A file of that folder.
        options: Values of its fields, text or typed.

    Raises:
        UsageError: The name, an option or a value is not among the choices.
    """
    made = registry.load(executors, "executor", name).EXECUTOR
    given = dict(options or {})
    known = {option.name for option in options_of(made)}
    for option in given.keys() - known:
        having = [
            other
            for other in registry.names(executors)
            if option in {o.name for o in options_of(registry.load(executors, "executor", other).EXECUTOR)}
        ]
        raise unknown(
            f"option of executor {name!r},",
            f"--{option.replace('_', '-')}",
            [f"--{other.replace('_', '-')}" for other in sorted(known)] or ["none"],
            next_step=f"Executors that have it: {', '.join(having) or 'none'}",
        )
    for field in options_of(made):
        if field.name in given:
            given |= _parsed(name, made, field, given[field.name])
    return made(**given)


def _parsed(name: str, made: type, option: Option, value: object) -> dict[str, object]:
    try:
        return parse_options(made, {option.name: value}, subject=f"executor {name!r}")
    except UsageError:
        raise UsageError(
            f"--{option.name.replace('_', '-')} {value} of executor {name!r} must be "
            f"{describe_type(option.type)}"
        ) from None
