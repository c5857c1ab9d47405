"""Images in arrays: the source that ``.npz`` files and downloaded or built-in data sets become."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from pipeline.errors import UsageError
from pipeline.images import UNLABELLED, ImageItem, LeftOut
from pipeline.images.image_list import ImageList
from pipeline.images.listing import ImageListBuilder
from pipeline.images.sources._words import in_natural_order

_UNKNOWN = -2


@dataclass(frozen=True, eq=False)
class Part:
    """Some images of a source in one array.

    Attributes:
        name: Prefix of the ids: ``x_train`` gives ``x_train[17]``.
        images: (n, height, width) or (n, height, width, 1 | 3 | 4); uint8, uint16 or float.
        labels: int or text, (n,) or (n, 1); None = unlabelled.
        split: ``train``, ``val``, ``test``, or None where content decides.
    """

    name: str
    images: np.ndarray = field(repr=False)
    labels: np.ndarray | None = field(repr=False)
    split: str | None = None


@dataclass(frozen=True, eq=False)
class ArraySource:
    """An image source in memory; see :class:`pipeline.images.ImageSource`.

    Attributes:
        uri: Address it was opened with.
        name: Default name of the data set.
        classes: Class names; labels index into them.
        notes: Remarks for the user.
        parts: The arrays, with labels that index into the classes.
        whites: Pixel value of white in each part.
        listed: The images in order.
        left_out: What stands there and is not among the images.
    """

    uri: str
    name: str
    classes: tuple[str, ...]
    notes: tuple[str, ...]
    parts: dict[str, Part] = field(repr=False)
    whites: dict[str, float] = field(repr=False)
    listed: ImageList = field(repr=False)
    left_out: tuple[LeftOut, ...] = ()

    def items(self) -> Sequence[ImageItem]:
        """Returns all images, part by part."""
        return self.listed

    def read(self, item: ImageItem) -> np.ndarray:
        """Returns pixels as uint8 (height, width[, 1 | 3 | 4])."""
        name, position = item.id.removesuffix("]").rsplit("[", 1)
        pixels, white = self.parts[name].images[int(position)], self.whites[name]
        if pixels.dtype == np.uint8 and white == 255:
            return pixels
        return np.rint(pixels * (255 / white)).astype(np.uint8)


def array_source(
    uri: str,
    name: str,
    parts: Sequence[Part],
    *,
    classes: Sequence[str] | None = None,
    white: float | None = None,
    notes: Sequence[str] = (),
) -> ArraySource:
    """Checks arrays and makes a source of them.

    Args:
        uri: Canonical address, also the subject of error messages.
        name: Default name of the data set.
        parts: The arrays.
        classes: Class names that whole-number labels index into; None = the sorted labels themselves.
        white: Pixel value of white; None = by dtype.
        notes: Remarks for the user.

    Raises:
        UsageError: Shapes, dtypes, lengths, ranges or labels do not fit.
    """
    for part in parts:
        _check_shapes(uri, part)
    columns = [_label_column(uri, part) for part in parts]
    if classes is None:
        columns = [([str(label) for label in distinct], rows) for distinct, rows in columns]
        classes = in_natural_order({label for distinct, _ in columns for label in distinct} - {""})
    index = {"": UNLABELLED} | {name: i for i, name in enumerate(classes)}
    index |= {i: i for i in range(len(classes))}
    labelled = {}
    for part, (distinct, rows) in zip(parts, columns, strict=True):
        meaning = np.array([index.get(label, _UNKNOWN) for label in distinct], np.int32)
        labels = meaning[rows]
        if (meaning == _UNKNOWN).any():
            unknown = distinct[rows[np.argmax(labels == _UNKNOWN)]]
            raise UsageError(f"{uri}: label {unknown!r} of {part.name} is none of the {len(classes)} classes")
        labelled[part.name] = Part(part.name, part.images, labels, part.split)
    return ArraySource(
        uri=uri,
        name=name,
        classes=tuple(classes),
        notes=tuple(notes),
        parts=labelled,
        whites={part.name: white or _white(uri, part) for part in parts},
        listed=_listed(labelled.values()),
    )


def _listed(parts: Iterable[Part]) -> ImageList:
    builder = ImageListBuilder()
    for part in parts:
        for i, label in enumerate(part.labels):
            builder.add(f"{part.name}[{i}]", int(label), split=part.split)
    return builder.finish()


def _check_shapes(uri: str, part: Part) -> None:
    shape = part.images.shape
    if len(shape) not in (3, 4) or shape[3:] not in ((), (1,), (3,), (4,)) or 0 in shape:
        raise UsageError(f"{uri}: {part.name} has shape {shape}: expected (n, height, width[, 1 | 3 | 4])")
    if part.labels is None:
        return
    lengths = part.labels.shape
    if lengths not in ((shape[0],), (shape[0], 1)):
        raise UsageError(f"{uri}: {part.name} has {shape[0]:,} images, but its labels have shape {lengths}")


def _label_column(uri: str, part: Part) -> tuple[list[str | int], np.ndarray]:
    """Returns the different labels of a part, and which of them each image has.

    Returns:
        Texts (names) or numbers (positions), an empty text stands for none; and positions in it, int (n,).
    """
    if part.labels is None:
        return [""], np.zeros(len(part.images), np.intp)
    labels = part.labels.reshape(-1)
    if labels.dtype.kind == "S":
        labels = np.char.decode(labels, "utf-8", "replace")
    if labels.dtype.kind not in "iuU":
        raise UsageError(f"{uri}: labels of {part.name} are {labels.dtype}: expected whole numbers or text")
    distinct, rows = np.unique(labels, return_inverse=True)
    return ["" if label == UNLABELLED else label for label in distinct.tolist()], rows


def _white(uri: str, part: Part) -> float:
    """Returns the pixel value of white: 255 (uint8), 65535 (uint16) or 1 (floats within 0..1)."""
    dtype = part.images.dtype
    if dtype.kind == "u" and dtype.itemsize <= 2:
        return float(np.iinfo(dtype).max)
    if dtype.kind != "f":
        raise UsageError(f"{uri}: {part.name} is {dtype}: expected uint8, uint16, or floats within 0..1")
    low, high = part.images.min(), part.images.max()
    if not (low >= 0 and high <= 1):  # false for NaN, too
        raise UsageError(
            f"{uri}: {part.name} holds floats from {low:.6g} to {high:.6g}: expected 0..1; "
            "save the images as uint8 instead"
        )
    return 1.0
