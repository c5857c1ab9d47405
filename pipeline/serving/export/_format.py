"""The seam of the formats: what a module of this folder has to offer, and how one is found."""

from __future__ import annotations

import importlib
import importlib.util
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Protocol, cast

import numpy as np

from pipeline import registry
from pipeline.errors import UsageError

if TYPE_CHECKING:
    import keras

    from pipeline.serving.export._joining import Front

Answers = Callable[[np.ndarray], Mapping[str, np.ndarray]]
"""Maps images, uint8 (n, size, size, 3), to outputs by name: ``probabilities`` or ``numbers``, float32
(n, k), and, where the model has it, ``familiarity``, float32 (n,)."""

PHOTO = "photo"
"""Name of the picture in :meth:`Format.call`: of the model's size, RGB."""

TEXTS = ("classes", "labels", "thresholds", "numbers", "about")
"""What a model can be given to keep, besides ``familiarity``."""


def add_texts(path: Path, texts: Mapping[str, str]) -> None:
    """Adds each text as ``<name>.json`` to the archive in a file, or appends an archive to the file."""
    with zipfile.ZipFile(path, "a") as archive:
        for name, text in texts.items():
            archive.writestr(f"{name}.json", text)


def read_texts(path: Path) -> dict[str, str]:
    """Reads what :func:`add_texts` added."""
    with zipfile.ZipFile(path) as archive:
        there = set(archive.namelist())
        return {name: archive.read(f"{name}.json").decode() for name in TEXTS if f"{name}.json" in there}


def text_in_archive(path: Path, name: str) -> str:
    """Returns an expression of Python that reads such a text, as bytes."""
    return f'zipfile.ZipFile({str(path)!r}).read("{name}.json")'


class Format(Protocol):
    """A module that writes networks in one format, and runs them as its users will.

    Attributes:
        SUFFIX: How the name of its files ends; empty where it writes a folder.
        PACKAGES: What has to be installed besides TensorFlow and Keras.
        IMPORTS: What the example has to import.
        TEXT_IMPORTS: What :meth:`text` takes besides.
        OUTPUTS: What its models can give behind the answers, where the head has what it takes.
    """

    SUFFIX: str
    PACKAGES: tuple[str, ...]
    IMPORTS: tuple[str, ...]
    TEXT_IMPORTS: tuple[str, ...]
    OUTPUTS: tuple[str, ...]

    def write(self, network: keras.Model, path: Path, *, about: Mapping[str, str]) -> None:
        """Writes a network.

        Args:
            network: From ``images`` to the answers, and some of ``OUTPUTS``, of Keras's own layers.
            path: Where to; nothing is there.
            about: JSON texts by name, to be kept inside: some of ``TEXTS``, and ``familiarity`` where the
                network gives it.

        Raises:
            OSError: It cannot be written there.
            UsageError: The format cannot hold this network.
        """
        ...

    def recognises(self, path: Path) -> bool:
        """Tells whether what stands there is of this format, and may be replaced by another."""
        ...

    def read_about(self, path: Path) -> dict[str, str]:
        """Returns the texts that :meth:`write` was given."""
        ...

    def open_answers(self, path: Path) -> Answers:
        """Loads a written model into the runtime of this format."""
        ...

    def call(self, path: Path, output: str) -> str:
        """Returns an expression of Python that answers for one image, ``photo``, by an output."""
        ...

    def row(self, path: Path, output: str) -> str:
        """Returns an expression of Python for the k numbers of that answer."""
        ...

    def text(self, path: Path, name: str) -> str:
        """Returns an expression of Python for a text that the model keeps."""
        ...


class JoiningFormat(Format, Protocol):
    """A format that can hold a base in a file before a head."""

    def write_above(self, front: Front, head: keras.Model, path: Path, *, about: Mapping[str, str]) -> None:
        """Writes a base and a head as one, see :meth:`Format.write`.

        Args:
            front: The base.
            head: From its features to the answers, and some of ``OUTPUTS``.
            path: Where to.
            about: Texts to be kept inside.
        """
        ...


JOINING = ("onnx",)
"""Formats that are a :class:`JoiningFormat`."""


def find_format(name: str) -> Format:
    """Returns the module of a format.

    Raises:
        UsageError: There is no such format, or it needs packages that are not installed.
    """
    package = importlib.import_module(__package__)
    module = cast("Format", registry.load(package, "format", name))
    missing = [needed for needed in module.PACKAGES if not _installed(needed)]
    if missing:
        raise UsageError(
            f"format {name!r} needs {', '.join(missing)}: pip install 'two-stage-pipeline[export]', "
            f"or choose {' or '.join(formats_without_packages())}"
        )
    return module


def formats_without_packages() -> list[str]:
    """Lists the formats that need nothing but what is always installed."""
    package = importlib.import_module(__package__)
    return [name for name in registry.names(package) if not registry.load(package, "format", name).PACKAGES]


def _installed(package: str) -> bool:
    return importlib.util.find_spec(package) is not None
