"""How Sphinx makes the site; ``build.py`` lays out what it reads."""

from __future__ import annotations

import inspect
import re
import sys
from pathlib import Path
from typing import Any, get_type_hints

from sphinx.application import Sphinx
from sphinx.util.inspect import stringify_signature

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT))

import pipeline  # noqa: E402 (the checkout that is documented, whichever is installed)

project = "Two-stage transfer learning"
author = copyright = "the two-stage-pipeline authors"
version = release = pipeline.__version__
language = "en"

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
root_doc = "index"
exclude_patterns: list[str] = []
smartquotes = False  # "--" is the beginning of an option here, and no dash

myst_enable_extensions = ["colon_fence"]
myst_heading_anchors = 4  # the anchors that GitHub gives headings

autodoc_member_order = "bysource"
autodoc_preserve_defaults = True
autodoc_typehints_format = "short"
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_custom_sections = [("Attributes", "params_style")]

html_theme = "furo"
html_title = f"{project} {release}"
html_static_path = [str(Path(__file__).with_name("static"))]
html_css_files = ["site.css"]
html_show_sphinx = False
html_show_copyright = False
html_copy_source = False
html_show_sourcelink = False
html_show_search_summary = False  # they are fetched, which browsers refuse pages that are files

_COLON = "\N{RATIO}"
_NAPOLEON = 500
"""The priority at which it is called, which is the one that callers have unless they say."""


def plain_types(
    app: Sphinx,
    what: str,
    name: str,
    documented: Any,
    options: Any,
    signature: str | None,
    returned: str | None,
) -> tuple[str | None, str | None] | None:
    """Shows fields by their types alone: what the command line notes beside a type is told by its page."""
    if signature is None or "Annotated[" not in signature:
        return None
    hints = get_type_hints(documented.__init__)
    known = inspect.signature(documented)
    plain = [one.replace(annotation=hints[one.name]) for one in known.parameters.values()]
    return stringify_signature(known.replace(parameters=plain), unqualified_typehints=True), returned


def plain_stars(app: Sphinx, what: str, name: str, documented: Any, options: Any, lines: list[str]) -> None:
    """Keeps the star of a shape, ``(n, *feature shape)``, from beginning an emphasis."""
    lines[:] = [re.sub(r"(?<=, )\*(?=\w)", r"\\*", line) for line in lines]


def one_sentence(app: Sphinx, what: str, name: str, documented: Any, options: Any, lines: list[str]) -> None:
    """Keeps napoleon from taking what stands before a colon for the type of a property."""
    if what == "property" and lines:
        lines[0] = lines[0].replace(": ", f"{_COLON} ")


def with_colons(app: Sphinx, what: str, name: str, documented: Any, options: Any, lines: list[str]) -> None:
    """Puts the colons back."""
    lines[:] = [line.replace(_COLON, ":") for line in lines]


def setup(app: Sphinx) -> None:
    """Called by Sphinx."""
    app.connect("autodoc-process-signature", plain_types)
    app.connect("autodoc-process-docstring", plain_stars)
    app.connect("autodoc-process-docstring", one_sentence, priority=_NAPOLEON - 1)
    app.connect("autodoc-process-docstring", with_colons, priority=_NAPOLEON + 1)
