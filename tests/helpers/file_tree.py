"""The tree in docs/architecture.md: every file of the package with the first line of its docstring.

``python tests/helpers/file_tree.py`` writes it anew.
"""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs/architecture.md"
BEGIN, END = "<!-- tree: tests/helpers/file_tree.py -->\n```\n", "```\n<!-- end of tree -->\n"


def tree() -> str:
    """Returns one line for each file; a folder has the line of its ``__init__.py``."""
    lines = []
    for path in sorted((ROOT / "pipeline").rglob("*.py"), key=_place):
        place = path.relative_to(ROOT)
        shown = place.parent if path.name == "__init__.py" else place
        name = shown.name + ("/" if path.name == "__init__.py" else "")
        lines.append(f"{'  ' * (len(shown.parts) - 1)}{name:<24}  {_first_line(path)}".rstrip() + "\n")
    return "".join(lines)


def _place(path: Path) -> tuple[str, ...]:
    """Puts a folder's own file before all others in it."""
    return tuple("" if part == "__init__.py" else part for part in path.parts)


def _first_line(path: Path) -> str:
    text = path.read_text()
    return text.partition('"""')[2].partition("\n")[0].removesuffix('"""') if '"""' in text else ""


def main() -> None:
    """Replaces the tree in the page."""
    page = PAGE.read_text()
    before, _, rest = page.partition(BEGIN)
    PAGE.write_text(before + BEGIN + tree() + END + rest.partition(END)[2])


if __name__ == "__main__":
    main()
