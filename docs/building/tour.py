"""The tour as a page: its cells are executed, and what they print and draw is shown below each."""

from __future__ import annotations

import base64
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import nbformat
from nbclient import NotebookClient

NOTEBOOK = Path(__file__).resolve().parents[1] / "tour.ipynb"
_SECONDS_A_CELL = 120


def executed(notebook: Path = NOTEBOOK) -> Any:
    """Executes all cells in an empty folder, by this Python and with this checkout.

    Returns:
        The notebook with its outputs, in which paths begin where it ran.

    Raises:
        nbclient.exceptions.CellExecutionError: A cell failed.
    """
    read = nbformat.read(notebook, as_version=4)
    with tempfile.TemporaryDirectory(prefix="tour-") as folder:
        own = dict.fromkeys(("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR"), f"{folder}/.own")
        package = str(NOTEBOOK.parents[1])
        paths = os.pathsep.join(filter(None, [package, os.environ.get("PYTHONPATH")]))
        work = Path(folder, "work")
        work.mkdir()
        client = NotebookClient(
            read,
            kernel_name="python3",
            timeout=_SECONDS_A_CELL,
            resources={"metadata": {"path": str(work)}},
            extra_arguments=["--IPKernelApp.log_level=ERROR"],
        )
        client.execute(env=os.environ | own | {"PYTHONPATH": paths})
        return nbformat.reads(nbformat.writes(read).replace(f"{work}/", ""), as_version=4)


def tour_page(notebook: Any) -> tuple[str, dict[str, bytes]]:
    """Returns an executed notebook as Markdown, and its pictures by file name."""
    lines: list[str] = []
    pictures: dict[str, bytes] = {}
    for cell in notebook.cells:
        if cell.cell_type == "markdown":
            lines += [cell.source, ""]
        else:
            lines += ["```python", cell.source, "```", "", *_shown(cell.outputs, pictures)]
    return "\n".join(lines), pictures


def _joined(outputs: Any) -> list[Any]:
    """Joins what was printed line by line."""
    found: list[Any] = []
    for output in outputs:
        if output.output_type == "stream" and found and found[-1].get("name") == output.name:
            found[-1] = found[-1] | {"text": found[-1]["text"] + output.text}
        else:
            found.append(nbformat.from_dict(output))
    return [nbformat.from_dict(one) for one in found]


def _shown(outputs: Any, pictures: dict[str, bytes]) -> Iterator[str]:
    if not outputs:
        return
    yield from (":::::{container} output", "")
    for output in _joined(outputs):
        data = output.get("data", {})
        if "image/png" in data:
            name = f"tour-{len(pictures) + 1}.png"
            pictures[name] = base64.b64decode(data["image/png"])
            yield f"![What the cell draws]({name})"
        elif "text/html" in data:
            yield from ("```{raw} html", data["text/html"], "```")
        else:
            yield from ("```text", (data.get("text/plain") or output.text).rstrip(), "```")
        yield ""
    yield from (":::::", "")
