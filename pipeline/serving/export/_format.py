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
from pipeline.images.geometry import Geometry
from pipeline.images.pixel_range import PixelRange, number
from pipeline.spec import FeatureSpec

if TYPE_CHECKING:
    import keras

    from pipeline.serving.export._joining import Front

Answers = Callable[[np.ndarray], Mapping[str, np.ndarray]]
"""Maps images, uint8 (n, size, size, 3), to outputs by name: ``probabilities``, float32 (n, k), and, where
the model has it, ``familiarity``, float32 (n,)."""

PHOTO = "photo"
"""Name of the picture in :meth:`Format.call`: of the model's size, RGB."""


def add_texts(path: Path, texts: Mapping[str, str]) -> None:
    """Adds each text as ``<name>.json`` to the archive in a file, or appends an archive to the file."""
    with zipfile.ZipFile(path, "a") as archive:
        for name, text in texts.items():
            archive.writestr(f"{name}.json", text)


def read_texts(path: Path) -> dict[str, str]:
    """Reads what :func:`add_texts` added."""
    with zipfile.ZipFile(path) as archive:
        return {name: archive.read(f"{name}.json").decode() for name in ("classes", "about")}


class Format(Protocol):
    """A module that writes networks in one format, and runs them as its users will.

    Attributes:
        SUFFIX: How the name of its files ends; empty where it writes a folder.
        PACKAGES: What has to be installed besides TensorFlow and Keras.
        IMPORTS: What the example has to import.
        OUTPUTS: What its models can give, in this order: ``probabilities`` always, the others where the head
            has what they take.
    """

    SUFFIX: str
    PACKAGES: tuple[str, ...]
    IMPORTS: tuple[str, ...]
    OUTPUTS: tuple[str, ...]

    def write(self, network: keras.Model, path: Path, *, about: Mapping[str, str]) -> None:
        """Writes a network.

        Args:
            network: From ``images`` to some of ``OUTPUTS``, of Keras's own layers.
            path: Where to; nothing is there.
            about: JSON texts by name, to be kept inside: ``classes``, ``about``, and ``familiarity`` where
                the network gives it.

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

    def call(self, path: Path) -> str:
        """Returns an expression of Python that answers for one image, ``photo``."""
        ...


class JoiningFormat(Format, Protocol):
    """A format that can hold a base in a file before a head."""

    def write_above(self, front: Front, head: keras.Model, path: Path, *, about: Mapping[str, str]) -> None:
        """Writes a base and a head as one, see :meth:`Format.write`.

        Args:
            front: The base.
            head: From its features to some of ``OUTPUTS``.
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


def example(module: Format, path: Path, spec: FeatureSpec, pixel_range: PixelRange | None = None) -> str:
    """Returns three lines of Python that let a model answer for ``photo.jpg``, turned and resized as ours.

    Where the pixels of its set were deeper than 8 bits, for the grey ``photo.png``, read by their range.
    """
    imports = sorted({*module.IMPORTS, "numpy", "PIL.Image", "PIL.ImageOps"})
    size = f"({spec.image_size}, {spec.image_size})"
    filter = f"PIL.Image.{spec.resize.partition('-')[0].upper()}"
    picture = 'PIL.ImageOps.exif_transpose(PIL.Image.open("photo.jpg"))'
    if pixel_range is not None:
        picture = (
            'PIL.Image.fromarray(numpy.rint(numpy.interp(PIL.ImageOps.exif_transpose(PIL.Image.open("photo.png")),'
            f' [{number(pixel_range.low)}, {number(pixel_range.high)}], [0, 255])).astype("uint8"))'
        )
    return "\n".join(
        [
            f"import {', '.join(imports)}",
            f'{PHOTO} = {_squared(f"""{picture}.convert("RGB")""", size, filter, spec)}',
            f"print({module.call(path)})",
        ]
    )


def _squared(picture: str, size: str, filter: str, spec: FeatureSpec) -> str:
    """Returns an expression that makes a square of a picture, by the geometry of a spec."""
    geometry = Geometry.parse(spec.geometry)
    if not geometry.edge:
        return f"{picture}.resize({size}, {filter})"
    off = (geometry.edge - spec.image_size) / 2
    if geometry.keeps_ratio:
        return f"PIL.ImageOps.fit({picture}, {size}, {filter}, {off / geometry.edge!r})"
    edge, end = geometry.edge, spec.image_size + int(off)
    return f"{picture}.resize(({edge}, {edge}), {filter}).crop(({int(off)}, {int(off)}, {end}, {end}))"


def _installed(package: str) -> bool:
    return importlib.util.find_spec(package) is not None
