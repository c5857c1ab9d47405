"""The traps: each script is run, and has its place in the page."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest
import recipe_list
import trap_figures
from trap_figures import TRAPS

FOLDER = Path(trap_figures.__file__).parent / "traps"
SCRIPTS = sorted(path.stem for path in FOLDER.glob("[!_]*.py"))


def test_every_script_is_run() -> None:
    assert sorted(TRAPS) == SCRIPTS


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_trap_is_explained_in_the_page(script: str) -> None:
    calls = [node for node in ast.walk(ast.parse((FOLDER / f"{script}.py").read_text())) if is_say(node)]
    assert len(calls) == 1, "one wrong and one right figure"
    (named,) = [node for node in calls[0].args if isinstance(node, ast.Constant)]
    headings = [line[3:] for line in trap_figures.PAGE.read_text().splitlines() if line.startswith("## ")]
    assert named.value.capitalize() in headings
    assert TRAPS[script][1] in recipe_list.FILTERS


def is_say(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "say"


@pytest.mark.parametrize("script", SCRIPTS)
def test_what_is_not_there_is_a_note(script: str, tmp_path: Path) -> None:
    images, base = TRAPS[script]
    row = trap_figures.run(script, tmp_path, tmp_path)
    assert row["note"] == f"no {images} and no {recipe_list.FILTERS[base]} there"
    assert row["wrong"] == row["right"] == ""
