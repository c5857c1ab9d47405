"""Executors: who fills the blocks of a plan. One file each; the folder is the registry.

Each file names as ``EXECUTOR`` a frozen dataclass whose fields are its options. It is a value: nothing is
started before ``session`` is entered, and no base is loaded before ``load``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from pipeline.options import make_configured

if TYPE_CHECKING:
    from pipeline.backbones.weights import Weights
    from pipeline.cache.writer import EntryWriter
    from pipeline.extraction.load import Loader
    from pipeline.extraction.measurements import Rates
    from pipeline.extraction.plan import Block
    from pipeline.extraction.settle import SettledRequest
    from pipeline.extraction.timing import Timings
    from pipeline.images import BadImage
    from pipeline.progress import Advance

T = TypeVar("T")
DEFAULT = "local"


class Session(Protocol):
    """Whoever computes for one run of stage one.

    Attributes:
        feature_shapes: Shape of one row per cut; known after ``load``.
        workers: How many blocks are computed at the same time, at most.
        shares_files: Whether it certainly sees the files of this machine.
    """

    feature_shapes: list[tuple[int, ...]]
    workers: int
    shares_files: bool

    def call(self, function: Callable[..., T], *arguments: Any) -> T:
        """Calls a function on a machine of the kind that will compute, e.g. to measure there."""
        ...

    def load(self, request: SettledRequest, weights: Weights) -> None:
        """Loads the base wherever it will run.

        Raises:
            UsageError: The base cannot be loaded.
        """
        ...

    def settle_batch_size(self, request: SettledRequest, rows: int, known: Rates) -> tuple[int, Rates]:
        """Chooses the images in a forward pass, see ``fastest.settle_batch_size``."""
        ...

    def fill(
        self,
        blocks: Sequence[Block],
        *,
        loader: Loader,
        writers: Sequence[EntryWriter],
        timings: Timings,
        advance: Advance,
    ) -> list[BadImage]:
        """Computes every block and writes its rows into the entries.

        Args:
            blocks: What to compute.
            loader: Reads and decodes the images of wanted rows.
            writers: One per cut, in the order of the base's outputs.
            timings: Collects the seconds of each step; ``read``, ``decode`` and ``write`` pass in threads.
            advance: Told how many rows are finished.

        Returns:
            The images that could not be loaded; all other rows are written and done.

        Raises:
            BatchTooLargeError: The memory does not suffice; what was written stays.
            PipelineError: Features overflow the stored dtype, or the disk refuses them.
        """
        ...


class Executor(Protocol):
    """Says who computes; a frozen dataclass."""

    def session(self) -> AbstractContextManager[Session]:
        """Opens what is needed, and closes it whatever happens."""
        ...


def make_executor(name: str = DEFAULT, options: Mapping[str, object] | None = None) -> Executor:
    """Makes the executor of a name.

    Example:
        >>> make_executor("ray", {"workers": 8})

    Args:
        name: A file of this folder.
        options: Values of its fields, text or typed.

    Returns:
        The executor, which starts nothing before it is used.

    Raises:
        UsageError: The name, an option or a value is not among the choices.
    """
    from pipeline.extraction import executors

    return make_configured(executors, name, options)
