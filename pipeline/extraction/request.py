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

from pipeline.backbones.base import Base
from pipeline.backbones.finding import find_base
from pipeline.backbones.table import Cut
from pipeline.backbones.weights import Weights
from pipeline.errors import UsageError, unknown
from pipeline.extraction.augment import MAX_VIEWS, Augmentation
from pipeline.images.pixel_range import PixelRange
from pipeline.images.resizing import ALL_RESIZES, resizes
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
        backbone: A row of the backbone table, or the path of an ``.onnx`` or ``.tflite`` file.
        layers: Where to cut, each ``layer`` or ``layer:pooling``; empty = the base's last.
        pooling: ``none``, ``avg``, ``max`` or ``cls`` for the layers that do not say.
        image_size: Height and width in pixels; 0 = the base's own, 150 for those of the table.
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
        base: What ``backbone`` names; found by it unless given.
    """

    backbone: Annotated[
        str,
        Flag(("--backbone",), "See `pipeline backbones`; or an .onnx or .tflite file.", "vgg16", path=True),
    ] = "vgg16"
    layers: Annotated[
        tuple[str, ...],
        Flag(("--layer", "--from-layer"), "Layer to cut at, or LAYER:POOLING.", "the last"),
    ] = ()
    pooling: Annotated[str, Flag(("--pooling",), "none, avg, max or cls: pooling after the cut.", "none")] = (
        "none"
    )
    image_size: Annotated[
        int, Flag(("--image-size",), "Height and width in pixels.", "the base's own, 150", low=1)
    ] = 0
    weights: Annotated[
        str,
        Flag(("--weights",), "imagenet, random[:SEED], auto, or a weights file.", "imagenet", path=True),
    ] = "imagenet"
    precision: Annotated[
        str, Flag(("--precision",), f"Arithmetic of the base: {', '.join(PRECISIONS)}.", "auto")
    ] = "auto"
    store: Annotated[str, Flag(("--store",), f"dtype on disk: {', '.join(STORES)}.", "float16")] = "float16"
    engine: Annotated[str, Flag(("--engine",), f"What runs the base: {', '.join(ENGINES)}.", "auto")] = "auto"
    resize: Annotated[
        str, Flag(("--resize",), f"How pictures are resized: auto, {', '.join(resizes('bilinear'))}.", "auto")
    ] = "auto"
    pixel_range: Annotated[
        str,
        Flag(
            ("--pixel-range",),
            "Black and white of pixels deeper than 8 bits.",
            "found from all images",
            metavar="LOW..HIGH",
        ),
    ] = ""
    views: Annotated[
        int, Flag(("--views",), "Augmented views of each training image; 0 = the entry without.", "0")
    ] = 0
    augmentation: Augmentation = field(default_factory=Augmentation)
    batch_size: int | None = None
    remeasure: bool = False
    base: Base = None  # type: ignore[assignment]  # settled below

    def __post_init__(self) -> None:
        if self.base is None or self.base.address != self.backbone:
            object.__setattr__(self, "base", find_base(self.backbone))
        base = self.base
        if self.image_size == 0:
            object.__setattr__(self, "image_size", base.own_size)
        if self.image_size > MOST_SIZE:
            raise UsageError(f"--image-size {self.image_size} is too large: choose {MOST_SIZE} at most")
        base.check_size(self.image_size)
        if self.precision not in PRECISIONS:
            raise unknown("precision", self.precision, PRECISIONS)
        if self.store not in STORES:
            raise unknown("store", self.store, STORES)
        if self.engine not in ENGINES and (RAW not in base.engines or self.engine != RAW):
            raise unknown("engine", self.engine, ENGINES)
        self._refuse_other_resizes()
        self._refuse_other_arithmetics()
        if self.batch_size is not None and self.batch_size < 1:
            raise UsageError(f"--batch-size {self.batch_size} is too small: give auto, or 1 or more")
        if not 0 <= self.views <= MAX_VIEWS:
            raise UsageError(f"--views {self.views} is out of bounds: choose from 0 to {MAX_VIEWS}")
        if RAW in base.engines:
            object.__setattr__(self, "engine", RAW)
            if self.cuts != (Cut(base.layer),):
                raise UsageError(
                    f"{self.backbone} has no layers and no pooling: leave --layer and --pooling out"
                )
        if self.pixel_range:
            object.__setattr__(self, "pixel_range", str(PixelRange.parse(self.pixel_range)))
        for cut in self.cuts:
            if cut.pooling not in base.poolings:
                raise unknown(f"pooling of {base.name}", cut.pooling, base.poolings)
        if len(set(self.cuts)) < len(self.cuts):
            raise UsageError(f"--layer names a cut twice: {', '.join(self.layers)}")

    def _refuse_other_resizes(self) -> None:
        known = ("auto", *resizes(self.base.filter))
        if self.resize not in ("auto", *ALL_RESIZES) or (self.resize not in known and not self.base.in_file):
            raise unknown("resize", self.resize, known)
        if self.resize not in known:
            raise UsageError(
                f"--resize {self.resize}: pictures for {self.base.name} are resized with the filter that it "
                f"was trained with: choose from {', '.join(known)}"
            )

    def _refuse_other_arithmetics(self) -> None:
        """Refuses engines that cannot run the base, and arithmetics that its engines do not have."""
        base = self.base
        if self.engine in ARITHMETICS and self.engine not in base.engines and RAW not in base.engines:
            raise UsageError(
                f"--engine {self.engine} cannot run {base.name}, which is no model of Keras: choose auto or "
                f"{' or '.join(base.engines)}"
            )
        if self.precision not in ("auto", *ARITHMETICS.get(self.engine, PRECISIONS)):
            raise unknown(
                f"precision of engine {self.engine}",
                self.precision,
                ["auto", *ARITHMETICS[self.engine]],
                next_step=f"Engines that have it: {', '.join(engines_with(self.precision, base))}",
            )
        if RAW not in base.engines and not engines_with(self.precision, base):
            known = dict.fromkeys(one for engine in base.engines for one in ARITHMETICS[engine])
            raise unknown(f"precision of {base.name}", self.precision, ["auto", *known])

    @property
    def cuts(self) -> tuple[Cut, ...]:
        """The cuts, or the base's own last layer where none was named."""
        named = self.layers or (self.base.layer,)
        return tuple(Cut.parse(name, pooling=self.pooling) for name in named)

    @property
    def geometry(self) -> str:
        """Which part of a picture the base is shown, as a spec has it."""
        return str(self.base.geometry(self.image_size))

    def specs(self, weights: Weights) -> list[FeatureSpec]:
        """Returns the identity of each cut's features; what is ``auto`` must be settled."""
        base, raw = self.base, self.engine == RAW
        return [
            FeatureSpec(
                backbone=base.name,
                weights=weights.identity,
                layer=cut.layer,
                pooling=cut.pooling,
                image_size=self.image_size,
                preprocessing=base.preprocessing,
                precision="none" if raw else self.precision,
                store="uint8" if raw else self.store,
                resize=self.resize,
                engine=self.engine,
                augmentation=self.augmentation.to_json() if self.views else "",
                pixel_range=self.pixel_range,
                geometry=self.geometry,
            )
            for cut in self.cuts
        ]


def engines_with(precision: str, base: Base | None = None) -> list[str]:
    """Lists the engines that have an arithmetic, and can run a base; all have some for ``auto``."""
    return [
        name
        for name, known in ARITHMETICS.items()
        if precision in ("auto", *known) and (base is None or name in base.engines)
    ]
