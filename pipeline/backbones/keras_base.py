"""A base of Keras's table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.backbones import table
from pipeline.backbones.loading import describe_cuts, load_backbone
from pipeline.backbones.table import POOLINGS, Backbone, Cut, find_backbone
from pipeline.backbones.weights import Weights, resolve_weights
from pipeline.errors import UsageError
from pipeline.images.geometry import Geometry
from pipeline.runtimes.keras import import_keras
from pipeline.runtimes.openvino import import_openvino, reason_in
from pipeline.spec import RAW

if TYPE_CHECKING:
    import openvino
    import tensorflow as tf

OWN_SIZE = 150
ENGINES = ("keras", "openvino")


@dataclass(frozen=True)
class KerasBase:
    """A row of the table, or ``pixels``; see :class:`pipeline.backbones.base.Base`."""

    name: str
    own_size: int = OWN_SIZE
    filter: str = "bilinear"
    poolings: tuple[str, ...] = POOLINGS
    in_file: bool = False
    remarks: tuple[str, ...] = ()

    @property
    def row(self) -> Backbone:
        """The row itself, which does not travel to other processes."""
        return table.BACKBONES[self.name]

    @property
    def address(self) -> str:
        """Its name."""
        return self.name

    @property
    def preprocessing(self) -> str:
        """A word for it, see :class:`Backbone`."""
        return self.row.preprocessing

    @property
    def layer(self) -> str:
        """Its last layer."""
        return self.row.layer

    @property
    def min_size(self) -> int:
        """Smallest image size in pixels."""
        return self.row.min_size

    @property
    def engines(self) -> tuple[str, ...]:
        """Both engines, or none but its own for ``pixels``."""
        return ENGINES if self.row.factory else (RAW,)

    def check_size(self, image_size: int) -> None:
        """Refuses images that are too small."""
        find_backbone(self.name, image_size)

    def geometry(self, image_size: int) -> Geometry:
        """Returns that of the course material: the whole picture, squashed."""
        return Geometry()

    def cuts(self, image_size: int) -> list[tuple[str, tuple[int, ...]]]:
        """Lists its clean cuts."""
        return describe_cuts(self.name, image_size)

    def weights(self, choice: str, image_size: int, *, stat_cache: Path | None = None) -> Weights:
        """Finds its filters."""
        return resolve_weights(self.name, choice, image_size, stat_cache=stat_cache)

    def to_openvino(self, cuts: Sequence[Cut], weights: Weights, image_size: int) -> openvino.Model:
        """Loads it with Keras and converts its traced graph."""
        openvino = import_openvino()  # before TensorFlow, which takes seconds to load
        keras = import_keras()
        import tensorflow as tf

        base = load_backbone(self.name, cuts, weights=weights, image_size=image_size)

        def forward(images: tf.Tensor) -> dict[str, tf.Tensor]:
            outputs = keras.tree.flatten(base(images, training=False))
            return {str(cut): output for cut, output in zip(cuts, outputs, strict=True)}

        signature = tf.TensorSpec((None, *base.input_shape[1:]), tf.uint8, name="images")
        traced = tf.function(forward).get_concrete_function(signature)
        try:
            # Shared, filters would live in TensorFlow.
            return openvino.convert_model(traced, share_weights=False)
        except Exception as error:  # its frontends raise types of their own
            raise UsageError(
                f"OpenVINO cannot convert {self.name} ({reason_in(error)}): choose --engine keras"
            ) from error
