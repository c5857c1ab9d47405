"""A NumPy file: ``.npz`` with ``x_train, y_train, x_val, ...``, or ``x, y`` without splits."""

from __future__ import annotations

import os
import re
import zipfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from pipeline.errors import UsageError
from pipeline.images.source import LeftOut
from pipeline.images.source_options import SourceOptions
from pipeline.images.sources._array_source import ArraySource, ImageArray, array_source
from pipeline.images.sources._files import existing
from pipeline.images.sources._words import SHOWN, STATED_WORDS, on_one_line, printable, some, stated_split
from pipeline.images.targets import checked_kind

ADDRESS = "an .npz file (x_train, y_train, x_test, y_test, ...)"
OPTIONS: tuple[str, ...] = ("target",)

EXPECTED = "x_train, y_train; x_val, y_val; x_test, y_test; or without splits x, y; images, labels"
"""The names that need no remark."""

CLASSES = ("classes", "class_names", "label_names")
"""Names of the array that names the classes."""

_IMAGES = ("x", "images", "image", "imgs", "data")
_LABELS = ("y", "labels", "label", "targets", "target")
_PLAIN = re.compile(r"[xy](_(train|val|test))?|images|labels")
_POSITIONAL = re.compile(r"arr_\d+")
_SPLIT = "|".join(sorted((word for words in STATED_WORDS.values() for word in words), key=len, reverse=True))
_KIND = "|".join((*_IMAGES, *_LABELS))
_NAME = re.compile(rf"(?:({_SPLIT})[_. -]?)?({_KIND})(?:[_. -]?({_SPLIT}))?", re.IGNORECASE)
_PAIR = 2
_KINDS = ("images", "labels")
_IMAGE_AXES = 3


@dataclass(frozen=True)
class ArrayPair:
    """Images and their labels.

    Attributes:
        images: Name of the array of images.
        labels: Name of the array of labels; None = there is none.
        split: The split that the names state.
    """

    images: str
    labels: str | None
    split: str | None


@dataclass(frozen=True)
class NamedArrays:
    """The arrays of a file by what they are.

    Attributes:
        pairs: Images with their labels, in the order of the file.
        classes: Name of the array that names the classes, if any.
        strangers: Names that mean nothing here.
        remarks: What was read under other names than expected.
    """

    pairs: tuple[ArrayPair, ...]
    classes: str | None
    strangers: tuple[str, ...]
    remarks: tuple[str, ...]


def is_positional(names: Sequence[str]) -> bool:
    """Tells whether ``numpy.savez`` was given arrays without names."""
    return bool(names) and all(_POSITIONAL.fullmatch(name) for name in names)


def name_arrays(file: str, names: Sequence[str]) -> NamedArrays:
    """Tells what arrays are by their names in any case, such as ``x_train``, ``train_images`` and ``X``.

    Args:
        file: For messages.
        names: The names of the arrays in the order of the file.

    Raises:
        UsageError: Two arrays could be the same, there are no images, labels without images, or labelled
            images with and without a split.
    """
    slots: dict[tuple[bool, str | None], str] = {}
    classes, strangers = None, []
    for name in names:
        if slot := _slot(name):
            if slot in slots:
                kind = "images" if slot[0] else "labels"
                _refuse_two(file, slots[slot], name, f"the {kind}{f' of {slot[1]}' if slot[1] else ''}")
            slots[slot] = name
        elif name.casefold() in CLASSES:
            if classes:
                _refuse_two(file, classes, name, "the names of the classes")
            classes = name
        else:
            strangers.append(name)
    pairs = [
        ArrayPair(name, slots.get((False, split)), split) for (kind, split), name in slots.items() if kind
    ]
    if not pairs:
        raise UsageError(f"{file} holds {some(sorted(strangers)) or 'no images'}: expected {EXPECTED}")
    _refuse_half(file, slots)
    _refuse_mixed(file, pairs)
    return NamedArrays(tuple(pairs), classes, tuple(sorted(strangers)), tuple(_remarks(pairs)))


def _slot(name: str) -> tuple[bool, str | None] | None:
    """Returns whether an array is images (else labels), and of which split; None where it is neither."""
    found = _NAME.fullmatch(name)
    if not found or (found[1] and found[3]):
        return None
    word = found[1] or found[3]
    return found[2].casefold() in _IMAGES, stated_split(word) if word else None


def _refuse_two(file: str, one: str, other: str, meaning: str) -> None:
    raise UsageError(
        f"{file}: {on_one_line(one)!r} and {on_one_line(other)!r} could both be {meaning}: keep one of them"
    )


def _refuse_half(file: str, slots: dict[tuple[bool, str | None], str]) -> None:
    for (images, split), name in slots.items():
        if not images and (True, split) not in slots:
            others = some([other for (kind, _), other in slots.items() if kind])
            raise UsageError(
                f"{file}: {on_one_line(name)!r} are labels without images beside {others}: "
                f"expected {EXPECTED}"
            )


def _refuse_mixed(file: str, pairs: Sequence[ArrayPair]) -> None:
    whole = next((pair for pair in pairs if pair.split is None), None)
    part = next((pair for pair in pairs if pair.split is not None), None)
    if whole and part and whole.labels:
        raise UsageError(
            f"{file}: {on_one_line(whole.images)!r} has no split and {on_one_line(part.images)!r} has one: "
            "if one holds the other's images again, remove one of them; else name the split of both"
        )


def _remarks(pairs: Sequence[ArrayPair]) -> list[str]:
    remarks = []
    for pair in pairs:
        if not all(_PLAIN.fullmatch(name) for name in (pair.images, pair.labels or "x")):
            names = on_one_line(f"{pair.images}, {pair.labels}" if pair.labels else pair.images)
            kinds = "images and labels" if pair.labels else "images"
            remarks.append(f"{names}: read as {kinds}{f' of {pair.split}' if pair.split else ''}")
    return remarks


def claims(uri: str) -> bool:
    """Tells whether the address is an ``.npz`` file by its suffix."""
    return uri.lower().endswith(".npz") and not os.path.isdir(uri)


def open_uri(uri: str, options: SourceOptions) -> ArraySource:
    """Reads an ``.npz`` file into memory; nothing in it is ever run.

    ``classes``, if given, names the whole-number labels, or the columns of labels and numbers. Images without
    labels are unlabelled.

    Raises:
        UsageError: The file is missing, of another kind, or holds other arrays than these.
    """
    file = existing(uri)
    arrays, named = _load(file)
    parts = [
        ImageArray(pair.images, arrays[pair.images], arrays[pair.labels] if pair.labels else None, pair.split)
        for pair in named.pairs
    ]
    notes = [f"{pair.images} has no labels" for pair in named.pairs if not pair.labels]
    notes += named.remarks
    others = tuple(map(on_one_line, named.strangers))
    left_out = [LeftOut("arrays of other names", len(others), others[:SHOWN])] if others else []
    classes = _texts(file, named.classes, arrays[named.classes]) if named.classes else None
    return array_source(
        str(file),
        printable(file.stem),
        parts,
        classes=classes,
        notes=notes,
        left_out=left_out,
        target=checked_kind(options.target),
    )


def _load(file: Path) -> tuple[dict[str, np.ndarray], NamedArrays]:
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


def _by_position(file: Path, arrays: dict[str, np.ndarray]) -> tuple[dict[str, np.ndarray], NamedArrays]:
    """Tells images from labels, where both were saved without a name, by their axes."""
    shapes = {name: array.shape for name, array in arrays.items() if isinstance(array, np.ndarray)}
    images = [name for name, shape in shapes.items() if len(shape) >= _IMAGE_AXES]
    labels = [name for name in shapes if name not in images]
    if len(images) != 1 or len(labels) > 1 or len(shapes) != len(arrays):
        listed = ", ".join(f"{name} {shape}" for name, shape in shapes.items())
        raise UsageError(f"{file} holds arrays without names, {listed}: expected {EXPECTED}")
    pair = ArrayPair(images[0], labels[0] if labels else None, None)
    read = ", ".join(f"{name}: read as {kind}" for name, kind in zip(images + labels, _KINDS, strict=False))
    return arrays, NamedArrays((pair,), None, (), (read,))


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
