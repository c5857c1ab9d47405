"""Values that a shell completes: names that stand in registries, in the cache and on the shelf."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

import click
from click.shell_completion import CompletionItem

from pipeline import registry

Complete = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


def _values(names: Callable[[click.Context], Iterable[str]], *, or_path: bool = False) -> Complete:
    """Makes what click calls for a value that was begun; where a path may stand, too, files follow."""

    def complete(context: click.Context, _: click.Parameter, begun: str) -> list[CompletionItem]:
        found = [CompletionItem(name) for name in names(context) if name.startswith(begun)]
        return found or ([CompletionItem(begun, type="file")] if or_path else [])

    return complete


def _heads(_: click.Context) -> list[str]:
    return registry.names("pipeline.heads")


def _backbones(_: click.Context) -> list[str]:
    from pipeline.backbones.shelf import shelved
    from pipeline.backbones.table import BACKBONES

    return [*BACKBONES, *shelved()]


def _entries(context: click.Context) -> list[str]:
    from pipeline.cache import find_entries

    return [entry.full_name for entry in find_entries(_cache(context), published=False)]


def _datasets(context: click.Context) -> list[str]:
    return sorted({name.partition("/")[0] for name in _entries(context)})


def _recipes(_: click.Context) -> Iterable[str]:
    from pipeline.recipe import shipped

    return shipped()


def _presets(_: click.Context) -> Iterable[str]:
    from pipeline.sweeps.candidates import PRESETS

    return PRESETS


def _cache(context: click.Context) -> Path:
    return Path(context.params.get("cache") or "features_cache")


head = _values(_heads)
backbone = _values(_backbones, or_path=True)
entry = _values(_entries)
dataset = _values(_datasets)
recipe = _values(_recipes, or_path=True)
preset = _values(_presets)
logger = _values(lambda _: registry.names("pipeline.evaluation.loggers"))


def words(*known: str, or_path: bool = False) -> Complete:
    """Completes words that are always the same."""
    return _values(lambda _: known, or_path=or_path)
