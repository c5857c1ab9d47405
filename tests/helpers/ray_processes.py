"""The processes of the Ray cluster of the tests."""

from __future__ import annotations

import os
from pathlib import Path


def fitting() -> list[int]:
    """Lists the processes that are at a fit of a sweep, those of other clusters left out."""
    token = f"RAY_AUTH_TOKEN={os.environ['RAY_AUTH_TOKEN']}".encode()
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            if (folder / "cmdline").read_bytes().startswith(b"ray::fit_here"):
                found += [int(folder.name)] if token in (folder / "environ").read_bytes() else []
        except OSError:
            continue  # it has just ended, or is another user's
    return found
