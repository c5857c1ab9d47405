"""A NumPy file: ``.npz`` with ``x_train, y_train, x_val, ...``, or ``x, y`` without splits."""

from __future__ import annotations

import os
import zipfile
from collections import Counter
from pathlib import Path

import numpy as np

from pipeline.errors import UsageError
from pipeline.images import LeftOut
from pipeline.images.source_options import SourceOptions
from pipeline.images.sources._array_names import EXPECTED, Named, Pair, is_positional, name_arrays
from pipeline.images.sources._arrays import ArraySource, Part, array_source
from pipeline.images.sources._files import existing
from pipeline.images.sources._words import SHOWN, on_one_line, printable

ADDRESS = "an .npz file (x_train, y_train, x_test, y_test, ...)"

OPTIONS: tuple[str, ...] = ()

_PAIR = 2
_KINDS = ("images", "labels")
_IMAGE_AXES = 3


def claims(uri: str) -> bool:
    """Tells whether the address is an ``.npz`` file by its suffix."""
    return uri.lower().endswith(".npz") and not os.path.isdir(uri)


def open_uri(uri: str, options: SourceOptions) -> ArraySource:
    """Reads an ``.npz`` file into memory; nothing in it is ever run.

    ``classes``, if given, names the whole-number labels. Images without labels are unlabelled.

    Raises:
        UsageError: The file is missing, of another kind, or holds other arrays than these.
    """
    file = existing(uri)
    arrays, named = _load(file)
    parts = [
        Part(pair.images, arrays[pair.images], arrays[pair.labels] if pair.labels else None, pair.split)
        for pair in named.pairs
    ]
    notes = [f"{pair.images} has no labels" for pair in named.pairs if not pair.labels]
    notes += named.remarks
    others = tuple(map(on_one_line, named.strangers))
    left_out = [LeftOut("arrays of other names", len(others), others[:SHOWN])] if others else []
    classes = _texts(file, named.classes, arrays[named.classes]) if named.classes else None
    return array_source(
        str(file), printable(file.stem), parts, classes=classes, notes=notes, left_out=left_out
    )


def _load(file: Path) -> tuple[dict[str, np.ndarray], Named]:
    """Reads the arrays with known names.

    Raises:
        UsageError: It is no ``.npz`` file, is damaged, or holds Python objects, or names that do not fit.
    """
    if not zipfile.is_zipfile(file):
        raise UsageError(f"{file} is no .npz file: write plain arrays with numpy.savez")
    name = ""
    try:
        # NumPy leaves a file that it opened itself open when it fails.
        with open(file, "rb") as stream, np.load(stream, allow_pickle=False) as archive:
            names = archive.files
            if twice := [name for name, count in Counter(names).items() if count > 1]:
                raise UsageError(f"{file} holds {twice[0]!r} twice: keep one of them")
            if is_positional(names):
                return _by_position(file, {name: archive[name] for name in names[: _PAIR + 1]})
            named = name_arrays(str(file), names)
            wanted = [one for pair in named.pairs for one in (pair.images, pair.labels) if one]
            arrays = {}
            for name in [*wanted, *filter(None, [named.classes])]:
                arrays[name] = archive[name]
    except (UsageError, MemoryError):
        raise
    except Exception as error:  # zip, zlib and NumPy have a dozen ways of refusing a damaged file
        if "Object arrays" in str(error):
            raise UsageError(
                f"{file}: {name} holds Python objects: write plain arrays with numpy.savez, texts as "
                f"{name or 'y'}.astype(str)"
            ) from error
        raise UsageError(f"{file} cannot be read ({error}): write plain arrays with numpy.savez") from error
    if not all(isinstance(array, np.ndarray) for array in arrays.values()):
        raise UsageError(f"{file} is a zip file without arrays: write plain arrays with numpy.savez")
    return arrays, named


def _by_position(file: Path, arrays: dict[str, np.ndarray]) -> tuple[dict[str, np.ndarray], Named]:
    """Tells images from labels, where both were saved without a name, by their axes."""
    shapes = {name: array.shape for name, array in arrays.items() if isinstance(array, np.ndarray)}
    images = [name for name, shape in shapes.items() if len(shape) >= _IMAGE_AXES]
    labels = [name for name in shapes if name not in images]
    if len(images) != 1 or len(labels) > 1 or len(shapes) != len(arrays):
        listed = ", ".join(f"{name} {shape}" for name, shape in shapes.items())
        raise UsageError(f"{file} holds arrays without names, {listed}: expected {EXPECTED}")
    pair = Pair(images[0], labels[0] if labels else None, None)
    read = ", ".join(f"{name}: read as {kind}" for name, kind in zip(images + labels, _KINDS, strict=False))
    return arrays, Named((pair,), None, (), (read,))


def _texts(file: Path, name: str, names: np.ndarray) -> list[str]:
    """Returns the names of classes.

    Raises:
        UsageError: They are bytes of no known encoding.
    """
    try:
        return [one.decode() if isinstance(one, bytes) else str(one) for one in names.reshape(-1).tolist()]
    except UnicodeDecodeError as error:
        raise UsageError(
            f"{file}: {name} holds bytes that are not UTF-8 text ({error.reason}): save it as text"
        ) from error
