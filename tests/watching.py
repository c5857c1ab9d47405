"""Stage one, watched from outside while its executor is at work."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from pipeline.extraction.executors import Crew, Executor


@dataclass
class Watched:
    """An executor that tells whenever a block is finished.

    Attributes:
        executor: Who computes.
        finished: Told after each block, with the crew.
    """

    executor: Executor
    finished: Callable[[Crew], None]

    @contextmanager
    def crew(self) -> Iterator[Crew]:
        with self.executor.crew() as crew:
            fill = crew.fill

            def watched(*arguments: Any, advance: Callable[[int], None], **options: Any) -> Any:
                def told(count: int) -> None:
                    advance(count)
                    self.finished(crew)

                return fill(*arguments, advance=told, **options)

            crew.fill = watched
            yield crew
