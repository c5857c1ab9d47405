"""From contents to one HTML file in which nothing can run but its own script."""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.wording import readable

if TYPE_CHECKING:
    from jinja2 import Environment
    from markupsafe import Markup

TEMPLATES = Path(__file__).parent / "templates"
PAGE = "report.html.j2"
STYLES = ("style.css", "story.css")
SCRIPTS = ("map.js", "gallery.js")
ESCAPED = {ord(character): f"\\u{ord(character):04x}" for character in "<>&\u2028\u2029"}


def render(
    contents: dict[str, Any],
    *,
    page: str = PAGE,
    styles: Sequence[str] = STYLES,
    scripts: Sequence[str] = SCRIPTS,
) -> str:
    """Returns the page as text that is valid UTF-8.

    Names from outside are hostile input. Jinja escapes all of them, and whatever is no markup of ours
    loses characters that could steer the page (direction overrides, lone surrogates). Should a name get
    through nevertheless, the content security policy lets nothing run but the one script, by its hash,
    and lets nothing be loaded.

    Args:
        contents: What the templates show, by name.
        page: The template.
        styles: Its style sheets.
        scripts: Its scripts, which become one element.
    """
    from markupsafe import Markup

    environment = _environment()
    style, script = (
        "".join((TEMPLATES / name).read_text(encoding="utf-8") for name in names)
        for names in (styles, scripts)
    )
    return environment.get_template(page).render(
        contents
        | {
            # Both are of our own files, and the hash is that of exactly what stands between the tags.
            "style": Markup(style),  # noqa: S704 - our own file
            "script": Markup(script),  # noqa: S704 - our own file
            "policy": (
                f"default-src 'none'; img-src data:; script-src '{_source_hash(script)}'; "
                f"style-src '{_source_hash(style)}'; base-uri 'none'; form-action 'none'"
            ),
        }
    )


def embed(value: Any) -> Markup:
    """Returns a value as JSON that may stand inside a ``script`` element.

    ``<``, ``>`` and ``&`` are written as escapes, so that no text in it can end the element or begin a
    comment; everything that is not ASCII is too.
    """
    from markupsafe import Markup

    return Markup(json.dumps(value, allow_nan=False, separators=(",", ":")).translate(ESCAPED))  # noqa: S704 - escaped


def _environment() -> Environment:
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    environment = Environment(
        autoescape=True,
        loader=FileSystemLoader(TEMPLATES),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=lambda value: readable(value, max(len(value), 3)) if type(value) is str and value else value,
    )
    environment.globals["zip"] = zip
    environment.filters |= {"share": lambda value: f"{value:.1%}", "count": lambda value: f"{value:,}"}
    return environment


def _source_hash(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode('ascii')}"
