"""Choosing an executor by its name: what stage one and sweeps have in common."""

from __future__ import annotations

from collections.abc import Mapping
from types import ModuleType
from typing import Any

from pipeline import registry
from pipeline.errors import UsageError, unknown
from pipeline.typed_options import Option, describe_type, options_of, parse_options


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
    for option in options_of(made):
        if option.name in given:
            given |= _parsed(name, made, option, given[option.name])
    return made(**given)


def _parsed(name: str, made: type, option: Option, value: object) -> dict[str, object]:
    try:
        return parse_options(made, {option.name: value}, subject=f"executor {name!r}")
    except UsageError:
        raise UsageError(
            f"--{option.name.replace('_', '-')} {value} of executor {name!r} must be "
            f"{describe_type(option.type)}"
        ) from None
