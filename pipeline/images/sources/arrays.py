"""A NumPy file: ``.npz`` with ``x_train, y_train, x_val, ...``, or ``x, y`` without splits."""

from __future__ import annotations

import os
import zipfile
from pathlib import Path

import numpy as np

from pipeline.errors import UsageError
from pipeline.images.source_options import SourceOptions
from pipeline.images.sources._arrays import ArraySource, Part, array_source
from pipeline.images.sources._files import existing
from pipeline.images.sources._words import printable, some

ADDRESS = "an .npz file (x_train, y_train, x_test, y_test, ...)"

OPTIONS: tuple[str, ...] = ()

_PARTS = {
    "x_train": ("y_train", "train"),
    "x_val": ("y_val", "val"),
    "x_test": ("y_test", "test"),
    "x": ("y", None),
    "images": ("labels", None),
}
_CLASSES = "classes"


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
    arrays, strangers = _load(file)
    parts = [
        Part(images, arrays[images], arrays.get(labels), split)
        for images, (labels, split) in _PARTS.items()
        if images in arrays
    ]
    if not parts:
        expected = "; ".join(f"{images}, {labels}" for images, (labels, _) in _PARTS.items())
        raise UsageError(f"{file} holds {some(strangers) or 'no images'}: expected {expected}")
    notes = [f"ignored arrays: {some(strangers)}"] if strangers else []
    notes += [f"{part.name} has no {_PARTS[part.name][0]}" for part in parts if part.labels is None]
    classes = [str(name) for name in arrays[_CLASSES].reshape(-1).tolist()] if _CLASSES in arrays else None
    return array_source(str(file), printable(file.stem), parts, classes=classes, notes=notes)


def _load(file: Path) -> tuple[dict[str, np.ndarray], list[str]]:
    """Reads the arrays with known names, and returns the names of all others, too.

    Raises:
        UsageError: It is no ``.npz`` file, is damaged, or holds Python objects.
    """
    if not zipfile.is_zipfile(file):
        raise UsageError(f"{file} is no .npz file: write plain arrays with numpy.savez")
    known = {_CLASSES, *_PARTS, *(labels for labels, _ in _PARTS.values())}
    try:
        # NumPy leaves a file that it opened itself open when it fails.
        with open(file, "rb") as stream, np.load(stream, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files if name in known}
            strangers = sorted(set(archive.files) - known)
    except Exception as error:  # zip, zlib and NumPy have a dozen ways of refusing a damaged file
        objects = "Object arrays" in str(error)
        trouble = "holds Python objects" if objects else f"cannot be read ({error})"
        raise UsageError(f"{file} {trouble}: write plain arrays with numpy.savez") from error
    if not all(isinstance(array, np.ndarray) for array in arrays.values()):
        raise UsageError(f"{file} is a zip file without arrays: write plain arrays with numpy.savez")
    return arrays, strangers
