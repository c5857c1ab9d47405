"""Tables in pages: each is what its script makes of the CSV, and none stands there without a script."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import pipeline

ROOT = Path(pipeline.__file__).parents[1]
MARKED = re.compile(r"<!-- bench:(?P<mark>.+?) -->\n(?P<text>.*?)\n?<!-- /bench -->", re.DOTALL)
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
WRITTEN = {
    (page.relative_to(ROOT).as_posix(), found["mark"]): found["text"]
    for page in PAGES
    for found in MARKED.finditer(page.read_text(encoding="utf-8"))
}


@pytest.mark.parametrize("place", WRITTEN, ids=":".join)
def test_a_table_says_what_was_measured(place: tuple[str, str]) -> None:
    from generated import TABLES

    assert place in TABLES, "nothing makes this table: benchmarks/generated.py"
    assert WRITTEN[place] == TABLES[place](), "run: python benchmarks/generated.py"


def test_every_table_has_its_place() -> None:
    from generated import TABLES

    assert set(TABLES) == set(WRITTEN)
