"""The reference of the library: a page for each public name, and one for what their calls return."""

from __future__ import annotations

import inspect
from typing import Any

import pipeline

FOLDER = "reference/library"


def library_pages() -> dict[str, str]:
    """Returns the reStructuredText of each page by its path."""
    names = [name for name in pipeline.__all__ if not name.startswith("__")]
    pages = {f"{FOLDER}/{name}.rst": _page(name) for name in names}
    listed = [
        f"   * - :doc:`{name} <{name}>`\n     - {_first_line(getattr(pipeline, name))}" for name in names
    ]
    contents = [".. toctree::", "   :hidden:", "", *(f"   {name}" for name in [*names, "results"])]
    pages[f"{FOLDER}/index.rst"] = "\n".join(
        [
            *_title("Library"),
            "``import pipeline``, and all of this is there; each name is loaded when it is first used.",
            "What calls hand back has :doc:`a page of its own <results>`.\n",
            ".. list-table::\n",
            *listed,
            "",
            *contents,
            "",
        ]
    )
    pages[f"{FOLDER}/results.rst"] = "\n".join([*_title("What calls hand back"), *map(_class, results())])
    return pages


def results() -> list[type]:
    """Lists the classes of the package that public functions return and that have no public name."""
    found: dict[type, None] = {}
    for name in pipeline.__all__:
        shown = getattr(pipeline, name)
        if inspect.isfunction(shown):
            returned = eval(shown.__annotations__["return"], shown.__globals__)  # noqa: S307 (our own source)
            for one in [returned, *getattr(returned, "__args__", ())]:
                if isinstance(one, type) and one.__module__.startswith("pipeline."):
                    found[one] = None
    return list(found)


def _page(name: str) -> str:
    kind = "class" if isinstance(getattr(pipeline, name), type) else "function"
    members = ["   :members:"] if kind == "class" else []
    return "\n".join([*_title(name), f".. auto{kind}:: pipeline.{name}", *members, ""])


def _class(shown: type) -> str:
    return f".. autoclass:: {shown.__module__}.{shown.__qualname__}()\n   :members:\n   :inherited-members:\n"


def _title(text: str) -> list[str]:
    return [text, "=" * len(text), ""]


def _first_line(shown: Any) -> str:
    return (inspect.getdoc(shown) or "").partition("\n")[0]
