"""Breaks a module in small ways, one at a time, and tells which of them no test notices.

``python tests/helpers/mutants.py pipeline/cache/locks.py --tests tests/cache/test_locks.py --count 20``

A mutant that LIVED is a hole in the tests, or it behaves like the original. It is made in a copy of the tree;
the checkout is only read. Docstrings, annotations, decorators, ``strict=`` and the
messages of errors are left alone.
"""

from __future__ import annotations

import argparse
import ast
import contextlib
import json
import os
import random
import re
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from importlib.util import cache_from_source
from itertools import pairwise
from pathlib import Path

import click.testing  # noqa: F401 - these are imported for all runs at once
import h5py  # noqa: F401
import numpy.testing  # noqa: F401
import PIL.Image  # noqa: F401
import pytest
import scipy.stats  # noqa: F401

ROOT = Path(__file__).resolve().parents[2]
NOT_COPIED = (".git", ".venv", "__pycache__", "features_cache", "runs", ".ruff_cache", "*.egg-info")
SHORTEST_LIMIT_S, LONGEST_LIMIT_S = 40, 1800

COMPARISONS = {
    ast.Lt: ("<", ["<=", ">="]),
    ast.LtE: ("<=", ["<", ">"]),
    ast.Gt: (">", [">=", "<="]),
    ast.GtE: (">=", [">", "<"]),
    ast.Eq: ("==", ["!="]),
    ast.NotEq: ("!=", ["=="]),
    ast.Is: ("is", ["is not"]),
    ast.IsNot: (r"is\s+not", ["is"]),
    ast.In: ("in", ["not in"]),
    ast.NotIn: (r"not\s+in", ["in"]),
}
LEFT_ALONE = (ast.Raise, ast.JoinedStr)  # messages; Python 3.11 has wrong places within f-strings
FIELDS_LEFT_ALONE = {"annotation", "returns", "decorator_list", "type_params"}


@dataclass(frozen=True)
class Edit:
    """A change of a source text.

    Attributes:
        kind: In one word.
        start: First byte that goes.
        end: The byte behind the last one that goes.
        text: What takes their place.
    """

    kind: str
    start: int
    end: int
    text: str


@dataclass(frozen=True)
class Mutant:
    """A changed module and what became of it.

    Attributes:
        kind: What was changed, in one word.
        line: Number of the first changed line.
        old: Changed lines as they were.
        new: Changed lines as they are.
        source: The whole module.
    """

    kind: str
    line: int
    old: str
    new: str
    source: str


def mutants_of(source: str) -> list[Mutant]:
    """Makes all mutants of a module, in the order of its lines."""
    content, tree = source.encode(), ast.parse(source)
    starts = [0]
    for line in content.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    original = ast.dump(tree)
    found: dict[str, Mutant] = {}
    for edit in _edits(tree, content, starts):
        changed = (content[: edit.start] + edit.text.encode() + content[edit.end :]).decode()
        try:
            differs = ast.dump(ast.parse(changed)) != original
        except SyntaxError:
            continue
        if differs:
            found.setdefault(changed, _described(edit, content, changed))
    return sorted(found.values(), key=lambda mutant: mutant.line)


def _described(edit: Edit, content: bytes, changed: str) -> Mutant:
    line = content.count(b"\n", 0, edit.start)
    last = content.count(b"\n", 0, edit.end)
    grown = changed.count("\n") - content.count(b"\n")
    old, new = content.decode().split("\n"), changed.split("\n")
    return Mutant(
        edit.kind,
        line + 1,
        "\n".join(old[line : last + 1]),
        "\n".join(new[line : last + grown + 1]),
        changed,
    )


def _edits(tree: ast.Module, content: bytes, starts: Sequence[int]) -> Iterator[Edit]:
    def span(node: ast.expr | ast.keyword) -> tuple[int, int]:
        assert node.end_lineno is not None
        assert node.end_col_offset is not None
        return starts[node.lineno - 1] + node.col_offset, starts[node.end_lineno - 1] + node.end_col_offset

    def between(kind: str, left: ast.expr, right: ast.expr, old: str, new: str) -> Iterator[Edit]:
        """Changes the operator between two expressions."""
        start, end = span(left)[1], span(right)[0]
        if operator := re.search(old, content[start:end].decode()):
            gap = content[start:end].decode()
            yield Edit(kind, start, end, gap[: operator.start()] + new + gap[operator.end() :])

    for node in _visited(tree):
        match node:
            case ast.Compare(left=left, ops=operators, comparators=rights):
                for one, operator, other in zip([left, *rights], operators, rights, strict=False):
                    old, news = COMPARISONS[type(operator)]
                    for new in news:
                        yield from between("comparison", one, other, old, new)
            case ast.BoolOp(op=operator, values=values):
                old, new = ("and", "or") if isinstance(operator, ast.And) else ("or", "and")
                for one, other in pairwise(values):
                    yield from between("and/or", one, other, rf"\b{old}\b", new)
            case ast.UnaryOp(op=ast.Not()):
                yield Edit("not", span(node)[0], span(node)[0] + len("not"), "")
            case ast.BinOp(left=left, op=ast.Add() | ast.Sub() as operator, right=right):
                old, new = (r"\+", "-") if isinstance(operator, ast.Add) else ("-", "+")
                yield from between("+/-", left, right, old, new)
            case ast.AugAssign(target=target, op=ast.Add() | ast.Sub() as operator, value=value):
                old, new = (r"\+=", "-=") if isinstance(operator, ast.Add) else ("-=", "+=")
                yield from between("+/-", target, value, old, new)
            case ast.Constant(value=bool(stated)):
                yield Edit("constant", *span(node), str(not stated))
            case ast.Constant(value=int(number)):
                yield Edit("constant", *span(node), str(number + 1))
                yield Edit("constant", *span(node), str(number - 1))
            case ast.Expr(value=ast.Call() as call):
                yield Edit("statement", *span(call), "pass")
            case ast.Return(value=ast.expr() as value):
                if not isinstance(value, ast.Constant) or value.value:
                    yield Edit("return", *span(value), "None")
            case ast.Call(keywords=keywords):
                for keyword in keywords:
                    start, end = span(keyword)
                    rest = content[end:].lstrip().removeprefix(b",").lstrip()
                    if keyword.arg not in (None, "strict"):
                        yield Edit("keyword", start, len(content) - len(rest), "")
        if isinstance(node, ast.If | ast.While | ast.IfExp):
            condition = node.test
            if isinstance(condition, ast.Name | ast.Attribute | ast.Call | ast.NamedExpr):
                start, end = span(condition)
                yield Edit("not", start, end, f"not ({content[start:end].decode()})")


def _visited(node: ast.AST) -> Iterator[ast.AST]:
    """Yields the nodes that may be changed."""
    for name, value in ast.iter_fields(node):
        if name in FIELDS_LEFT_ALONE:
            continue
        for child in value if isinstance(value, list) else [value]:
            if not isinstance(child, ast.AST) or isinstance(child, LEFT_ALONE) or _is_for_readers(child):
                continue
            yield child
            yield from _visited(child)


def _is_for_readers(node: ast.AST) -> bool:
    match node:
        case ast.Assign(targets=[ast.Name(id="__all__")]) | ast.If(test=ast.Name(id="TYPE_CHECKING")):
            return True
    return False


def mirrored_tests(module: Path) -> Path:
    """Returns the test file of a module, or the folder or files of tests of its package."""
    folder = Path("tests", *module.parts[1:-1])
    file = folder / f"test_{module.stem}.py"
    return file if (ROOT / file).exists() else folder


def run_tests(tree: Path, tests: Sequence[str], limit_s: float) -> tuple[int | None, str]:
    """Runs tests in a copy of the tree; the exit code is None where they took longer than the limit.

    The process is a fork of this one, which has imported what takes longest and nothing of the package.
    """
    with tempfile.TemporaryFile("w+") as output:
        process = os.fork()
        if not process:
            os.setsid()
            _be_in(tree, output.fileno())
            code = 1
            try:
                code = int(pytest.main(["-x", "-q", "-p", "no:cacheprovider", *tests]))
            finally:
                sys.stdout.flush()
                os._exit(code)
        result: int | None = None
        deadline = time.monotonic() + limit_s
        while time.monotonic() < deadline:
            ended, status = os.waitpid(process, os.WNOHANG)
            if ended:
                result = os.waitstatus_to_exitcode(status)
                break
            time.sleep(0.05)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process, signal.SIGKILL)  # whatever the tests have left running, too
        if result is None:
            os.waitpid(process, 0)
        output.seek(0)
        return result, output.read()[-3000:]


def _be_in(tree: Path, output: int) -> None:
    """Lets a process find the copy before the checkout, and so do those that it starts."""
    for stream in (1, 2):
        os.dup2(output, stream)
    os.chdir(tree)
    os.environ["PYTHONPATH"] = str(tree)
    sys.path[0] = str(tree)
    sys.modules.pop("__main__")  # it is this file, and pickles may name it


def main(arguments: Sequence[str] | None = None) -> int:
    """Makes mutants, runs the tests on each, prints what became of it, and returns how many lived."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("module", type=Path, help="below the root of the checkout: pipeline/cache/lock.py")
    parser.add_argument("--tests", nargs="+", help="files or folders; default: the mirrored ones")
    parser.add_argument("--count", type=int, default=20, help="how many mutants, chosen at random")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--only", type=int, nargs="+", metavar="LINE", help="all mutants of these lines")
    parser.add_argument("--list", action="store_true", help="show the chosen mutants and run nothing")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the outcome there")
    options = parser.parse_args(arguments)
    module = options.module.resolve().relative_to(ROOT)
    tests = options.tests or [str(mirrored_tests(module))]
    made = mutants_of((ROOT / module).read_text())
    chosen = [mutant for mutant in made if not options.only or mutant.line in options.only]
    if not options.only and options.count < len(chosen):
        chosen = random.Random(options.seed).sample(chosen, options.count)  # noqa: S311
        chosen.sort(key=lambda mutant: mutant.line)
    print(f"{module}: {len(chosen)} of {len(made)} mutants, {' '.join(tests)}", flush=True)
    with tempfile.TemporaryDirectory(prefix="mutants-") as scratch:
        tree = Path(scratch, "tree")
        shutil.copytree(ROOT, tree, symlinks=True, ignore=shutil.ignore_patterns(*NOT_COPIED))
        if (ROOT.parent / "shared").exists():  # where the tests look for photographs
            Path(scratch, "shared").symlink_to(ROOT.parent / "shared")
        limit_s = 0.0
        if not options.list:
            started = time.monotonic()
            code, output = run_tests(tree, tests, LONGEST_LIMIT_S)
            limit_s = SHORTEST_LIMIT_S + 5 * (time.monotonic() - started)
            if code != 0:
                sys.exit(f"these tests fail without a mutant:\n{output}")
        outcomes = [_try(mutant, tree / module, tree, tests, limit_s, module) for mutant in chosen]
    lived = outcomes.count("LIVED")
    print(f"{module}: {len(chosen) - lived} of {len(chosen)} killed, {lived} lived")
    if options.json:
        described = [
            asdict(mutant) | {"source": str(module), "outcome": outcome}
            for mutant, outcome in zip(chosen, outcomes, strict=True)
        ]
        options.json.write_text(json.dumps(described, indent=1))
    return lived


def _try(mutant: Mutant, path: Path, tree: Path, tests: Sequence[str], limit_s: float, module: Path) -> str:
    outcome = "listed"
    if limit_s:
        sound = path.read_text()
        path.write_text(mutant.source)
        # Python trusts what it compiled of a file of the same size and second.
        Path(cache_from_source(str(path))).unlink(missing_ok=True)
        code, _ = run_tests(tree, tests, limit_s)
        path.write_text(sound)
        outcome = {0: "LIVED", None: "killed by time"}.get(code, "killed")
    print(f"{outcome:7} {module}:{mutant.line} ({mutant.kind})")
    for sign, lines in (("-", mutant.old), ("+", mutant.new)):
        print("\n".join(f"    {sign} {line}" for line in lines.split("\n")), flush=True)
    return outcome


if __name__ == "__main__":
    main()
