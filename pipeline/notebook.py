"""What is seen of an object in a notebook, as HTML in which every text is only text."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape

from pipeline.wording import readable

MOST_LINES = 30


def facts_html(title: str, facts: Mapping[str, object], notes: Iterable[str] = ()) -> str:
    """Shows a title, notes, and a table of names and values."""
    lines = "".join(
        f"<tr><th>{_text(name)}</th><td>{_text(value)}</td></tr>" for name, value in facts.items()
    )
    remarks = "".join(f"<p>! {_text(note)}</p>" for note in notes)
    return f"<div><strong>{_text(title)}</strong>{remarks}<table><tbody>{lines}</tbody></table></div>"


def table_html(columns: Sequence[str], lines: Sequence[Sequence[object]], *, most: int = MOST_LINES) -> str:
    """Shows a table; of more lines than ``most`` the first, and how many there are."""
    head = "".join(f"<th>{_text(name)}</th>" for name in columns)
    body = "".join(
        "<tr>" + "".join(f"<td>{_text(one)}</td>" for one in line) + "</tr>" for line in lines[:most]
    )
    rest = f"<p>the first {most} of {len(lines):,}</p>" if len(lines) > most else ""
    return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{rest}"


def _text(value: object) -> str:
    return escape(readable(text, 300)) if (text := str(value)) else ""
