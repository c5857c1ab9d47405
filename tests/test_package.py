"""What importing costs, and what is exported."""

from __future__ import annotations

import importlib
import pkgutil
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest
from photos import Photos

import pipeline

HEAVY = ("tensorflow", "keras", "sklearn", "scipy", "matplotlib", "ray")


def imported_by(statement: str) -> list[str]:
    """Runs a statement in a fresh interpreter and returns which heavy packages it brought in."""
    script = (
        "import atexit, sys\n"
        f"atexit.register(lambda: print('IMPORTED', *[n for n in {HEAVY!r} if n in sys.modules]))\n"
        f"{statement}\n"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return result.stdout.splitlines()[-1].split()[1:]


@pytest.mark.parametrize(
    "statement",
    [
        "import pipeline",
        "import pipeline; pipeline.extract; pipeline.open_features; pipeline.open_images",
        "from pipeline.cli import main; main(['--help'])",
        "from pipeline.cli import main; main(['extract', '--help'])",
        "from pipeline.cli import main; main(['train-head', '--help'])",
        "from pipeline.cli import main; main(['sweep', '--help'])",
        "from pipeline.cli import main; main(['predict', '--help'])",
        "from pipeline.cli import main; main(['serve', '--help'])",
        "from pipeline.cli import main; main(['export', '--help'])",
        "from pipeline.cli import main; main(['check', '--help'])",
        "from pipeline.cli import main; main(['backbones'])",
        "from pipeline.cli import main; main(['cache', 'ls', '--cache', 'nowhere'])",
        "import pipeline.extraction.stage, pipeline.extraction.engines.keras",
    ],
)
def test_nothing_heavy_is_imported_before_it_is_needed(statement: str) -> None:
    assert imported_by(statement) == []


def test_stage_one_on_pixels_imports_nothing_heavy(photos: Photos, cache: Path) -> None:
    photos.add("train/cats")
    photos.add("val/cats")
    arguments = ["extract", "--data", str(photos.root), "--cache", str(cache), "--backbone", "pixels"]
    assert imported_by(f"from pipeline.cli import main; main({arguments})") == []


@pytest.mark.parametrize("name", pipeline.__all__)
def test_every_public_name_resolves(name: str) -> None:
    assert getattr(pipeline, name) is not None


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="module 'pipeline' has no attribute 'extrakt'"):
        pipeline.extrakt  # noqa: B018


def test_the_version_is_that_of_the_installed_package() -> None:
    assert version("two-stage-pipeline") == pipeline.__version__


@pytest.mark.parametrize(
    "module",
    [m.name for m in pkgutil.walk_packages(pipeline.__path__, "pipeline.") if m.name != "pipeline.__main__"],
)
def test_every_module_can_be_imported_and_exports_what_it_says(module: str) -> None:
    imported = importlib.import_module(module)
    for name in getattr(imported, "__all__", ()):
        assert hasattr(imported, name)
