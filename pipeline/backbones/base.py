"""What a frozen base is to all who use one, wherever it comes from: Keras's table, or a file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from pipeline.backbones.table import Cut
from pipeline.backbones.weights import Weights
from pipeline.images.geometry import Geometry

if TYPE_CHECKING:
    import openvino


class Base(Protocol):
    """A frozen network with all that belongs to it.

    Attributes:
        address: What it was found by: a name, or the path of a file.
        name: What a spec calls it.
        preprocessing: What is done with pixels before the first layer, as a spec has it.
        filter: What its pictures are resized with, see ``pipeline.images.resizing``.
        layer: The default cut.
        own_size: Height and width in pixels where nobody says.
        min_size: Smallest image size in pixels.
        engines: What can run it, the first of which hands images on as they are where it is ``pixels``.
        poolings: What may follow a cut.
        in_file: Whether it is a file of the user's, network and filters in one.
        remarks: What is to be said before it is used.
    """

    @property
    def address(self) -> str: ...  # noqa: D102
    @property
    def name(self) -> str: ...  # noqa: D102
    @property
    def preprocessing(self) -> str: ...  # noqa: D102
    @property
    def filter(self) -> str: ...  # noqa: D102
    @property
    def layer(self) -> str: ...  # noqa: D102
    @property
    def own_size(self) -> int: ...  # noqa: D102
    @property
    def min_size(self) -> int: ...  # noqa: D102
    @property
    def engines(self) -> tuple[str, ...]: ...  # noqa: D102
    @property
    def poolings(self) -> tuple[str, ...]: ...  # noqa: D102
    @property
    def in_file(self) -> bool: ...  # noqa: D102
    @property
    def remarks(self) -> tuple[str, ...]: ...  # noqa: D102

    def check_size(self, image_size: int) -> None:
        """Refuses images of a size, in pixels, that it does not take.

        Raises:
            UsageError: The message says which it takes.
        """
        ...

    def geometry(self, image_size: int) -> Geometry:
        """Returns which part of a picture it is shown, as a square of a size in pixels."""
        ...

    def cuts(self, image_size: int) -> list[tuple[str, tuple[int, ...]]]:
        """Lists where it can be cut, in order, with the shape of one image's features."""
        ...

    def weights(self, choice: str, image_size: int, *, stat_cache: Path | None = None) -> Weights:
        """Finds its filters.

        Args:
            choice: What ``--weights`` says.
            image_size: Height and width in pixels.
            stat_cache: Where digests of files are kept.

        Raises:
            UsageError: They cannot be had.
        """
        ...

    def to_openvino(self, cuts: Sequence[Cut], weights: Weights, image_size: int) -> openvino.Model:
        """Builds it for OpenVINO, its preprocessing inside.

        Args:
            cuts: What to return for each image.
            weights: Its filters.
            image_size: Height and width in pixels.

        Returns:
            A model from uint8 (n, image_size, image_size, 3) RGB, n open, to one float32 output
            (n, *feature shape) per cut, each found by the cut's name: OpenVINO keeps no order.

        Raises:
            UsageError: OpenVINO is not installed or cannot run it, a layer is no cut, or filters do not fit.
        """
        ...
