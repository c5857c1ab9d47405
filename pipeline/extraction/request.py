"""What a user asks of stage one, and the specs and weights it resolves to."""

from __future__ import annotations

from dataclasses import dataclass

from pipeline.errors import UsageError, unknown
from pipeline.extraction.backbones import Cut, find_backbone
from pipeline.extraction.weights import Weights, resolve_weights
from pipeline.spec import FeatureSpec

PRECISIONS = ("float32", "bfloat16", "float16")
STORES = ("float16", "float32")


@dataclass(frozen=True, kw_only=True)
class FeatureRequest:
    """The features a user wants, before anything is measured or loaded.

    Attributes:
        backbone: A row of the backbone table.
        layers: Keras layers to cut at, each ``layer`` or ``layer:pooling``; empty = the base's last.
        pooling: ``none``, ``avg`` or ``max`` for the layers that do not say.
        image_size: Height and width in pixels.
        weights: ``imagenet``, ``random[:seed]``, ``auto`` or a path.
        precision: Arithmetic of the forward pass.
        store: dtype on disk, ``float16`` or ``float32``.
        batch_size: Images in a forward pass.
    """

    backbone: str = "vgg16"
    layers: tuple[str, ...] = ()
    pooling: str = "none"
    image_size: int = 150
    weights: str = "imagenet"
    precision: str = "float32"
    store: str = "float16"
    batch_size: int = 32

    def __post_init__(self) -> None:
        row = find_backbone(self.backbone, self.image_size)
        if self.precision not in PRECISIONS:
            raise unknown("precision", self.precision, PRECISIONS)
        if self.store not in STORES:
            raise unknown("store", self.store, STORES)
        if self.batch_size < 1:
            raise UsageError(f"--batch-size {self.batch_size} is too small: give 1 or more")
        if self.engine == "pixels" and self.cuts != (Cut(row.layer),):
            raise UsageError(f"{self.backbone} has no layers and no pooling: leave --layer and --pooling out")
        if len(set(self.cuts)) < len(self.cuts):
            raise UsageError(f"--layer names a cut twice: {', '.join(self.layers)}")

    @property
    def engine(self) -> str:
        """Name of the engine that runs the base."""
        return "keras" if find_backbone(self.backbone, self.image_size).factory else "pixels"

    @property
    def cuts(self) -> tuple[Cut, ...]:
        """The cuts, or the base's own last layer where none was named."""
        named = self.layers or (find_backbone(self.backbone, self.image_size).layer,)
        parts = (name.partition(":") for name in named)
        return tuple(Cut(layer, pooling or self.pooling) for layer, _, pooling in parts)

    def resolve(self) -> tuple[list[FeatureSpec], Weights]:
        """Returns the identity of each cut's features and the weights they come from.

        Raises:
            UsageError: The weights cannot be had.
        """
        row = find_backbone(self.backbone, self.image_size)
        weights = resolve_weights(self.backbone, self.weights, self.image_size)
        raw = self.engine == "pixels"
        specs = [
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
            )
            for cut in self.cuts
        ]
        return specs, weights
