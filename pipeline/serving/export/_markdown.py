"""Markdown of a model card: whatever comes from outside stays where it is put."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from pipeline.wording import readable


def table(rows: Iterable[Sequence[str]], header: Sequence[str] = ("", "")) -> str:
    """Writes a table of as many columns as its header has."""
    lines = ["| " + " | ".join(header) + " |", "|---" * len(header) + "|"]
    return "\n".join([*lines, *("| " + " | ".join(map(shown, row)) + " |" for row in rows)])


def shown(text: str) -> str:
    """Makes text from outside harmless in Markdown: one line, no markup, no cell of a table."""
    plain = readable(text, 200)
    return "".join(f"\\{letter}" if letter in "\\`*_[]<>|#" else letter for letter in plain)


def code(lines: Iterable[str], language: str) -> str:
    """Writes a block of code that nothing in its lines can end."""
    text = "\n".join(readable(line, 2000) for line in lines)
    fence = "`" * max(3, 1 + max(map(len, re.findall("`+", text)), default=0))
    return f"{fence}{language}\n{text}\n{fence}"
