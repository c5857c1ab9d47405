"""Kinds of image sources: each module of this folder is one, and the folder's listing is the registry.

A module offers ``ADDRESS`` (what its addresses look like, for messages), ``OPTIONS`` (the fields of
``SourceOptions`` that it understands), ``claims(uri)`` (whether an address is its own, told without reading
files) and ``open_uri(uri, options)`` (the source behind it, or a UsageError).

The items of a source may be any sequence; those of ``pipeline.images.image_list`` need not fit in memory.
"""

from __future__ import annotations

import os
import sys
from types import ModuleType

from pipeline import registry
from pipeline.errors import UsageError
from pipeline.images.source import ImageSource
from pipeline.images.source_options import SourceOptions
from pipeline.images.sources._stores import meant_address
from pipeline.images.sources._words import on_one_line


def kinds() -> list[ModuleType]:
    """Returns the modules of all kinds of sources, in the order of their names."""
    package = sys.modules[__name__]
    return [registry.load(package, "image source", name) for name in registry.names(package)]


def claiming(uri: str) -> ModuleType | None:
    """Returns the first kind of source that claims an address by its form; None where none does."""
    scheme = f"{__name__}.{uri.partition(':')[0]}"  # sample:500:x.npz is no .npz file
    return next(
        (kind for kind in sorted(kinds(), key=lambda kind: kind.__name__ != scheme) if kind.claims(uri)), None
    )


def open_source(uri: str, options: SourceOptions | None = None) -> ImageSource:
    """Opens the source of the first kind that claims the address.

    Raises:
        UsageError: No kind claims the address, what stands there cannot be used, or an option means nothing
            there.
    """
    options = options or SourceOptions()
    kind = claiming(uri)
    named = kind is not None and kind.__name__ == f"{__name__}.{uri.partition(':')[0]}"
    if (meant := meant_address(uri)) and not named:  # hf:mnist is no misspelt hf://
        raise UsageError(f"{on_one_line(uri)} is no address of a store: write {on_one_line(meant)}")
    if kind is not None:
        options.refuse_others(kind.OPTIONS, uri)
        source: ImageSource = kind.open_uri(uri, options)
        return source
    trouble = "is a file of another kind" if os.path.exists(os.path.expanduser(uri)) else "does not exist"
    raise UsageError(f"{uri!r} {trouble}: give {'; '.join(kind.ADDRESS for kind in kinds())}")
