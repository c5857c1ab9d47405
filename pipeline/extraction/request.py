"""What a user asks of stage one, and the specs it comes to."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from itertools import zip_longest
from types import MappingProxyType
from typing import TYPE_CHECKING

from pipeline.backbones.table import Cut, find_backbone
from pipeline.backbones.weights import Weights
from pipeline.errors import UsageError, unknown
from pipeline.extraction.augment import MAX_VIEWS, Augmentation
from pipeline.images.pixel_range import PixelRange
from pipeline.spec import FeatureSpec

if TYPE_CHECKING:
    from pipeline.extraction.calibration import Calibration

ARITHMETICS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {"keras": ("float32", "bfloat16", "float16"), "openvino": ("float32", "bfloat16", "int8")}
)
"""What each engine can compute in; a machine may lack some of it."""
ENGINES = ("auto", *ARITHMETICS)
PRECISIONS = ("auto", "float32", "bfloat16", "float16", "int8")
STORES = ("float16", "float32")
MOST_SIZE = 32_768


@dataclass(frozen=True, kw_only=True)
class FeatureRequest:
    """The features a user wants, before anything is measured or loaded.

    Attributes:
        backbone: A row of the backbone table.
        layers: Keras layers to cut at, each ``layer`` or ``layer:pooling``; empty = the base's last.
        pooling: ``none``, ``avg`` or ``max`` for the layers that do not say.
        image_size: Height and width in pixels.
        weights: ``imagenet``, ``random[:seed]``, ``auto`` or a path.
        precision: Arithmetic of the forward pass; ``auto`` = the fastest here, by measurement, int8 excepted.
        store: dtype on disk, ``float16`` or ``float32``.
        batch_size: Images in a forward pass; None = the fastest here, by measurement.
        views: Augmented views of each training image, beside the image itself.
        augmentation: How views are drawn.
        base_engine: What runs the base; ``auto`` = the fastest here, by measurement.
        pixel_range: Black and white of pixels deeper than 8 bits, ``LOW..HIGH``; empty = to be found from all
            images of the set, which stage one does before anything is computed.
        calibrations: What determines the network of each cut in ``int8``; stage one settles it, never a user.
    """

    backbone: str = "vgg16"
    layers: tuple[str, ...] = ()
    pooling: str = "none"
    image_size: int = 150
    weights: str = "imagenet"
    precision: str = "auto"
    store: str = "float16"
    batch_size: int | None = None
    views: int = 0
    augmentation: Augmentation = field(default_factory=Augmentation)
    base_engine: str = "keras"
    pixel_range: str = ""
    calibrations: tuple[Calibration, ...] = ()

    def __post_init__(self) -> None:
        row = find_backbone(self.backbone, self.image_size)
        if self.precision not in PRECISIONS:
            raise unknown("precision", self.precision, PRECISIONS)
        if self.store not in STORES:
            raise unknown("store", self.store, STORES)
        if self.base_engine not in ENGINES:
            raise unknown("engine", self.base_engine, ENGINES)
        if self.precision not in ("auto", *ARITHMETICS.get(self.base_engine, PRECISIONS)):
            raise unknown(
                f"precision of engine {self.base_engine}",
                self.precision,
                ["auto", *ARITHMETICS[self.base_engine]],
                next_step=f"Engines that have it: {', '.join(engines_with(self.precision))}",
            )
        if self.image_size > MOST_SIZE:
            raise UsageError(f"--image-size {self.image_size} is too large: choose {MOST_SIZE} at most")
        if self.batch_size is not None and self.batch_size < 1:
            raise UsageError(f"--batch-size {self.batch_size} is too small: give auto, or 1 or more")
        if not 0 <= self.views <= MAX_VIEWS:
            raise UsageError(f"--views {self.views} is out of bounds: choose from 0 to {MAX_VIEWS}")
        if self.engine == "pixels" and self.cuts != (Cut(row.layer),):
            raise UsageError(f"{self.backbone} has no layers and no pooling: leave --layer and --pooling out")
        if self.pixel_range:
            object.__setattr__(self, "pixel_range", str(PixelRange.parse(self.pixel_range)))
        if len(set(self.cuts)) < len(self.cuts):
            raise UsageError(f"--layer names a cut twice: {', '.join(self.layers)}")

    @property
    def engine(self) -> str:
        """Name of the engine that runs the base."""
        return self.base_engine if find_backbone(self.backbone, self.image_size).factory else "pixels"

    @property
    def cuts(self) -> tuple[Cut, ...]:
        """The cuts, or the base's own last layer where none was named."""
        named = self.layers or (find_backbone(self.backbone, self.image_size).layer,)
        parts = (name.partition(":") for name in named)
        return tuple(Cut(layer, pooling or self.pooling) for layer, _, pooling in parts)

    def specs(self, weights: Weights) -> list[FeatureSpec]:
        """Returns the identity of each cut's features; the precision must be settled."""
        row = find_backbone(self.backbone, self.image_size)
        raw = self.engine == "pixels"
        return [
            FeatureSpec(
                backbone=self.backbone,
                weights=weights.identity,
                layer=cut.layer,
                pooling=cut.pooling,
                image_size=self.image_size,
                preprocessing=row.preprocessing,
                precision="none" if raw else self.precision,
                store="uint8" if raw else self.store,
                engine=self.engine,
                calibration=calibration.identity if calibration else "",
                augmentation=self.augmentation.to_json() if self.views else "",
                pixel_range=self.pixel_range,
            )
            for cut, calibration in zip_longest(self.cuts, self.calibrations)
        ]


def engines_with(precision: str) -> list[str]:
    """Lists the engines that have an arithmetic; all have some for ``auto``."""
    return [name for name, known in ARITHMETICS.items() if precision in ("auto", *known)]
