"""What the arrays of an ``.npz`` file are, by their names: images, labels, names of classes."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from pipeline.errors import UsageError
from pipeline.images.sources._words import STATED_WORDS, on_one_line, some, stated_split

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


@dataclass(frozen=True)
class Pair:
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
class Named:
    """The arrays of a file by what they are.

    Attributes:
        pairs: Images with their labels, in the order of the file.
        classes: Name of the array that names the classes, if any.
        strangers: Names that mean nothing here.
        remarks: What was read under other names than expected.
    """

    pairs: tuple[Pair, ...]
    classes: str | None
    strangers: tuple[str, ...]
    remarks: tuple[str, ...]


def is_positional(names: Sequence[str]) -> bool:
    """Tells whether ``numpy.savez`` was given arrays without names."""
    return bool(names) and all(_POSITIONAL.fullmatch(name) for name in names)


def name_arrays(file: str, names: Sequence[str]) -> Named:
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
    pairs = [Pair(name, slots.get((False, split)), split) for (kind, split), name in slots.items() if kind]
    if not pairs:
        raise UsageError(f"{file} holds {some(sorted(strangers)) or 'no images'}: expected {EXPECTED}")
    _refuse_half(file, slots)
    _refuse_mixed(file, pairs)
    return Named(tuple(pairs), classes, tuple(sorted(strangers)), tuple(_remarks(pairs)))


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


def _refuse_mixed(file: str, pairs: Sequence[Pair]) -> None:
    whole = next((pair for pair in pairs if pair.split is None), None)
    part = next((pair for pair in pairs if pair.split is not None), None)
    if whole and part and whole.labels:
        raise UsageError(
            f"{file}: {on_one_line(whole.images)!r} has no split and {on_one_line(part.images)!r} has one: "
            "if one holds the other's images again, remove one of them; else name the split of both"
        )


def _remarks(pairs: Sequence[Pair]) -> list[str]:
    remarks = []
    for pair in pairs:
        if not all(_PLAIN.fullmatch(name) for name in (pair.images, pair.labels or "x")):
            names = on_one_line(f"{pair.images}, {pair.labels}" if pair.labels else pair.images)
            kinds = "images and labels" if pair.labels else "images"
            remarks.append(f"{names}: read as {kinds}{f' of {pair.split}' if pair.split else ''}")
    return remarks
