"""A base in a file, ONNX or TensorFlow Lite: network, filters, and how pictures are prepared for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pipeline.backbones.configs import find_preprocessing
from pipeline.backbones.graph import Graph, Input, check_file, refusal
from pipeline.backbones.preprocessing import Normalisation, Preprocessing
from pipeline.backbones.table import Cut
from pipeline.backbones.weights import Weights, weights_in
from pipeline.errors import UsageError
from pipeline.images.geometry import Geometry
from pipeline.runtimes.openvino import import_openvino, reason_in
from pipeline.spec import FeatureSpec

if TYPE_CHECKING:
    import openvino

ENGINES = ("openvino",)
POOLINGS = ("none", "avg", "max", "cls")
_LAYOUT_OF = {".tflite": "nhwc"}
_SAME = 1e-3
"""How far features of an image may be from those beside another, as a share of the largest."""


@dataclass(frozen=True)
class FileBase:
    """A file that holds a network; see :class:`pipeline.backbones.base.Base`.

    Attributes:
        address: Its path, or the name that it was found by.
        name: What a spec calls it: the name of the file, or that on the shelf.
        path: The file; None where only its name in a spec is known.
        stated: The preprocessing that a file beside it states; None = ``made`` says it.
        made: The spec of features that it made, which say how; None = they are yet to be made.
    """

    address: str
    name: str
    path: Path | None = None
    stated: Preprocessing | None = None
    made: FeatureSpec | None = None
    engines: tuple[str, ...] = field(default=ENGINES, init=False)
    poolings: tuple[str, ...] = field(default=POOLINGS, init=False)
    in_file: bool = field(default=True, init=False)
    min_size: int = field(default=1, init=False)

    @classmethod
    def of_file(
        cls, path: Path, *, address: str = "", name: str = "", config: Path | None = None
    ) -> FileBase:
        """Opens a file whose preprocessing is stated beside it.

        Args:
            path: The file.
            address: What it was found by; empty = its path.
            name: What a spec calls it; empty = by the name of the file.
            config: The file that states its preprocessing, wherever that is.

        Raises:
            UsageError: It cannot be used, its preprocessing is not known, or contradicts the graph.
        """
        check_file(path)
        path = path.resolve()
        base = cls(address or str(path), name or path.name, path, find_preprocessing(path, config))
        base._refuse_contradictions()
        return base

    @classmethod
    def of_spec(cls, spec: FeatureSpec) -> FileBase:
        """Names the base that made features, wherever its file is by now.

        Raises:
            ValueError: The spec is not that of such a base.
        """
        Normalisation.parse(spec.preprocessing)
        return cls(spec.backbone, spec.backbone, made=spec)

    @property
    def preprocessing(self) -> str:
        """The normalisation in numbers."""
        return self.made.preprocessing if self.made else str(self._normalisation)

    @property
    def filter(self) -> str:
        """What its pictures are resized with."""
        return self._stated.filter if self.made is None else self.made.resize.partition("-")[0]

    @property
    def own_size(self) -> int:
        """The size that it was trained with."""
        return self._stated.size if self.made is None else self.made.image_size

    @cached_property
    def layer(self) -> str:
        """The last output that is a map or tokens, else the last vector."""
        if self.made is not None:
            return self.made.layer
        return _graph(self._file).at(self.own_size, self._normalisation.layout).default_cut()

    @property
    def remarks(self) -> tuple[str, ...]:
        """Says how its pictures are prepared, and who says so."""
        if self.stated is None:
            return ()
        return (f"{self.name}: pictures as {self.stated.origin} says: {self.stated}",)

    def check_size(self, image_size: int) -> None:
        """Refuses a size that the graph does not take."""
        if image_size < self.min_size:
            raise UsageError(f"--image-size {image_size} is too small for {self.name}: it needs at least 1")
        if self.path is None:
            return
        size = self._input.size
        if size not in (0, image_size):
            raise UsageError(f"--image-size {image_size}: {self.name} takes pictures of {size} pixels only")

    def geometry(self, image_size: int) -> Geometry:
        """Returns which part of a picture it is shown."""
        if self.made is not None:
            return Geometry.parse(self.made.geometry)
        return self._stated.geometry_at(image_size)

    def cuts(self, image_size: int) -> list[tuple[str, tuple[int, ...]]]:
        """Lists where it can be cut."""
        self.check_size(image_size)
        return _graph(self._file).at(image_size, self._normalisation.layout).cuts()

    def weights(self, choice: str, image_size: int, *, stat_cache: Path | None = None) -> Weights:
        """Returns the filters in the file, whose identity is that of the whole file and its external data.

        Raises:
            UsageError: Others are asked for, or the file cannot be read.
        """
        if self.path is None:
            raise UsageError(f"the file of backbone {self.name} is not known: give it as --backbone PATH")
        if choice not in ("imagenet", "auto", self.address, str(self.path)):
            raise UsageError(
                f"--weights {choice!r}: the filters of {self.name} are those in its file: leave --weights out"
            )
        return weights_in(self.path, stat_cache=stat_cache)

    def to_openvino(self, cuts: Sequence[Cut], weights: Weights, image_size: int) -> openvino.Model:
        """Reads the file, cuts it, prepares its pictures inside, and tries it on two."""
        if weights.path is None:
            raise AssertionError("the filters of a base in a file are in a file")
        graph = Graph(weights.path)
        normalisation = Normalisation.parse(self.preprocessing)
        network = graph.at(image_size, normalisation.layout).network(cuts, normalisation)
        _try_out(network, image_size, weights.path)
        return network

    @property
    def _stated(self) -> Preprocessing:
        if self.stated is None:
            raise AssertionError("features say how pictures are prepared")
        return self.stated

    @property
    def _file(self) -> Path:
        if self.path is None:
            raise UsageError(f"the file of backbone {self.name} is not known: give it as --backbone PATH")
        return self.path

    @cached_property
    def _input(self) -> Input:
        return _graph(self._file).input

    @cached_property
    def _normalisation(self) -> Normalisation:
        stated, shown = self._stated, self._input
        layout = shown.layout or stated.layout or _LAYOUT_OF.get(self._file.suffix.lower(), "")
        if not layout:
            raise refusal(
                self._file,
                'its graph does not show where the colours are: add layout = "nchw", or "nhwc", to '
                f"{stated.origin}",
            )
        return stated.normalisation(layout)

    def _refuse_contradictions(self) -> None:
        """Refuses a preprocessing that the graph contradicts."""
        stated, shown, origin = self._stated, self._input, self._stated.origin
        done = self._normalisation
        if shown.size not in (0, stated.size):
            raise refusal(
                self._file,
                f"it takes pictures of {shown.size} pixels, and {origin} says {stated.size}: mend it",
            )
        if shown.layout and stated.layout not in ("", shown.layout):
            raise refusal(
                self._file, f"its axes are {shown.layout}, and {origin} says {stated.layout}: mend it"
            )
        if shown.whole and not done.changes_nothing:
            raise refusal(
                self._file,
                f"it takes whole numbers from 0 to 255, and {origin} scales them: mend it",
            )


def _graph(path: Path) -> Graph:
    """Opens a graph, or takes the one that was opened last."""
    status = path.stat()
    return _opened(path, status.st_mtime_ns, status.st_size)


@lru_cache(maxsize=1)
def _opened(path: Path, changed: int, size: int) -> Graph:
    return Graph(path)


def _try_out(network: openvino.Model, image_size: int, path: Path) -> None:
    """Shows a network two pictures, and each alone.

    Raises:
        UsageError: Its numbers are not finite, or those of a picture depend on the one beside it: many graphs
            have the number of pictures that they were exported with built into them.
    """
    openvino = import_openvino()
    images = np.random.default_rng(0).integers(0, 256, (2, image_size, image_size, 3), np.uint8)
    try:
        compiled = openvino.Core().compile_model(network, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
        both, first = (list(compiled(shown).values()) for shown in (images, images[:1]))
    except RuntimeError as error:
        raise refusal(path, f"OpenVINO cannot run it ({reason_in(error)})") from error
    for two, one in zip(both, first, strict=True):
        if not np.isfinite(two).all():
            raise refusal(path, "its features of an ordinary picture are not finite (NaN or infinite)")
        if len(two) != 2 or np.abs(two[:1] - one).max(initial=0) > _SAME * np.abs(one).max(initial=0):
            raise refusal(
                path,
                "its features of a picture depend on the one beside it: export it with an open batch axis",
            )
