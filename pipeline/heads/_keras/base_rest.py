"""The rest of a base above cached features, with the filters that made them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pipeline.backbones.finding import base_of, is_file_address
from pipeline.errors import UsageError
from pipeline.runtimes.keras import import_keras
from pipeline.spec import FeatureSpec

if TYPE_CHECKING:
    from pathlib import Path

    import keras

    from pipeline.backbones.weights import Weights


REST = "rest"


def in_inference(base: keras.Model) -> keras.Layer:
    """Wraps a base so that it never runs in training mode: batch norm keeps its statistics.

    ``base(inputs, training=False)`` does not do that inside a functional model: Keras 3.15 overrides the
    argument by that of the outer call (``keras.src.models.functional.operation_fn``).
    """
    import_keras()
    import keras

    class InInference(keras.layers.Layer):
        def __init__(self) -> None:
            super().__init__(name=REST)
            self.base = base

        def call(self, inputs: keras.KerasTensor) -> keras.KerasTensor:
            return self.base(inputs, training=False)

        def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
            return self.base.compute_output_shape(input_shape)

    return InInference()


@dataclass(frozen=True)
class BaseRest:
    """What has still to be computed to reach the end of a base.

    Attributes:
        spec: What determined the numbers of the features.
        backbone: The base to put on pixels; must be None or the same where the features come from one.
    """

    spec: FeatureSpec
    backbone: str | None = None

    def untrained(self) -> keras.Model:
        """Builds the layers without filters, to be filled from a trained head's own file."""
        return self._build(None)

    def pretrained(self, choice: str | None, file: Path | None = None) -> keras.Model:
        """Builds the layers with the filters that made the features, or with any chosen ones on pixels.

        Args:
            choice: A weights file, ``imagenet``, ``random:<seed>``, or None to find them by their identity.
            file: Where the filters of the features were read from, if that was a file of the user's.

        Raises:
            UsageError: They cannot be found, or there is nothing above the cut that could learn.
            CacheMismatchError: They are others than those that made the features.
        """
        from pipeline.backbones.table import find_backbone

        weights, spec = self._weights(choice, file), self.spec
        last = find_backbone(self._name, spec.image_size).layer
        rest = None if spec.layer == last else self._build(weights)
        if rest is None or not rest.trainable_variables:
            raise UsageError(
                f"nothing is left to train above {spec.layer} of {spec.backbone}: "
                "run `pipeline extract` with an earlier `--layer`, or choose another head, such as dense"
            )
        return rest

    def preprocessed(self, inputs: keras.KerasTensor) -> keras.KerasTensor:
        """Scales pixels as the base was trained; leaves features as they are."""
        from pipeline.backbones.loading import preprocess
        from pipeline.backbones.table import find_backbone

        if not self.spec.is_pixels:
            return inputs
        return preprocess(inputs, find_backbone(self._name, self.spec.image_size).preprocessing)

    @property
    def _name(self) -> str:
        own, given = self.spec.backbone, self.backbone
        for name, in_file in ((own, base_of(self.spec).in_file), (given, is_file_address(given or ""))):
            if in_file:
                raise UsageError(
                    f"{name} is no base of layers of Keras, so what lies above a cut of it cannot be "
                    "trained: choose another head, such as dense"
                )
        if not self.spec.is_pixels:
            if given in (None, own):
                return own
            raise UsageError(f"the features are those of {own}, not of {given}: leave `backbone` out")
        if given is None or given == own:
            raise UsageError(
                "on pixels the base has to be named, with its filters: for example "
                "`--set backbone=mobilenet_v2 --set weights=imagenet`"
            )
        return given

    def _build(self, weights: Weights | None) -> keras.Model:
        from pipeline.backbones.loading import upper_part

        layer = None if self.spec.is_pixels else self.spec.layer
        return upper_part(self._name, layer, image_size=self.spec.image_size, weights=weights)

    def _weights(self, choice: str | None, file: Path | None) -> Weights:
        from pipeline.backbones.table import find_backbone
        from pipeline.backbones.weights import resolve_weights, weights_of

        find_backbone(self._name, self.spec.image_size)  # refuses what the table does not have
        if self.spec.is_pixels:
            return resolve_weights(self._name, choice or "imagenet", self.spec.image_size)
        return weights_of(self.spec, choice, option="--set weights=PATH", file=file)
