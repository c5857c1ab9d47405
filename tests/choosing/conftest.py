"""Small choices on the embedded digits."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pipeline.backbones.at_hand import BaseAtHand
from pipeline.choosing import Choice, choose
from pipeline.choosing import rounds as rounds_module
from pipeline.sweeps import Candidate

PIXELS = BaseAtHand("pixels", "", (4, 8))
HEADS = [Candidate("prototype"), Candidate("knn", {"k": "1"}), Candidate("knn", {"k": "5"})]


@pytest.fixture(scope="session", autouse=True)
def small_rounds() -> Iterator[None]:
    """Plays rounds of 40 and 80 images."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rounds_module, "SAMPLES", (40, 80))
        yield


def run(folder: Path, data: str = "sample:300:builtin:digits", **changes: Any) -> Choice:
    """Chooses on some digits, pixels at two sizes."""
    given = {"bases": [PIXELS], "candidates": HEADS, "minutes": 5.0} | changes
    return choose(data, cache=folder / "cache", runs=folder / "runs", **given)


@pytest.fixture(scope="session")
def run_in() -> Callable[..., Choice]:
    """Chooses in a given folder."""
    return run


@pytest.fixture
def chosen(tmp_path: Path) -> Callable[..., Choice]:
    """Chooses in a folder of its own."""
    return lambda *data, **changes: run(tmp_path, *data, **changes)


@pytest.fixture(scope="module")
def choice(tmp_path_factory: pytest.TempPathFactory) -> Choice:
    """A choice that all tests of a module look at."""
    return run(tmp_path_factory.mktemp("choice"))
