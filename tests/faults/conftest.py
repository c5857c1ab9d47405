"""Fixtures of tests that disturb the pipeline on purpose."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from interrupter import Interrupter


@pytest.fixture
def interrupter(tmp_path: Path) -> Iterator[Interrupter]:
    """Starts commands and leaves none of them running."""
    with ExitStack() as started:
        yield Interrupter(tmp_path / "computed.log", started)


@pytest.fixture
def tell(capsys: pytest.CaptureFixture[str], request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Prints a figure that is seen although the test passes."""

    def tell(figure: str) -> None:
        with capsys.disabled():
            print(f"\n  {request.node.name}: {figure}", flush=True)

    return tell
