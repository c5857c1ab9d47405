"""What a user asks of stage one, and the specs it comes to.

The fields of :class:`FeatureRequest` are the one list of what can be asked for: options of the command line,
fields of a recipe and filters for stored entries are made of it. A field whose name is that of a field of
``FeatureSpec`` means the same there.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Annotated

from pipeline.backbones.table import Cut, find_backbone
from pipeline.backbones.weights import Weights
from pipeline.errors import UsageError, unknown
from pipeline.extraction.augment import MAX_VIEWS, Augmentation
from pipeline.images.pixel_range import PixelRange
from pipeline.images.resizing import RESIZES
from pipeline.options import Flag
from pipeline.spec import RAW, FeatureSpec

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
        engine: What runs the base; ``auto`` = the fastest here, by measurement, or that of the entry which is
            there. Raw pixels have an engine of their own, whatever is asked for.
        resize: How pictures are resized; ``auto`` = the quickest here, or as in the entry which is there.
        pixel_range: Black and white of pixels deeper than 8 bits, ``LOW..HIGH``; empty = to be found from all
            images of the set, which stage one does before anything is computed.
        views: Augmented views of each training image, beside the image itself.
        augmentation: How views are drawn.
        batch_size: Images in a forward pass; None = the fastest here, by measurement.
        remeasure: Measure anew, whatever was measured on this machine before.
    """

    backbone: Annotated[str, Flag(("--backbone",), "See `pipeline backbones`. [vgg16]")] = "vgg16"
    layers: Annotated[
        tuple[str, ...],
        Flag(("--layer", "--from-layer"), "Keras layer to cut at, or LAYER:POOLING. [the last]"),
    ] = ()
    pooling: Annotated[
        str, Flag(("--pooling",), "none, avg or max: global pooling after the cut. [none]")
    ] = "none"
    image_size: Annotated[int, Flag(("--image-size",), "Height and width in pixels. [150]", low=1)] = 150
    weights: Annotated[
        str,
        Flag(("--weights",), "imagenet, random[:SEED], auto, or a weights file. [imagenet]", path=True),
    ] = "imagenet"
    precision: Annotated[
        str, Flag(("--precision",), f"Arithmetic of the base: {', '.join(PRECISIONS)}. [auto]")
    ] = "auto"
    store: Annotated[str, Flag(("--store",), f"dtype on disk: {', '.join(STORES)}. [float16]")] = "float16"
    engine: Annotated[str, Flag(("--engine",), f"What runs the base: {', '.join(ENGINES)}. [auto]")] = "auto"
    resize: Annotated[
        str, Flag(("--resize",), f"How pictures are resized: auto, {', '.join(RESIZES)}. [auto]")
    ] = "auto"
    pixel_range: Annotated[
        str,
        Flag(
            ("--pixel-range",),
            "Black and white of pixels deeper than 8 bits. [found from all images]",
            metavar="LOW..HIGH",
        ),
    ] = ""
    views: Annotated[
        int, Flag(("--views",), "Augmented views of each training image; 0 = the entry without. [0]")
    ] = 0
    augmentation: Augmentation = field(default_factory=Augmentation)
    batch_size: int | None = None
    remeasure: bool = False

    def __post_init__(self) -> None:
        row = find_backbone(self.backbone, self.image_size)
        if self.precision not in PRECISIONS:
            raise unknown("precision", self.precision, PRECISIONS)
        if self.store not in STORES:
            raise unknown("store", self.store, STORES)
        if self.engine not in ENGINES and (row.factory or self.engine != RAW):
            raise unknown("engine", self.engine, ENGINES)
        if self.resize not in ("auto", *RESIZES):
            raise unknown("resize", self.resize, ("auto", *RESIZES))
        if self.precision not in ("auto", *ARITHMETICS.get(self.engine, PRECISIONS)):
            raise unknown(
                f"precision of engine {self.engine}",
                self.precision,
                ["auto", *ARITHMETICS[self.engine]],
                next_step=f"Engines that have it: {', '.join(engines_with(self.precision))}",
            )
        if self.image_size > MOST_SIZE:
            raise UsageError(f"--image-size {self.image_size} is too large: choose {MOST_SIZE} at most")
        if self.batch_size is not None and self.batch_size < 1:
            raise UsageError(f"--batch-size {self.batch_size} is too small: give auto, or 1 or more")
        if not 0 <= self.views <= MAX_VIEWS:
            raise UsageError(f"--views {self.views} is out of bounds: choose from 0 to {MAX_VIEWS}")
        if not row.factory:
            object.__setattr__(self, "engine", RAW)
            if self.cuts != (Cut(row.layer),):
                raise UsageError(
                    f"{self.backbone} has no layers and no pooling: leave --layer and --pooling out"
                )
        if self.pixel_range:
            object.__setattr__(self, "pixel_range", str(PixelRange.parse(self.pixel_range)))
        if len(set(self.cuts)) < len(self.cuts):
            raise UsageError(f"--layer names a cut twice: {', '.join(self.layers)}")

    @property
    def cuts(self) -> tuple[Cut, ...]:
        """The cuts, or the base's own last layer where none was named."""
        named = self.layers or (find_backbone(self.backbone, self.image_size).layer,)
        return tuple(Cut.parse(name, pooling=self.pooling) for name in named)

    def specs(self, weights: Weights) -> list[FeatureSpec]:
        """Returns the identity of each cut's features; what is ``auto`` must be settled."""
        row = find_backbone(self.backbone, self.image_size)
        raw = self.engine == RAW
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
                resize=self.resize,
                engine=self.engine,
                augmentation=self.augmentation.to_json() if self.views else "",
                pixel_range=self.pixel_range,
            )
            for cut in self.cuts
        ]


def engines_with(precision: str) -> list[str]:
    """Lists the engines that have an arithmetic; all have some for ``auto``."""
    return [name for name, known in ARITHMETICS.items() if precision in ("auto", *known)]
