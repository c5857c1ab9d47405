"""The graph of a base that comes as a file: its input, the places where it can be cut, and its network."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pipeline.backbones.preprocessing import Normalisation
from pipeline.backbones.table import Cut
from pipeline.errors import UsageError, reason_of, unknown
from pipeline.guards.onnx import read_declarations
from pipeline.runtimes.openvino import import_openvino, reason_in

if TYPE_CHECKING:
    import openvino

ONNX, TFLITE = ".onnx", ".tflite"
SUFFIXES = (ONNX, TFLITE)
_TFLITE_MARK = slice(4, 8), b"TFL3"
_MOST_BYTES = 2**31
_MOST_VALUES = 2**28
"""Numbers in a tensor of one image: what is larger is an attack, or nothing that a machine can run."""
_FLOATS = ("f32", "f16", "bf16")
_COURSE = ("If", "Loop", "TensorIterator")
_SHAPE_ONLY = "ShapeOf"
_MOST_SHOWN = 12
MOST_PREFIX = 16
"""Most tokens of a transformer that stand before those of the patches."""


@dataclass(frozen=True)
class Input:
    """The one input of a graph.

    Attributes:
        layout: ``nchw`` or ``nhwc``; empty where the graph does not show it.
        size: Height and width in pixels; 0 = any.
        whole: Whether it takes whole numbers from 0 to 255.
    """

    layout: str
    size: int
    whole: bool = False


def check_file(path: Path) -> tuple[str, ...]:
    """Checks a file by its declarations, before anything of it is loaded.

    Returns:
        Names of the files beside it that hold filters.

    Raises:
        UsageError: It cannot be read, or is nothing that can be used.
    """
    try:
        if not path.is_file():
            raise ValueError("is no file")
        if path.suffix.lower() == ONNX:
            return tuple(sorted(read_declarations(path).external))
        with open(path, "rb") as file:
            head = file.read(8)
        where, mark = _TFLITE_MARK
        if head[where] != mark or path.stat().st_size >= _MOST_BYTES:
            raise ValueError("it is no TensorFlow Lite model")
        return ()
    except (OSError, ValueError) as error:
        raise refusal(path, reason_of(error)) from error


def refusal(path: Path, reason: str) -> UsageError:
    """Builds the error for a file that cannot be a base."""
    return UsageError(f"backbone {str(path)!r} cannot be used: {reason}")


class Graph:
    """A graph as OpenVINO reads it.

    Attributes:
        path: Its file.
        input: What it takes.
    """

    def __init__(self, path: Path) -> None:
        """Reads a file.

        Raises:
            UsageError: It cannot be used; the message says why.
        """
        openvino = import_openvino()
        check_file(path)
        self.path = path
        try:
            self._model = openvino.Core().read_model(path)
        except RuntimeError as error:
            raise refusal(path, f"OpenVINO cannot read it ({reason_in(error)})") from error
        for op in self._model.get_ops():
            if op.get_type_name() in _COURSE:
                raise refusal(path, "it branches or loops: export it with a fixed course, as by tracing")
        self.input = self._input()

    def _input(self) -> Input:
        inputs = self._model.inputs
        if len(inputs) != 1:
            names = ", ".join(sorted(_name(one) for one in inputs)[:_MOST_SHOWN])
            raise self._refusal(f"it has {len(inputs)} inputs ({names}), and one that is a picture is needed")
        shape, kind = inputs[0].partial_shape, inputs[0].element_type.get_type_name()
        said = f"its input {_name(inputs[0])!r} is {kind} {shape}"
        if shape.rank.is_dynamic or len(shape) != 4 or kind not in (*_FLOATS, "u8"):
            raise self._refusal(f"{said}, which is no picture: float32 (n, 3, height, width) is")
        extents = [one.get_length() if one.is_static else None for one in shape]
        layout = {(True, False): "nchw", (False, True): "nhwc"}.get((extents[1] == 3, extents[3] == 3), "")
        if not layout and None not in (extents[1], extents[3]):
            raise self._refusal(f"{said}, which has no three colours: (n, 3, height, width) has")
        sides = set(extents[1:3] if layout == "nhwc" else extents[2:])
        if len(sides - {None}) > 1:
            raise self._refusal(f"{said}, which is no square: export it for one")
        return Input(layout, max(one or 0 for one in sides), kind == "u8")

    def at(self, size: int, layout: str) -> SizedGraph:
        """Sets the input to any number of squares.

        Args:
            size: Height and width in pixels.
            layout: Order of the axes.

        Raises:
            UsageError: The graph does not take such.
        """
        sides = [3, size, size] if layout == "nchw" else [size, size, 3]
        model = self._model.clone()
        try:
            model.reshape({model.input(0): import_openvino().PartialShape([-1, *sides])})
        except RuntimeError as error:
            raise self._refusal(
                f"it does not take any number of pictures of {size} pixels ({reason_in(error)}): try another "
                "--image-size, or export it with an open batch axis"
            ) from error
        return SizedGraph(self.path, model, layout)

    def _refusal(self, reason: str) -> UsageError:
        return refusal(self.path, reason)


class SizedGraph:
    """A graph with an input of one size, any number of pictures at a time."""

    def __init__(self, path: Path, model: openvino.Model, layout: str) -> None:
        self._path, self._model, self._layout = path, model, layout
        self._named = dict(_named_outputs(model))
        self._outputs = [
            (_name(result.input_value(0), result.output(0)), result.input_value(0))
            for result in model.get_results()
        ]
        self._named |= dict(self._outputs)
        for output in self._named.values():
            extents = list(output.partial_shape)[1:] if output.partial_shape.rank.is_static else []
            if math.prod(one.get_length() for one in extents if one.is_static) > _MOST_VALUES:
                raise refusal(path, f"{_name(output)!r} is {output.partial_shape}, which no machine can hold")

    @classmethod
    def of_file(cls, path: Path, size: int, layout: str) -> SizedGraph:
        """Reads a file for squares of a size in pixels, its axes in an order."""
        return Graph(path).at(size, layout)

    def shape(self, layer: str) -> tuple[int, ...]:
        """Returns the shape of one image's features at a layer, before any pooling.

        Raises:
            UsageError: There is no such tensor, or it is nothing that can be cached.
        """
        return self._found(layer)[1]

    def default_cut(self) -> str:
        """Names the last output that is a map or a sequence of tokens, else the last that is a vector.

        Raises:
            UsageError: There is none.
        """
        shapes = [(name, self._shape(output)) for name, output in self._outputs]
        for ranks in ((2, 3), (1,)):
            for name, shape in reversed(shapes):
                if shape is not None and len(shape) in ranks:
                    return name
        said = ", ".join(f"{name} {output.partial_shape}" for name, output in self._outputs[:_MOST_SHOWN])
        raise refusal(
            self._path,
            f"none of its outputs is a map, tokens or a vector of a fixed shape, for any batch ({said}): "
            "export it so, or name a tensor with --layer",
        )

    def cuts(self) -> list[tuple[str, tuple[int, ...]]]:
        """Lists the places to cut at, in order: all that comes later depends on the tensor there alone.

        Returns:
            Names, each with the shape of one image's features: a map (h, w, c), tokens (n, d), a vector (d,).
            The outputs are always among them.
        """
        found: dict[str, tuple[int, ...]] = {}
        clean = set(_clean(self._model))
        ends = [name for name, _ in self._outputs]
        for name, output in self._named.items():
            shape = self._shape(output)
            if shape is not None and name not in ends and output.get_node().get_name() in clean:
                found[name] = shape
        for name, output in self._outputs:
            shape = self._shape(output)
            if shape is not None:
                found[name] = shape
        return list(found.items())

    def network(self, cuts: Sequence[Cut], normalisation: Normalisation) -> openvino.Model:
        """Builds the network from pixels to features.

        Args:
            cuts: What to return for each image.
            normalisation: What is done with pixels first.

        Returns:
            A model from uint8 (n, size, size, 3) RGB, n open, to one float32 output (n, *feature shape) per
            cut, each found by the cut's name.

        Raises:
            UsageError: There is no such tensor, or it is nothing that can be cached.
        """
        openvino = import_openvino()
        results = []
        for cut in cuts:
            result = openvino.opset13.result(self._features(cut))
            result.output(0).get_tensor().set_names({str(cut)})
            results.append(result)
        model = openvino.Model(results, self._model.get_parameters())
        shown = openvino.preprocess.PrePostProcessor(model)
        pixels = shown.input()
        pixels.tensor().set_element_type(openvino.Type.u8).set_layout(openvino.Layout("NHWC"))
        pixels.model().set_layout(openvino.Layout(normalisation.layout.upper()))
        steps = pixels.preprocess()
        if normalisation.channels == "bgr":
            steps.reverse_channels()
        if not normalisation.changes_nothing:
            steps.convert_element_type(openvino.Type.f32)
            # x * scale - mean over std, in one subtraction and one division.
            steps.mean([mean / normalisation.scale for mean in normalisation.mean])
            steps.scale([std / normalisation.scale for std in normalisation.std])
        try:
            return shown.build()
        except RuntimeError as error:
            raise refusal(self._path, f"OpenVINO cannot prepare its pictures ({reason_in(error)})") from error

    def _features(self, cut: Cut) -> openvino.Output:
        """Returns what a cut keeps, float32: maps channels last, tokens and vectors as they are; pooled."""
        ops = import_openvino().opset13
        output, shape = self._found(cut.layer)
        kept = ops.convert(output, "f32").output(0)
        if len(shape) == 3 and self._layout == "nchw":
            kept = ops.transpose(kept, np.array([0, 2, 3, 1])).output(0)
        return self._pooled(kept, shape, cut)

    def _found(self, layer: str) -> tuple[openvino.Output, tuple[int, ...]]:
        output = self._named.get(layer)
        if output is None:
            near = [name for name, _ in self.cuts()]
            raise unknown(
                f"layer of {self._path.name}",
                layer,
                near[-_MOST_SHOWN:],
                next_step=f"`pipeline backbones {self._path}` shows them with their shapes",
            )
        shape = self._shape(output)
        if shape is None:
            raise refusal(
                self._path,
                f"layer {layer!r} is {output.element_type.get_type_name()} {output.partial_shape}, "
                "which is no map, tokens or vector of a fixed shape, for any batch: choose another --layer",
            )
        return output, shape

    def _pooled(self, kept: openvino.Output, shape: tuple[int, ...], cut: Cut) -> openvino.Output:
        ops = import_openvino().opset13
        if cut.pooling == "none":
            return kept
        if len(shape) == 1:
            raise UsageError(f"{cut.layer} is a vector: there is nothing to pool, leave {cut.pooling} out")
        means = {"avg": ops.reduce_mean, "max": ops.reduce_max}
        if len(shape) == 3:
            if cut.pooling not in means:
                raise UsageError(f"{cut.layer} is a map and has no class token: choose avg, max or none")
            return means[cut.pooling](kept, np.array([1, 2]), False).output(0)
        before = prefix_tokens(cut, shape[0])
        if cut.pooling == "cls":
            return ops.gather(kept, np.array(0), np.array(1)).output(0)
        patches = ops.slice(kept, np.array([before]), np.array([shape[0]]), np.array([1]), np.array([1]))
        return means[cut.pooling](patches, np.array([1]), False).output(0)

    def _shape(self, output: openvino.Output) -> tuple[int, ...] | None:
        """Returns the shape of one image's features; None where that is no map, tokens or vector."""
        shape = output.partial_shape
        if shape.rank.is_dynamic or not 2 <= len(shape) <= 4 or shape[0].is_static:
            return None
        extents = list(shape)[1:]
        if any(one.is_dynamic for one in extents) or output.element_type.get_type_name() not in _FLOATS:
            return None
        rest = tuple(one.get_length() for one in extents)
        return (*rest[1:], rest[0]) if len(rest) == 3 and self._layout == "nchw" else rest


def prefix_tokens(cut: Cut, tokens: int) -> int:
    """Counts the tokens that stand before those of the patches, which fill a square.

    They are the class token and registers: 257 tokens are 16 x 16 patches and one more.

    Raises:
        UsageError: The pooling needs a class token, or patches, and there are none.
    """
    prefix = tokens - math.isqrt(tokens) ** 2
    if cut.pooling == "cls" and not prefix:
        raise UsageError(f"all {tokens} tokens of {cut.layer} are patches, none a class token: choose avg")
    if prefix > MOST_PREFIX:
        raise UsageError(f"the {tokens} tokens of {cut.layer} are no square of patches: choose none")
    return prefix


def _name(*outputs: openvino.Output) -> str:
    """Returns a name of a tensor: of those it has, the first in the order of the alphabet."""
    names = sorted(name for output in outputs for name in output.get_names())
    return names[0] if names else outputs[0].get_node().get_friendly_name()


def _named_outputs(model: openvino.Model) -> Iterator[tuple[str, openvino.Output]]:
    """Yields the tensors that depend on the input, by each of their names, in the order of computing."""
    dependent: set[str] = set()
    for op in model.get_ordered_ops():
        kind, inputs = op.get_type_name(), [one.get_source_output().get_node() for one in op.inputs()]
        if kind in ("Result", _SHAPE_ONLY):
            continue
        if kind != "Parameter" and not any(one.get_name() in dependent for one in inputs):
            continue
        dependent.add(op.get_name())
        if kind != "Parameter":
            for output in op.outputs():
                for name in sorted(output.get_names()):
                    yield name, output


def _clean(model: openvino.Model) -> Iterator[str]:
    """Yields the operations whose output alone determines all that comes later, by their own names."""
    ops = [op for op in model.get_ordered_ops() if op.get_type_name() != "Result"]
    order = {op.get_name(): position for position, op in enumerate(ops)}
    last_use = [0] * len(ops)
    dependent = {position for position, op in enumerate(ops) if op.get_type_name() == "Parameter"}
    for position, op in enumerate(ops):
        if op.get_type_name() == _SHAPE_ONLY:  # extents are the same for all pictures
            continue
        sources = [order[one.get_source_output().get_node().get_name()] for one in op.inputs()]
        if dependent & set(sources):
            dependent.add(position)
        for source in set(sources) & dependent:
            last_use[source] = max(last_use[source], position)
    reached = 0
    for position in sorted(dependent):
        if reached <= position and ops[position].get_type_name() != "Parameter":
            yield ops[position].get_name()
        reached = max(reached, last_use[position])
