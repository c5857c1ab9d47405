"""OpenVINO: runs any base converted; in int8 with the extra ``[int8]``."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from math import prod
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.errors import unknown
from pipeline.extraction.engines import BatchTooLargeError
from pipeline.extraction.engines._networks import kept_base, quantised_base
from pipeline.hardware import cores
from pipeline.runtimes.openvino import import_openvino

if TYPE_CHECKING:
    import openvino

    from pipeline.backbones.weights import Weights
    from pipeline.extraction.settle import SettledRequest

DEVICE = "CPU"
HINTS = {"float32": "f32", "bfloat16": "bf16", "int8": "f32"}
"""Arithmetic of the layers that are not quantised."""
LIVE_ACTIVATIONS = 3  # a layer's input, its output, and the scratch space of its convolution


class OpenVinoEngine:
    """Runs an OpenVINO model asynchronously: the host goes on while a batch is computed.

    Attributes:
        feature_shapes: Shape of one row per cut.
        bytes_per_image: Memory that one more image in a batch takes, roughly.
        ahead: Batches under way while another is fetched: one a stream.
    """

    def __init__(self, model: openvino.Model, outputs: Sequence[str], *, precision: str, store: str) -> None:
        """Compiles the forward pass for batches of any size.

        Args:
            model: From ``convert_base`` or ``quantised_base``.
            outputs: Names of its outputs, one per cut.
            precision: Arithmetic.
            store: dtype of the returned features, cast on the device.
        """
        openvino = import_openvino()
        stored = {"float16": "f16", "float32": "f32"}[store]
        cuts = [model.output(name).get_node().input_value(0) for name in outputs]
        chosen = openvino.Model(
            [openvino.opset13.convert(cut, stored) for cut in cuts], model.get_parameters()
        )
        settings = {
            "INFERENCE_PRECISION_HINT": HINTS[precision],
            # Each stream computes a batch of its own, so that none waits for another at every layer while
            # threads that decode take a core from it.
            "PERFORMANCE_HINT": "THROUGHPUT",
            "INFERENCE_NUM_THREADS": cores(),
            "ENABLE_CPU_PINNING": False,
        }
        self.feature_shapes = [_row_shape(output) for output in chosen.outputs]
        self.bytes_per_image = LIVE_ACTIVATIONS * _largest_activation(chosen)
        self._compiled = openvino.Core().compile_model(chosen, DEVICE, settings)
        self.ahead = self._compiled.get_property("OPTIMAL_NUMBER_OF_INFER_REQUESTS")
        self._idle: list[Any] = []

    def submit(self, images: np.ndarray) -> tuple[openvino.InferRequest, np.ndarray]:
        """Starts a batch, uint8 (n, size, size, 3), and returns at once; it must not change meanwhile."""
        request = self._idle.pop() if self._idle else self._compiled.create_infer_request()
        with _memory_errors():
            request.start_async({0: images}, share_inputs=True)
        return request, images

    def fetch(self, pending: tuple[openvino.InferRequest, np.ndarray]) -> list[np.ndarray]:
        """Waits for a batch and copies it, because the next one is written to the same place."""
        request, _ = pending
        with _memory_errors():
            request.wait()
            features = [output.data.copy() for output in request.output_tensors]
        self._idle.append(request)
        return features


def precisions() -> list[str]:
    """Lists the arithmetics that this machine can be expected to be fast in, float32 first.

    Only a user can say whether int8 is accurate enough, so it is not among them.

    Raises:
        UsageError: OpenVINO is not installed.
    """
    abilities = import_openvino().Core().get_property(DEVICE, "OPTIMIZATION_CAPABILITIES")
    return ["float32", "bfloat16"] if "BF16" in abilities else ["float32"]


def load(request: SettledRequest, weights: Weights) -> OpenVinoEngine:
    """Converts the base of a request, or reads the quantised network that was made of it.

    Raises:
        UsageError: OpenVINO is not installed, this machine lacks the arithmetic, a layer is unknown or no
            clean cut, or the weights do not fit.
        PipelineError: The quantised network must be made anew, and images that set its ranges are gone.
    """
    known = [*precisions(), "int8"]
    if request.precision not in known:
        raise unknown("precision on this machine", request.precision, ["auto", *known])
    model = (quantised_base if request.precision == "int8" else kept_base)(request, weights)
    return OpenVinoEngine(
        model, [str(cut) for cut in request.cuts], precision=request.precision, store=request.store
    )


@contextlib.contextmanager
def _memory_errors() -> Iterator[None]:
    """Translates OpenVINO's one kind of failure where it is a lack of memory."""
    try:
        yield
    except (MemoryError, RuntimeError) as error:
        if isinstance(error, MemoryError) or "alloc" in str(error):
            raise BatchTooLargeError from error
        raise


def _row_shape(output: openvino.Output) -> tuple[int, ...]:
    return tuple(extent.get_length() for extent in list(output.partial_shape)[1:])


def _largest_activation(model: openvino.Model) -> int:
    """Bytes of the largest layer output of one image, in float32."""
    shapes = [output.partial_shape for node in model.get_ops() for output in node.outputs()]
    batched = [shape for shape in shapes if shape.rank.is_static and len(shape) and shape[0].is_dynamic]
    return max(4 * prod(one.get_length() for one in list(shape)[1:] if one.is_static) for shape in batched)
