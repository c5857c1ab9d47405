"""The runner that looks for holes in the tests makes every kind of mutant."""

from __future__ import annotations

import ast

import pytest
from mutants import mutants_of


@pytest.mark.parametrize(
    ("code", "changed"),
    [
        ("x = a < b", ["x = a <= b", "x = a >= b"]),
        ("x = (a) == b", ["x = (a) != b"]),
        ("x = a is not b", ["x = a is b"]),
        ("x = a not in b", ["x = a in b"]),
        ("x = a and b", ["x = a or b"]),
        ("x = not a", ["x =  a"]),
        ("x = a + b", ["x = a - b"]),
        ("a -= b", ["a += b"]),
        ("x = 7", ["x = 8", "x = 6"]),
        ("x = True", ["x = False"]),
        ("f(a)", ["pass"]),
        ("x = f(a, b=c, d=e)", ["x = f(a, d=e)", "x = f(a, b=c, )"]),
        ("def f():\n    return a", ["def f():\n    return None"]),
        ("if a:\n    b = c", ["if not (a):\n    b = c"]),
        ("x = 'é', a > b", ["x = 'é', a >= b", "x = 'é', a <= b"]),
    ],
)
def test_each_kind_of_mutant(code: str, changed: list[str]) -> None:
    assert [mutant.source for mutant in mutants_of(code)] == changed


@pytest.mark.parametrize(
    "code",
    [
        '"""Text of 1."""',
        "def f(a: g(b=c)) -> h(d=e): ...",
        "raise f(a, b=1)",
        "x = f'{a + 1}'",
        "__all__ = ['a' + 'b']",
        "if TYPE_CHECKING:\n    a = 1",
        "def f():\n    return False",
    ],
)
def test_what_only_readers_see_is_left_alone(code: str) -> None:
    expected = ["def f():\n    return True"] if "False" in code else []
    assert [mutant.source for mutant in mutants_of(code)] == expected


def test_a_mutant_says_which_lines_it_changes() -> None:
    code = "x = (\n    a\n    and b\n)\ny = 2\n"
    first, *rest = mutants_of(code)
    assert (first.line, first.old, first.new) == (2, "    a\n    and b", "    a\n    or b")
    assert [(mutant.line, mutant.old, mutant.new) for mutant in rest] == [
        (5, "y = 2", "y = 3"),
        (5, "y = 2", "y = 1"),
    ]
    assert all(ast.parse(mutant.source) for mutant in [first, *rest])
