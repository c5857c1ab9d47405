"""Writes the base for other libraries: as ONNX through tf2onnx, and its filters as arrays."""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from _serving import answers, say

from pipeline.backbones.loading import load_backbone
from pipeline.backbones.table import BACKBONES, Cut
from pipeline.backbones.weights import resolve_weights

OPSET = 18


def main() -> None:
    """Exports from the same Keras model that stage one runs, in float32, preprocessing included."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--backbone", required=True)
    parser.add_argument("--weights", required=True)
    parser.add_argument("--size", type=int, required=True)
    given = parser.parse_args()
    with answers() as stream:
        weights = resolve_weights(given.backbone, given.weights, given.size)
        cut = Cut(BACKBONES[given.backbone].layer)
        model = load_backbone(given.backbone, [cut], weights=weights, image_size=given.size)
        arrays = [np.asarray(variable) for variable in model.weights]
        np.savez(given.folder / "filters.npz", **{f"{n:03}": array for n, array in enumerate(arrays)})
        say(stream, note=export_onnx(model, given.folder / "base.onnx"))


def export_onnx(model: object, path: Path) -> str:
    """Converts a Keras model; returns why that failed, or an empty string."""
    import tensorflow as tf

    try:
        import tf2onnx

        signature = [tf.TensorSpec((None, *model.input_shape[1:]), tf.uint8, name="images")]
        forward = tf.function(lambda images: model(images, training=False), input_signature=signature)
        tf2onnx.convert.from_function(forward, signature, opset=OPSET, output_path=str(path))
    except ImportError as error:
        return f"not installed: {error}"
    except Exception as error:  # whatever a version of tf2onnx makes of a version of Keras is a result
        return f"tf2onnx cannot convert it: {type(error).__name__}"
    return ""


if __name__ == "__main__":
    main()
