"""Images in arrays: the source that ``.npz`` files and downloaded or built-in data sets become."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from pipeline.errors import UsageError
from pipeline.images.image_list import ImageList, ImageListBuilder
from pipeline.images.source import ImageItem, LeftOut, ListedSource
from pipeline.images.sources._array_labels import ArrayLabels, understand_labels
from pipeline.images.sources._array_targets import ArrayTargets, mark_several, understand_targets
from pipeline.images.targets import CLASS, LABELS

_CHANNELS = (1, 3, 4)


@dataclass(frozen=True, eq=False)
class ImageArray:
    """Some images of a source in one array.

    Attributes:
        name: Prefix of the ids: ``x_train`` gives ``x_train[17]``.
        images: (n, height, width) or (n, height, width, 1 | 3 | 4), numbers of any type.
        labels: Whole numbers or text, (n,) or (n, 1), or one column a class, (n, k); of several labels, or of
            numbers, a column each. None = unlabelled.
        split: ``train``, ``val``, ``test``, or None where content decides.
    """

    name: str
    images: np.ndarray = field(repr=False)
    labels: np.ndarray | None = field(repr=False)
    split: str | None = None


@dataclass(frozen=True, eq=False, kw_only=True)
class ArraySource(ListedSource):
    """An image source in memory.

    Attributes:
        arrays: The images of each array, by its name.
        white: Pixel value of white where the source knows it; else uint8 is as it is, and the range of
            anything else is found from the whole set (``pipeline.images.pixel_range``).
    """

    arrays: dict[str, np.ndarray] = field(repr=False)
    white: float | None = field(repr=False)

    def read(self, item: ImageItem) -> np.ndarray:
        """Returns pixels, (height, width[, 1 | 3 | 4]), in the number type of the array."""
        name, position = item.id.removesuffix("]").rsplit("[", 1)
        pixels = self.arrays[name][int(position)]
        if self.white is None:
            return pixels
        return np.rint(pixels * (255 / self.white)).astype(np.uint8)


def array_source(
    uri: str,
    name: str,
    parts: Sequence[ImageArray],
    *,
    classes: Sequence[str] | None = None,
    white: float | None = None,
    notes: Sequence[str] = (),
    left_out: Sequence[LeftOut] = (),
    target: str = CLASS,
) -> ArraySource:
    """Checks arrays and makes a source of them.

    Args:
        uri: Canonical address, also the subject of error messages.
        name: Default name of the data set.
        parts: The arrays.
        classes: Class names that whole-number labels index into; None = the sorted labels themselves.
        white: Pixel value of white; None = 255 in uint8, and to be found for anything else.
        notes: Remarks for the user.
        left_out: What stands there and is not among the images.
        target: What labels stand for, see ``images/targets.py``; empty = classes, or several labels where a
            row marks several columns.

    Raises:
        UsageError: Shapes, dtypes, lengths, ranges or labels do not fit.
    """
    parts, remarks = _with_channels_last(uri, parts)
    labels = {part.name: part.labels for part in parts}
    lengths = {part.name: len(part.images) for part in parts}
    kind = target or (LABELS if mark_several(labels) else CLASS)
    understood: ArrayLabels | ArrayTargets
    if kind == CLASS:
        understood, table = understand_labels(uri, labels, lengths, classes), None
        classes = understood.classes
    else:
        understood = understand_targets(uri, labels, lengths, classes, kind)
        table = understood.table
        classes = table.names
    return ArraySource(
        uri=uri,
        name=name,
        classes=tuple(classes),
        targets=table,
        notes=(*notes, *remarks, *understood.remarks),
        arrays={part.name: part.images for part in parts},
        white=white,
        listed=_listed(parts, understood.labels),
        left_out=tuple(left_out),
    )


def _listed(parts: Sequence[ImageArray], labels: Sequence[np.ndarray]) -> ImageList:
    builder = ImageListBuilder()
    for part, of_part in zip(parts, labels, strict=True):
        for i, label in enumerate(of_part):
            builder.add(f"{part.name}[{i}]", int(label), split=part.split)
    return builder.finish()


def _with_channels_last(uri: str, parts: Iterable[ImageArray]) -> tuple[list[ImageArray], list[str]]:
    """Checks the shapes of images, and moves channels that stand first to the end.

    Returns:
        The parts, and a remark for each that was turned.
    """
    turned, remarks = [], []
    for part in parts:
        shape, dtype = part.images.shape, part.images.dtype
        if dtype.kind not in "uif":
            raise UsageError(f"{uri}: {part.name} is {dtype}: expected whole numbers or floats, e.g. uint8")
        if len(shape) == 4 and shape[1] in _CHANNELS and shape[3] not in _CHANNELS and 0 not in shape:
            part = replace(part, images=np.moveaxis(part.images, 1, -1))
            remarks.append(f"{part.name} has shape {shape}: read with the channels first")
        elif trouble := _shape_trouble(part):
            raise UsageError(
                f"{uri}: {part.name} has shape {shape}: expected (n, height, width[, 1 | 3 | 4]){trouble}"
            )
        turned.append(part)
    return turned, remarks


def _shape_trouble(part: ImageArray) -> str:
    """Returns what is wrong with the shape of images, as the end of a sentence; empty = nothing."""
    shape = part.images.shape
    count = 0 if part.labels is None else len(part.labels) if part.labels.ndim else 1
    if 0 in shape:
        return "; it is empty"
    if len(shape) == 2:
        return "; if these are flattened pixels, reshape them"
    if len(shape) == 3 and shape[2] in _CHANNELS:
        return "; if this is one image, write x[None]"
    if len(shape) == 4 and shape[3] not in _CHANNELS and shape[3] == count:
        return "; the images stand along the last axis: write numpy.moveaxis(x, -1, 0)"
    if len(shape) not in (3, 4) or shape[3:] not in ((), *((channels,) for channels in _CHANNELS)):
        return "; these are no pictures in grey, RGB or RGBA"
    return ""
