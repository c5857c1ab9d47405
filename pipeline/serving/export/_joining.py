"""A base in an ONNX file and a head, joined to one ONNX graph from pixels to probabilities."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from pipeline.backbones.finding import base_of
from pipeline.backbones.graph import ONNX, SizedGraph, prefix_tokens
from pipeline.backbones.preprocessing import Normalisation
from pipeline.backbones.table import Cut
from pipeline.backbones.weights import weights_of
from pipeline.cache.features import single_specs
from pipeline.errors import UsageError
from pipeline.guards.onnx import read_declarations
from pipeline.serving.export._network import INPUT, OPTION
from pipeline.spec import FeatureSpec

if TYPE_CHECKING:
    import onnx

OLDEST_OPSET = 13
NEWEST_OF_HEADS = 18
"""What tf2onnx writes at most."""
_MEANS = {"avg": "GlobalAveragePool", "max": "GlobalMaxPool"}


@dataclass(frozen=True)
class Front:
    """What stands before a head: a base in a file, to be cut.

    Attributes:
        path: The file.
        cuts: What the head is given, side by side.
        shapes: Shape of one image's features at each cut, before any pooling.
        normalisation: What is done with pixels first.
        image_size: Height and width in pixels.
    """

    path: Path
    cuts: tuple[Cut, ...]
    shapes: tuple[tuple[int, ...], ...]
    normalisation: Normalisation
    image_size: int


def front_of(spec: FeatureSpec, choice: str | None) -> Front | None:
    """Returns the base that made features, where that is a file.

    Args:
        spec: What the head was trained on.
        choice: The file, or None to find it.

    Raises:
        UsageError: It cannot be found, or is no ONNX file.
        CacheMismatchError: It is another file than that which made the features.
    """
    if not base_of(spec).in_file:
        return None
    path = weights_of(spec, choice, option=OPTION).path
    if path is None or path.suffix.lower() != ONNX:
        raise UsageError(
            f"heads on {spec.backbone} cannot be exported: a graph of TensorFlow Lite cannot be joined with "
            "that of a head. Take the base as .onnx where it is to be exported"
        )
    normalisation = Normalisation.parse(spec.preprocessing)
    cuts = tuple(Cut(one.layer, one.pooling) for one in single_specs(spec))
    sized = SizedGraph.of_file(path, spec.image_size, normalisation.layout)
    return Front(path, cuts, tuple(sized.shape(cut.layer) for cut in cuts), normalisation, spec.image_size)


def opset_for(front: Front) -> int:
    """Returns the version of ONNX's operations that a head is to be written in."""
    return min(max(read_declarations(front.path).opset, OLDEST_OPSET), NEWEST_OF_HEADS)


def join(front: Front, head: onnx.ModelProto) -> onnx.ModelProto:
    """Puts a head on its base.

    Args:
        front: The base.
        head: From the features of all cuts, float32, to probabilities, and to what else it may give.

    Returns:
        A model from ``images``, uint8 (n, size, size, 3), to the outputs of the head, of the same names.
    """
    import onnx

    base = onnx.load_model(front.path)
    opset = max(_opset(base), OLDEST_OPSET)
    base, head = (_in_opset(model, opset) for model in (base, head))
    outputs = [onnx.ValueInfoProto.FromString(one.SerializeToString()) for one in head.graph.output]
    head = onnx.compose.add_prefix(head, "head/")
    taken = {name for node in base.graph.node for name in (*node.input, *node.output)}
    prefix = "pipeline/"
    while any(name.startswith(prefix) for name in taken):
        prefix = f"_{prefix}"
    made = _Nodes(prefix)
    filters = {one.name for one in base.graph.initializer}
    (pixels,) = (one for one in base.graph.input if one.name not in filters)
    _prepare(made, front.normalisation, pixels)
    before = made.taken()
    features = _features(made, front)
    after = made.taken()
    kept = list(_needed(base.graph.node, [cut.layer for cut in front.cuts]))
    used = {name for node in kept for name in node.input}
    (entry,) = head.graph.input
    for node in head.graph.node:
        node.input[:] = [features if name == entry.name else name for name in node.input]
    ends = [
        onnx.helper.make_node("Identity", [inside.name], [outside.name])
        for inside, outside in zip(head.graph.output, outputs, strict=True)
    ]
    size = front.image_size
    graph = onnx.helper.make_graph(
        [*before, *kept, *after, *head.graph.node, *ends],
        "classifier",
        [onnx.helper.make_tensor_value_info(INPUT, onnx.TensorProto.UINT8, ["n", size, size, 3])],
        outputs,
        [
            *(one for one in base.graph.initializer if one.name in used),
            *made.constants,
            *head.graph.initializer,
        ],
    )
    others = {one.domain: one for one in head.opset_import if one.domain not in ("", "ai.onnx")}
    operations = [onnx.helper.make_opsetid("", opset), *others.values()]
    return onnx.helper.make_model(
        graph, opset_imports=operations, ir_version=max(base.ir_version, head.ir_version)
    )


class _Nodes:
    """Operations in the making, and the constants that they need."""

    def __init__(self, prefix: str) -> None:
        self._prefix, self._count = prefix, 0
        self._nodes: list[Any] = []
        self.constants: list[Any] = []

    def add(self, kind: str, *inputs: str | np.ndarray, output: str = "", **attributes: Any) -> str:
        """Adds an operation and returns the name of its output; arrays become constants."""
        import onnx

        names = [one if isinstance(one, str) else self._constant(one) for one in inputs]
        output = output or self._name()
        self._nodes.append(onnx.helper.make_node(kind, names, [output], **attributes))
        return output

    def taken(self) -> list[Any]:
        """Returns the operations since the last call."""
        nodes, self._nodes = self._nodes, []
        return nodes

    def _constant(self, value: np.ndarray) -> str:
        import onnx

        name = self._name()
        self.constants.append(onnx.numpy_helper.from_array(value, name))
        return name

    def _name(self) -> str:
        self._count += 1
        return f"{self._prefix}{self._count}"


def _prepare(made: _Nodes, normalisation: Normalisation, pixels: Any) -> None:
    """Makes the input of the base of ``images``."""
    import onnx

    kind = pixels.type.tensor_type.elem_type
    shown = INPUT
    if normalisation.channels == "bgr":
        shown = made.add("Gather", shown, np.array([2, 1, 0], np.int64), axis=3)
    if not normalisation.changes_nothing:
        shown = made.add("Cast", shown, to=onnx.TensorProto.FLOAT)
        mean, std = (np.array(one, np.float32) for one in (normalisation.mean, normalisation.std))
        scale = np.float32(normalisation.scale)
        shown = made.add("Div", made.add("Sub", shown, mean / scale), std / scale)
    if normalisation.layout == "nchw":
        shown = made.add("Transpose", shown, perm=[0, 3, 1, 2])
    made.add("Cast", shown, output=pixels.name, to=kind)


def _features(made: _Nodes, front: Front) -> str:
    """Makes of the tensors at the cuts what the head was trained on, as ``SizedGraph.network`` does."""
    import onnx

    parts = []
    for cut, shape in zip(front.cuts, front.shapes, strict=True):
        kept = made.add("Cast", cut.layer, to=onnx.TensorProto.FLOAT)
        parts.append(_pooled(made, kept, shape, cut, channels_first=front.normalisation.layout == "nchw"))
    if len(parts) == 1:
        return parts[0]
    return made.add("Concat", *(made.add("Flatten", part) for part in parts), axis=1)


def _pooled(made: _Nodes, kept: str, shape: tuple[int, ...], cut: Cut, *, channels_first: bool) -> str:
    if len(shape) == 3:
        if cut.pooling == "none":
            return made.add("Transpose", kept, perm=[0, 2, 3, 1]) if channels_first else kept
        first = kept if channels_first else made.add("Transpose", kept, perm=[0, 3, 1, 2])
        return made.add("Flatten", made.add(_MEANS[cut.pooling], first))
    if cut.pooling == "none" or len(shape) == 1:
        return kept
    if cut.pooling == "cls":
        return made.add("Gather", kept, np.array(0, np.int64), axis=1)
    begin, end, axis = (np.array([one], np.int64) for one in (prefix_tokens(cut, shape[0]), shape[0], 1))
    patches = made.add("Transpose", made.add("Slice", kept, begin, end, axis), perm=[0, 2, 1])
    return made.add("Flatten", made.add(_MEANS[cut.pooling], patches))


def _needed(nodes: Sequence[Any], tensors: Sequence[str]) -> Iterator[Any]:
    """Yields the operations that some tensors depend on, in their order."""
    wanted, kept = set(tensors), []
    for node in reversed(nodes):
        if wanted & set(node.output):
            wanted |= set(node.input)
            kept.append(node)
    yield from reversed(kept)


def _opset(model: Any) -> int:
    return next((one.version for one in model.opset_import if one.domain in ("", "ai.onnx")), 1)


def _in_opset(model: Any, opset: int) -> Any:
    """Returns a model with operations of a version.

    Raises:
        UsageError: ONNX cannot convert it.
    """
    import onnx

    if _opset(model) == opset:
        return model
    try:
        return onnx.version_converter.convert_version(model, opset)
    except Exception as error:  # the converter is native code with exceptions of its own
        reason = (str(error).splitlines() or [""])[0]
        raise UsageError(
            f"ONNX cannot bring base and head to one version of its operations, {opset} ({reason}): export "
            f"the base with opset {NEWEST_OF_HEADS} or less"
        ) from error
