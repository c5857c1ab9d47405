"""Small networks as ONNX files, made on the spot: a convnet and a transformer."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

SIDE = 16
PATCH = 4
WIDTH = 8
OPSET = 17

MOMENTS = {"image_mean": [0.4, 0.5, 0.6], "image_std": [0.2, 0.25, 0.5]}
BIT = {
    "image_processor_type": "BitImageProcessor",
    "size": {"shortest_edge": 18},
    "crop_size": {"height": SIDE, "width": SIDE},
    "resample": 3,
    **MOMENTS,
}
"""A preprocessor_config.json for networks of this module."""
TOML = """
size = 16
resize = "bicubic"
crop = 0.875
channels = "rgb"
scale = "1/255"
mean = [0.4, 0.5, 0.6]
std = [0.2, 0.25, 0.5]
"""


def drawn(*shape: int, seed: int) -> np.ndarray:
    """Returns seeded filters, float32."""
    fan_in = int(np.prod(shape[1:])) if len(shape) == 4 else shape[0]
    return (np.random.default_rng(seed).standard_normal(shape) / np.sqrt(fan_in)).astype(np.float32)


def model(
    nodes: Sequence[onnx.NodeProto],
    filters: dict[str, np.ndarray],
    outputs: Mapping[str, Sequence[Any]],
    *,
    shape: Sequence[Any] = ("n", 3, SIDE, SIDE),
    kind: int = TensorProto.FLOAT,
    opset: int = OPSET,
    more_inputs: Sequence[onnx.ValueInfoProto] = (),
    domains: Sequence[str] = (),
) -> onnx.ModelProto:
    """Makes a model of its parts; its input is called ``pixels``."""
    graph = helper.make_graph(
        list(nodes),
        "network",
        [helper.make_tensor_value_info("pixels", kind, shape), *more_inputs],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in outputs.items()],
        [numpy_helper.from_array(value, name) for name, value in filters.items()],
    )
    operations = [helper.make_opsetid(domain, opset if not domain else 1) for domain in ("", *domains)]
    return helper.make_model(graph, opset_imports=operations, ir_version=9)


def convnet(*, side: int | str = SIDE, opset: int = OPSET) -> onnx.ModelProto:
    """A stem and a residual block: ``map`` (n, 8, side / 4, side / 4), and its mean, ``vector`` (n, 8)."""
    filters = {
        "stem.weight": drawn(WIDTH, 3, 3, 3, seed=1),
        "block.weight": drawn(WIDTH, WIDTH, 3, 3, seed=2),
    }
    stem = helper.make_node("Conv", ["pixels", "stem.weight"], ["stem"], strides=[4, 4], pads=[1, 1, 1, 1])
    block = helper.make_node("Conv", ["stem.relu", "block.weight"], ["block"], pads=[1, 1, 1, 1])
    nodes = [
        stem,
        helper.make_node("Relu", ["stem"], ["stem.relu"]),
        block,
        helper.make_node("Add", ["block", "stem.relu"], ["map"]),
        helper.make_node("GlobalAveragePool", ["map"], ["mean"]),
        helper.make_node("Flatten", ["mean"], ["vector"]),
    ]
    small = side // PATCH if isinstance(side, int) else "small"
    outputs = {"map": ("n", WIDTH, small, small), "vector": ("n", WIDTH)}
    return model(nodes, filters, outputs, shape=("n", 3, side, side), opset=opset)


def transformer(*, registers: int = 0, opset: int = OPSET) -> onnx.ModelProto:
    """A vision transformer of one layer: ``tokens`` (n, 1 + registers + 16, 8), the class token first."""
    patches = (SIDE // PATCH) ** 2
    count = 1 + registers + patches
    filters = {
        "patch.weight": drawn(WIDTH, 3, PATCH, PATCH, seed=3),
        "class": drawn(1, 1 + registers, WIDTH, seed=4),
        "positions": drawn(1, count, WIDTH, seed=5),
        "norm.scale": np.ones(WIDTH, np.float32),
        "norm.bias": np.zeros(WIDTH, np.float32),
        "first": drawn(WIDTH, WIDTH, seed=9),
        "half": np.array(WIDTH**-0.5, np.float32),
        "rows": np.array([0, WIDTH, -1], np.int64),
        "zero": np.array([0], np.int64),
        "one": np.array([1], np.int64),
        **{name: drawn(WIDTH, WIDTH, seed=6 + i) for i, name in enumerate(("query", "key", "value"))},
    }
    node = helper.make_node
    sides = [PATCH, PATCH]
    nodes = [
        node("Conv", ["pixels", "patch.weight"], ["patched"], strides=sides, kernel_shape=sides),
        node("Reshape", ["patched", "rows"], ["flat"]),
        node("Transpose", ["flat"], ["patches"], perm=[0, 2, 1]),
        node("Shape", ["pixels"], ["shape"]),
        node("Slice", ["shape", "zero", "one", "zero"], ["batch"]),
        node("Concat", ["batch", "one", "one"], ["many"], axis=0),
        node("Expand", ["class", "many"], ["classes"]),
        node("Concat", ["classes", "patches"], ["joined"], axis=1),
        node("Add", ["joined", "positions"], ["embedded"]),
        node("LayerNormalization", ["embedded", "norm.scale", "norm.bias"], ["normed"], axis=-1),
        *(node("MatMul", ["normed", name], [f"{name}s"]) for name in ("query", "key", "value")),
        node("Transpose", ["keys"], ["turned"], perm=[0, 2, 1]),
        node("MatMul", ["querys", "turned"], ["likeness"]),
        node("Mul", ["likeness", "half"], ["scaled"]),
        node("Softmax", ["scaled"], ["attention"], axis=-1),
        node("MatMul", ["attention", "values"], ["seen"]),
        node("Add", ["seen", "embedded"], ["layer.0"]),
        node("MatMul", ["layer.0", "first"], ["mixed"]),
        node("Add", ["mixed", "layer.0"], ["tokens"]),
    ]
    return model(nodes, filters, {"tokens": ("n", count, WIDTH)}, opset=opset)


def constant(value: float, shape: Sequence[int | str] = ("n", 3)) -> onnx.ModelProto:
    """A network whose features are filled with a number."""
    nodes = [
        helper.make_node("GlobalAveragePool", ["pixels"], ["mean"]),
        helper.make_node("Flatten", ["mean"], ["flat"]),
        helper.make_node("Mul", ["flat", "value"], ["vector"]),
    ]
    return model(nodes, {"value": np.full(3, value, np.float32)}, {"vector": shape})


def save(network: onnx.ModelProto, path: Path, *, config: dict[str, Any] | str | None = BIT) -> Path:
    """Writes a network, and what states its preprocessing: a preprocessor_config.json, or TOML as a text."""
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save_model(network, path)
    if isinstance(config, str):
        path.with_suffix(".toml").write_text(config)
    elif config is not None:
        (path.parent / "preprocessor_config.json").write_text(json.dumps(config))
    return path
