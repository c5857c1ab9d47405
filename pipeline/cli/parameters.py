"""Types of options: paths, and what may be a path or a name. ``~`` is the home folder in all of them."""

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
