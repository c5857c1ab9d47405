"""Types of options: paths, which may begin with ``~``, what may be a path or a name, and sizes of batches."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from pipeline.errors import UsageError
from pipeline.paths import expanded, with_home


class PathType(click.Path):
    """A path of a file or a folder; an empty one is refused."""

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Returns it as a ``Path``, the home folder in the place of ``~``."""
        try:
            return super().convert(expanded(value), param, ctx)
        except UsageError as error:
            self.fail(str(error), param, ctx)


class PathOrName(click.ParamType):
    """A word such as ``imagenet``, or a path."""

    name = "text"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """Returns it as text, the home folder in the place of ``~``."""
        return with_home(value)


PATH = PathType()
PATH_OR_NAME = PathOrName()


def parse_batch_size(text: str) -> int | None:
    """Reads ``auto`` as None, and anything else as a number."""
    if text == "auto":
        return None
    if not text.isdecimal():
        raise click.BadParameter(f"{text!r} is neither auto nor a number", param_hint="--batch-size")
    return int(text)
