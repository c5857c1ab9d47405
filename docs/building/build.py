"""Builds the site: ``python docs/building/build.py [--out site]``, which is ``make docs``.

The pages of the repository are laid out as they stand there, so that links between them hold, and beside them
what is generated: the reference of commands and library, and the tour with its outputs.
"""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from pathlib import Path

from sphinx.cmd.build import main as run_sphinx

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
sys.path.insert(0, str(ROOT))

from commands import command_pages  # noqa: E402 (they read the package of this checkout)
from library import library_pages  # noqa: E402
from tour import executed, tour_page  # noqa: E402

TAKEN = (
    "*.md",
    "docs/*.md",
    "docs/*.ipynb",
    "benchmarks/**/*.md",
    "benchmarks/**/*.py",
    "benchmarks/**/*.csv",
)
"""Pages, and the files that they link to."""


def lay_out(folder: Path) -> None:
    """Puts all that Sphinx reads into a folder."""
    for path in (one for pattern in TAKEN for one in sorted(ROOT.glob(pattern))):
        copy = folder / path.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, copy)
    shutil.copyfile(HERE / "index.md", folder / "index.md")
    page, pictures = tour_page(executed())
    (folder / "docs/tour.md").write_text(page, encoding="utf-8")
    for name, data in pictures.items():
        (folder / "docs" / name).write_bytes(data)
    for place, text in {**command_pages(), **library_pages()}.items():
        (folder / place).parent.mkdir(parents=True, exist_ok=True)
        (folder / place).write_text(text, encoding="utf-8")


def make_site(source: Path, out: Path) -> int:
    """Makes pages of a folder; a warning, such as of a link to nowhere, is a failure.

    Returns:
        0 where all went well.
    """
    strict = ["--fail-on-warning", "--keep-going", "--quiet"]
    with tempfile.TemporaryDirectory(prefix="site-doctrees-") as doctrees:
        return run_sphinx(
            [*strict, "--doctree-dir", doctrees, "--conf-dir", str(HERE), str(source), str(out)]
        )


def main() -> int:
    """Builds the site.

    Returns:
        0 where all went well.
    """
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=ROOT / "site", help="Folder of the site. [site]")
    out = parser.parse_args().out
    with tempfile.TemporaryDirectory(prefix="site-source-") as source:
        lay_out(Path(source))
        code = make_site(Path(source), out)
    if code == 0:
        print(out / "index.html")
    return code


if __name__ == "__main__":
    sys.exit(main())
