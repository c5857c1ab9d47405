"""One ``.onnx`` file: ONNX Runtime and every other engine that reads ONNX, in any language."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipeline.errors import UsageError
from pipeline.serving.export._familiarity import FAMILIARITY
from pipeline.serving.export._format import PHOTO, Answers, formats_without_packages
from pipeline.serving.export._joining import Front, join, opset_for
from pipeline.serving.export._network import INPUT, constant_function, signature

if TYPE_CHECKING:
    import keras

SUFFIX = ".onnx"
PACKAGES = ("tf2onnx", "onnx", "onnxruntime")
IMPORTS = ("onnxruntime",)
TEXT_IMPORTS = ()
OUTPUTS = (FAMILIARITY,)

OPSET = 18
"""Of December 2022: read by ONNX Runtime 1.14 and later."""


def write(network: keras.Model, path: Path, *, about: Mapping[str, str]) -> None:
    """Converts the traced graph with tf2onnx; the texts become metadata properties.

    Raises:
        UsageError: ONNX has no operation for something in the base.
    """
    _save(_converted(network), path, about)


def write_above(front: Front, head: keras.Model, path: Path, *, about: Mapping[str, str]) -> None:
    """Writes a head and the base in a file that stands before it as one graph.

    Args:
        front: The base.
        head: From its features to the answers.
        path: Where to; nothing is there.
        about: As for :func:`write`.

    Raises:
        UsageError: ONNX cannot bring the two together.
    """
    _save(join(front, _converted(head, opset_for(front))), path, about)


def _save(model: Any, path: Path, about: Mapping[str, str]) -> None:
    import onnx

    try:
        onnx.checker.check_model(model)
    except onnx.checker.ValidationError as error:
        reason = str(error).partition("\n")[0]
        raise UsageError(
            f"this base cannot be written as ONNX ({reason}): choose --format "
            f"{' or '.join(formats_without_packages())}, or another --backbone"
        ) from error
    onnx.helper.set_model_props(model, dict(about))
    onnx.save_model(model, path)


def recognises(path: Path) -> bool:
    """Tells whether a file can be read as an ONNX model."""
    import onnx
    from google.protobuf.message import DecodeError

    try:
        model = onnx.load_model(path, load_external_data=False)
    except (OSError, DecodeError):
        return False
    return bool(model.graph.node)


def read_about(path: Path) -> dict[str, str]:
    """Returns the metadata properties."""
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return dict(session.get_modelmeta().custom_metadata_map)


def open_answers(path: Path) -> Answers:
    """Loads the file with ONNX Runtime."""
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return lambda images: dict(zip(names, session.run(names, {INPUT: images}), strict=True))


def call(path: Path, output: str) -> str:
    """Returns an expression that gives a list of one array (1, k)."""
    inputs = f'{{"{INPUT}": numpy.asarray({PHOTO})[None]}}'
    return f'onnxruntime.InferenceSession({str(path)!r}).run(["{output}"], {inputs})'


def row(path: Path, output: str) -> str:
    """Returns an expression that gives an array (k,)."""
    return f"{call(path, output)}[0][0]"


def text(path: Path, name: str) -> str:
    """Returns an expression that gives a metadata property."""
    return f'onnxruntime.InferenceSession({str(path)!r}).get_modelmeta().custom_metadata_map["{name}"]'


def _converted(network: keras.Model, opset: int = OPSET) -> Any:
    import tf2onnx

    # What it cannot convert it only logs, at length; the check of its result says so in a line.
    logging.getLogger("tf2onnx").setLevel(logging.CRITICAL)
    model, _ = tf2onnx.convert.from_function(
        constant_function(network), input_signature=signature(network), opset=opset
    )
    # TensorFlow sorts them by name, and whoever takes outputs by their place takes the first.
    outputs = sorted(model.graph.output, key=lambda output: network.output_names.index(output.name))
    del model.graph.output[:]
    model.graph.output.extend(outputs)
    for end in (model.graph.input[0], *model.graph.output):
        end.type.tensor_type.shape.dim[0].dim_param = "n"
    return model
