"""Which module of a package imports which, read from its source: imports in functions and for types, too."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

Graph = dict[str, set[str]]
"""Module -> the modules of the same package that it imports."""


def import_graph(package: Path) -> Graph:
    """Reads the imports of every module of a package, relative ones too.

    Args:
        package: Its folder; the name of the folder is that of the package.

    Returns:
        Every module, with what it imports; a name imported from a package counts as that package.
    """
    files = {_module(path, package.parent): path for path in sorted(package.rglob("*.py"))}
    return {
        module: {
            found
            for name in _imported(path, module)
            if (found := _longest(name, files)) is not None and found != module
        }
        for module, path in files.items()
    }


def circles(graph: Graph) -> list[set[str]]:
    """Returns the largest sets of modules in which each reaches all others, of two modules or more."""
    reach = {module: _reached(graph, module) for module in graph}
    found = [{other for other in reach[module] if module in reach[other]} for module in graph]
    return [one for number, one in enumerate(found) if one and one not in found[:number]]


def _reached(graph: Graph, start: str) -> set[str]:
    seen: set[str] = set()
    ahead = [start]
    while ahead:
        for other in graph[ahead.pop()] - seen:
            seen.add(other)
            ahead.append(other)
    return seen


def _module(path: Path, parent: Path) -> str:
    return ".".join(path.relative_to(parent).with_suffix("").parts).removesuffix(".__init__")


def _imported(path: Path, module: str) -> Iterator[str]:
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: -(node.level - 1) or None] if node.level else []
            base = ".".join([*above, node.module] if node.module else above)
            yield from (f"{base}.{alias.name}" for alias in node.names)


def _longest(name: str, modules: dict[str, Path]) -> str | None:
    while name and name not in modules:
        name = name.rpartition(".")[0]
    return name or None
