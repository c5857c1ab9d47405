"""One of something is written as one, in every message of the package."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path

import pytest

from pipeline.wording import counted, verb

PACKAGE = Path(__file__).parents[1] / "pipeline"
ELSEWHERE = ("images/sources/",)
"""Where words are chosen otherwise."""
NOUNS = (
    *("candidate", "class", "column", "core", "entry", "epoch", "feature", "file", "fit", "fold", "group"),
    *("head", "image", "label", "machine", "picture", "process", "row", "split", "view", "worker"),
)
PLURALS = [counted(2, noun)[2:] for noun in NOUNS]
NOUN = re.compile(rf" (?:[a-z]+ )?(?:{'|'.join(PLURALS)})\b(?![/=])")
COUNT = re.compile(rf"(?:len|sum|int)\(.*|(?:.*\.)?(?:n|k|count|{'|'.join(PLURALS)})")


@pytest.mark.parametrize(
    ("count", "noun", "expected"),
    [
        (0, "image", "0 images"),
        (1, "image", "1 image"),
        (2, "image", "2 images"),
        (1_234_567, "row", "1,234,567 rows"),
        (1, "class", "1 class"),
        (2, "class", "2 classes"),
        (3, "process", "3 processes"),
        (3, "epoch", "3 epochs"),
        (1.0, "core", "1 core"),
        (0.5, "core", "0.5 cores"),
    ],
)
def test_counts_as_people_read_them(count: float, noun: str, expected: str) -> None:
    assert counted(count, noun) == expected


def test_verbs_agree() -> None:
    assert [verb(0), verb(1), verb(2), verb(["train"]), verb(["train", "val"])] == [
        "are",
        "is",
        "are",
        "is",
        "are",
    ]
    assert (verb(1, "needs", "need"), verb(2, "needs", "need")) == ("needs", "need")
    assert counted(2, "index", "indices") == "2 indices"


def bare_counts(code: str) -> Iterator[int]:
    """Yields the lines of f-strings in which a whole number stands before a noun in the plural."""
    for node in ast.walk(ast.parse(code)):
        for value, after in pairwise(node.values if isinstance(node, ast.JoinedStr) else ()):
            if isinstance(value, ast.FormattedValue) and isinstance(after, ast.Constant):
                form = ast.unparse(value.format_spec) if value.format_spec else ""
                words = ast.unparse(value.value)
                counts = "," in form or (not form and COUNT.fullmatch(words))
                if counts and "." not in form and not words.isupper() and NOUN.match(after.value):
                    yield node.lineno


FILES = sorted(
    path
    for path in PACKAGE.rglob("*.py")
    if not str(path.relative_to(PACKAGE)).startswith(ELSEWHERE) and path.name != "counts.py"
)


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_no_message_counts_one_as_several(path: Path) -> None:
    assert list(bare_counts(path.read_text())) == []


def test_the_search_finds_what_it_looks_for() -> None:
    code = """
f"{n} images", f"{len(x):,} labelled rows are", f"{a.rows} heads"
f"{n:.1f} images/s", f"{MOST:,} files", f"{', '.join(x)} rows", f"{name} classes", f"{n} folds=3"
"""
    assert list(bare_counts(code)) == [2, 2, 2]
