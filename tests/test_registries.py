"""Folders as registries: what stands in them can be loaded, and what does not is refused with the choices."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import click
import pytest

from pipeline import heads, registry
from pipeline.backbones import configs, hubs
from pipeline.cli import commands
from pipeline.errors import UsageError
from pipeline.evaluation import loggers
from pipeline.extraction import engines, executors
from pipeline.heads import describe_head, make_head
from pipeline.images import sources
from pipeline.serving import export
from pipeline.sweeps import executors as sweep_executors

CONVENTIONS = {
    heads: {"HEAD": type},
    sources: {"ADDRESS": str, "claims": "callable", "open_uri": "callable"},
    engines: {"load": "callable"},
    hubs: {"PACKAGES": tuple, "EXTRA": str, "EXAMPLE": str, "fetch": "callable"},
    configs: {"NAME": str, "ORDER": int, "read": "callable"},
    executors: {"EXECUTOR": type},
    sweep_executors: {"EXECUTOR": type},
    export: {
        "SUFFIX": str,
        "PACKAGES": tuple,
        "IMPORTS": tuple,
        "TEXT_IMPORTS": tuple,
        "OUTPUTS": tuple,
        **dict.fromkeys(
            ("write", "recognises", "read_about", "open_answers", "call", "row", "text"), "callable"
        ),
    },
    loggers: {"PACKAGE": str, "log": "callable"},
    commands: {"command": click.Command},
}


@pytest.mark.parametrize(
    ("package", "name"),
    [(package, name) for package in CONVENTIONS for name in registry.names(package)],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_every_entry_keeps_the_convention_of_its_folder(package: ModuleType, name: str) -> None:
    module = registry.load(package, "entry", name)
    assert module.__doc__
    for attribute, kind in CONVENTIONS[package].items():
        value: Any = getattr(module, attribute)
        assert callable(value) if kind == "callable" else isinstance(value, kind)


@pytest.mark.parametrize("package", CONVENTIONS, ids=lambda package: package.__name__)
def test_no_registry_is_empty(package: ModuleType) -> None:
    assert registry.names(package)


@pytest.mark.parametrize("name", registry.names(heads))
def test_every_head_can_be_made_without_options(name: str) -> None:
    assert make_head(name, {}) is not None
    assert describe_head(name).description.endswith(".")


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    folder = tmp_path / "shelf"
    folder.mkdir()
    for name in ("__init__.py", "gap_bn_dense.py", "knn.py", "_shared.py", "notes.txt"):
        (folder / name).write_text(f"NAME = {name!r}\n" if name.endswith(".py") else "")
    monkeypatch.syspath_prepend(tmp_path)
    import shelf

    yield shelf
    for name in [name for name in sys.modules if name.partition(".")[0] == "shelf"]:
        del sys.modules[name]


def test_names_are_those_of_public_modules(package: ModuleType) -> None:
    assert registry.names(package) == ["gap-bn-dense", "knn"]
    assert "shelf.knn" not in sys.modules


def test_a_name_loads_its_module(package: ModuleType) -> None:
    assert registry.load(package, "head", "gap-bn-dense").NAME == "gap_bn_dense.py"


@pytest.mark.parametrize("name", ["gap_bn_dense", "_shared", "-shared", "os", "..knn", "knn.py", "", "Knn"])
def test_other_names_are_refused(name: str, package: ModuleType) -> None:
    with pytest.raises(UsageError, match=r"unknown head .*: choose from gap-bn-dense, knn. See the list"):
        registry.load(package, "head", name, next_step="See the list")
