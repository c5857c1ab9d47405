"""Stage one, watched from outside while its executor is at work."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

from pipeline.extraction.executors import Executor, Session


@dataclass
class Watched:
    """An executor that tells whenever a block is finished.

    Attributes:
        executor: Who computes.
        finished: Told after each block, with the session.
    """

    executor: Executor
    finished: Callable[[Session], None]

    @contextmanager
    def session(self) -> Iterator[Session]:
        with self.executor.session() as session:
            fill = session.fill

            def watched(*arguments: Any, advance: Callable[[int], None], **options: Any) -> Any:
                def told(count: int) -> None:
                    advance(count)
                    self.finished(session)

                return fill(*arguments, advance=told, **options)

            with patch.object(session, "fill", watched):
                yield session
