"""Paths as people write them: ``~`` is the home folder wherever a path is taken, and no path is empty."""

from __future__ import annotations

import os
from pathlib import Path

from pipeline.errors import UsageError


def expanded(path: str | os.PathLike[str]) -> Path:
    """Returns a path with the home folder in the place of a leading ``~`` or ``~user``.

    A shell does that only for a word of its own, not in ``--cache=~/x``, ``'~/x'`` or a recipe. Who means a
    folder of that name writes ``./~``.

    Raises:
        UsageError: The path is empty, or no user of that name is known and nothing of that name there.
    """
    text = os.fspath(path)
    if not text:
        raise UsageError("an empty path names nothing: give a file or a folder, or leave the option out")
    found = Path(with_home(text))
    if text.startswith("~") and not os.path.lexists(first := found.parts[0]):
        raise UsageError(
            f"{text!r} begins with the home folder of {first[1:] or 'nobody'!r}, who is not known here: "
            f"./{text} is a folder of that name"
        )
    return found


def with_home(text: str) -> str:
    """Does the same for what may be a path or a name; an unknown ``~user`` stays as it is."""
    return os.path.expanduser(text)


def is_folder_name(name: str) -> bool:
    """Tells whether a name from a file stays inside the folder that it is put into."""
    return name not in ("", ".", "..") and not set(name) & set("/\\\0")
