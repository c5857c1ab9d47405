"""A TensorFlow SavedModel folder: TensorFlow without Keras, TensorFlow Serving, Java, C++, Go."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.serving.export._format import PHOTO, Answers
from pipeline.serving.export._network import constant_function

if TYPE_CHECKING:
    import keras

SUFFIX = ""
PACKAGES = ()
IMPORTS = ("tensorflow",)
TEXT_IMPORTS = ("pathlib",)
OUTPUTS = ()

MODEL = "saved_model.pb"
EXTRA = "assets.extra"
"""Folder that the format leaves to its users."""


def write(network: keras.Model, path: Path, *, about: Mapping[str, str]) -> None:
    """Writes the traced graph with one signature, ``serving_default``, and the texts under ``assets.extra``.

    The filters are constants of the graph: TensorFlow folds batch normalisation into them, and loading a
    MobileNetV2 takes a fraction of the time that hundreds of variables took.
    """
    import tensorflow as tf

    holder = tf.Module()
    # As a function that may be traced anew it would be written twice.
    holder.serve = constant_function(network).get_concrete_function()
    try:
        tf.saved_model.save(holder, str(path), signatures=holder.serve)
    except tf.errors.OpError as error:
        raise OSError(error.message) from error
    (path / EXTRA).mkdir()
    for name, text in about.items():
        (path / EXTRA / f"{name}.json").write_text(text, encoding="utf-8")


def recognises(path: Path) -> bool:
    """Tells whether a folder holds a SavedModel, or nothing."""
    return path.is_dir() and ((path / MODEL).is_file() or not any(path.iterdir()))


def read_about(path: Path) -> dict[str, str]:
    """Returns the texts inside."""
    return {file.stem: file.read_text(encoding="utf-8") for file in (path / EXTRA).glob("*.json")}


def open_answers(path: Path) -> Answers:
    """Loads the folder with TensorFlow alone."""
    import tensorflow as tf

    loaded = tf.saved_model.load(str(path))
    return lambda images: {name: given.numpy() for name, given in loaded.serve(images).items()}


def call(path: Path, output: str) -> str:
    """Returns an expression that gives a tensor (1, k)."""
    return f'tensorflow.saved_model.load({str(path)!r}).serve(numpy.asarray({PHOTO})[None])["{output}"]'


def row(path: Path, output: str) -> str:
    """Returns an expression that gives a tensor (k,)."""
    return f"{call(path, output)}[0]"


def text(path: Path, name: str) -> str:
    """Returns an expression that reads a text of the folder."""
    return f'pathlib.Path({str(path / EXTRA / name) + ".json"!r}).read_text(encoding="utf-8")'
