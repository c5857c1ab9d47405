"""One ``.keras`` file: Keras 3 on any of its backends, for whoever looks inside or builds on it."""

from __future__ import annotations

import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from pipeline.runtimes.keras import import_keras
from pipeline.serving.export._format import PHOTO, Answers, add_texts, read_texts, text_in_archive
from pipeline.serving.export._network import answers_by_name

if TYPE_CHECKING:
    import keras

SUFFIX = ".keras"
PACKAGES = ()
IMPORTS = ("keras",)
TEXT_IMPORTS = ("zipfile",)
OUTPUTS = ()


def write(network: keras.Model, path: Path, *, about: Mapping[str, str]) -> None:
    """Saves the network; the texts become members of the archive that such a file is."""
    network.save(path)
    add_texts(path, about)


def recognises(path: Path) -> bool:
    """Tells whether a file is an archive with the members of a Keras model."""
    if not path.is_file() or not zipfile.is_zipfile(path):
        return False
    with zipfile.ZipFile(path) as archive:
        return {"config.json", "model.weights.h5"} <= set(archive.namelist())


def read_about(path: Path) -> dict[str, str]:
    """Returns the texts inside."""
    return read_texts(path)


def open_answers(path: Path) -> Answers:
    """Loads the model as anybody would, without a class of this package."""
    network = import_keras().saving.load_model(path)
    return lambda images: {name: np.asarray(one) for name, one in answers_by_name(network, images).items()}


def call(path: Path, output: str) -> str:
    """Returns an expression that gives a tensor (1, k)."""
    return f"keras.saving.load_model({str(path)!r})(numpy.asarray({PHOTO})[None])"


def row(path: Path, output: str) -> str:
    """Returns an expression that gives a tensor (k,)."""
    return f"{call(path, output)}[0]"


def text(path: Path, name: str) -> str:
    """Returns an expression that reads a text of the archive."""
    return text_in_archive(path, name)
