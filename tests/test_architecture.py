"""The house: who imports whom, and that its plan names every room.

`make lint` holds the order of the layers (`[importlinter]` in setup.cfg); within a layer nothing goes round.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from file_tree import BEGIN, END, PAGE, tree
from import_graph import circles, import_graph

import pipeline

PACKAGE = Path(pipeline.__file__).parent


def test_no_modules_import_each_other_in_a_circle() -> None:
    assert circles(import_graph(PACKAGE)) == []


def test_a_circle_is_found_however_it_is_imported(tmp_path: Path) -> None:
    package = tmp_path / "house"
    (package / "cellar").mkdir(parents=True)
    for name, text in {
        "__init__": "",
        "roof": "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    from house.cellar import shelf",
        "stairs": "def climb():\n    from . import roof",
        "cellar/__init__": "from .. import stairs",
        "cellar/shelf": "import house.cellar.jar",
        "cellar/jar": "from ..stairs import climb",
        "garden": "import os\nfrom house.roof import tiles",
    }.items():
        (package / f"{name}.py").write_text(text)
    graph = import_graph(package)
    assert graph["house.garden"] == {"house.roof"}
    assert circles(graph) == [
        {"house.roof", "house.stairs", "house.cellar.shelf", "house.cellar.jar"},
    ]


def test_the_page_names_every_file() -> None:
    written = PAGE.read_text().partition(BEGIN)[2].partition(END)[0]
    assert written == tree(), "run: python tests/helpers/file_tree.py"


def test_no_two_test_modules_share_a_name() -> None:
    names = Counter(path.name for path in Path(__file__).parent.rglob("test_*.py"))
    assert [name for name, times in names.items() if times > 1] == []  # pytest would collect only one
