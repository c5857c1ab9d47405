"""One ``.tflite`` file: LiteRT, once TensorFlow Lite, on phones and small boards."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from pipeline.runtimes.keras import native_stderr_held_back
from pipeline.serving.export._format import PHOTO, Answers, add_texts, read_texts, text_in_archive
from pipeline.serving.export._network import INPUT, constant_function

if TYPE_CHECKING:
    import keras

SUFFIX = ".tflite"
PACKAGES = ("ai_edge_litert",)
IMPORTS = ("ai_edge_litert.interpreter",)
TEXT_IMPORTS = ("zipfile",)
OUTPUTS = ()

MAGIC = b"TFL3"
"""Bytes 4 to 7 of such a file (``schema.fbs`` of TensorFlow Lite)."""


def write(network: keras.Model, path: Path, *, about: Mapping[str, str]) -> None:
    """Converts the traced graph; the texts become an archive after its end, as the format foresees.

    Source: "Adding metadata to LiteRT models", section on associated files.
    """
    import tensorflow as tf

    holder = tf.Module()
    holder.forward = constant_function(network)
    with native_stderr_held_back():
        converter = tf.lite.TFLiteConverter.from_concrete_functions(
            [holder.forward.get_concrete_function()], holder
        )
        path.write_bytes(converter.convert())
    add_texts(path, about)


def recognises(path: Path) -> bool:
    """Tells whether a file begins as LiteRT models do."""
    if not path.is_file():
        return False
    with path.open("rb") as file:
        return file.read(8)[4:] == MAGIC


def read_about(path: Path) -> dict[str, str]:
    """Returns the texts inside."""
    return read_texts(path)


def open_answers(path: Path) -> Answers:
    """Loads the file with LiteRT's own interpreter."""
    from ai_edge_litert.interpreter import Interpreter

    with native_stderr_held_back():  # which tells of the kernels that it chose
        interpreter = Interpreter(str(path))
        interpreter.allocate_tensors()
    run = interpreter.get_signature_runner()
    return lambda images: run(**{INPUT: images})


def call(path: Path, output: str) -> str:
    """Returns an expression that gives a dictionary with an array (1, k)."""
    runner = f"ai_edge_litert.interpreter.Interpreter({str(path)!r}).get_signature_runner()"
    return f"{runner}({INPUT}=numpy.asarray({PHOTO})[None])"


def row(path: Path, output: str) -> str:
    """Returns an expression that gives an array (k,)."""
    return f'{call(path, output)}["{output}"][0]'


def text(path: Path, name: str) -> str:
    """Returns an expression that reads a text of the archive after the end of the file."""
    return text_in_archive(path, name)
