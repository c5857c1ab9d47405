"""What the labels of arrays mean: numbers, names, one column a class; and which of them mean none."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from pipeline.errors import UsageError
from pipeline.images.source import UNLABELLED
from pipeline.images.source_options import flag
from pipeline.images.sources._class_names import means_none, name_remarks, number_remarks, unlabelled_remark
from pipeline.images.sources._words import in_natural_order
from pipeline.images.targets import LABELS, NUMBER

_UNKNOWN = -2
_EXACT = 2**53  # from here on floats leave out whole numbers
_FEW = 5
_SHOWN = 40
_STRETCH = 4096
_NEAR = 1e-3  # how far probabilities may be from 1 in sum
_NOTHING = ""


class LabelColumn(NamedTuple):
    """The labels of one array.

    Attributes:
        distinct: The different ones: numbers, or names; an empty name where there is none.
        rows: Which of them each image has, int (n,).
        remark: How they were understood, where that needs saying.
        width: Columns, where there is one a class; else 0.
    """

    distinct: list[int | str]
    rows: np.ndarray
    remark: str = ""
    width: int = 0


class ArrayLabels(NamedTuple):
    """The labels of all arrays of a source.

    Attributes:
        classes: Names of the classes.
        labels: Positions in them for each array, int32 (n,); ``UNLABELLED`` where there is none.
        remarks: What needs saying.
    """

    classes: tuple[str, ...]
    labels: list[np.ndarray]
    remarks: list[str]


def understand_labels(
    uri: str, labels: dict[str, np.ndarray | None], lengths: dict[str, int], classes: Sequence[str] | None
) -> ArrayLabels:
    """Finds the classes of a source, and the label of every image.

    -1 among labels from 0 on means that there is none; it is a class where the others are 1, or -2 and less.

    Args:
        uri: Address of the source, for messages.
        labels: The labels of each array of images, by its name: whole numbers, truth values or text, (n,) or
            (n, 1); one column a class, (n, k); None = unlabelled.
        lengths: Images of each array.
        classes: Class names that whole-number labels index into; None = the labels themselves.

    Raises:
        UsageError: Labels are of another kind or length, or are no position in the classes.
    """
    if classes is not None:
        _check_classes(uri, classes)
    columns = {name: _column(uri, name, given, lengths[name]) for name, given in labels.items()}
    _check_widths(uri, {name: column.width for name, column in columns.items() if column.width}, classes)
    distinct = {label for column in columns.values() for label in column.distinct} - {_NOTHING}
    remarks = [column.remark for column in columns.values() if column.remark]
    none: set[int | str] = {
        label for label in distinct if isinstance(label, str) and means_none(label, distinct)
    }
    none |= _minus_one(uri, {label for label in distinct if isinstance(label, int)}, classes, remarks)
    none -= set(classes or ())
    named = classes is not None
    if classes is None:
        meant = distinct - none
        plain = all(isinstance(label, int) for label in meant)
        classes = [str(label) for label in sorted(meant)] if plain else in_natural_order({*map(str, meant)})
    index: dict[int | str, int] = {name: i for i, name in enumerate(classes)}
    if named:
        index |= {i: i for i in range(len(classes))}
    else:
        index |= {label: index[str(label)] for label in distinct - none}
    index |= dict.fromkeys((_NOTHING, *none), UNLABELLED)
    found = [_meaning(uri, name, column, index, classes) for name, column in columns.items()]
    without: Counter[str] = Counter()
    for (name, column), rows in zip(columns.items(), found, strict=True):
        if labels[name] is not None:
            without += _without_label(column, rows)
    remarks += unlabelled_remark(without) + name_remarks(classes)
    if not named:
        remarks += number_remarks(classes, sum(int(np.count_nonzero(rows >= 0)) for rows in found))
    return ArrayLabels(tuple(classes), found, remarks)


def _column(uri: str, name: str, labels: np.ndarray | None, length: int) -> LabelColumn:
    """Returns the different labels of an array, and which of them each image has."""
    if labels is None:
        return LabelColumn([_NOTHING], np.zeros(length, np.intp))
    if labels.shape not in ((length,), (length, 1), (1, length)):
        if labels.ndim == 2 and len(labels) == length and labels.dtype.kind in "biuf":
            return _of_columns(uri, name, labels)
        raise UsageError(f"{uri}: {name} has {length:,} images, but its labels have shape {labels.shape}")
    labels = labels.reshape(-1)
    kind = labels.dtype.kind
    if kind == "f":
        return _of_floats(uri, name, labels)
    if kind == "b":
        labels = labels.astype(np.uint8)
    elif kind == "S":
        labels = _decoded(uri, name, labels)
    elif kind not in "iuU":
        raise UsageError(f"{uri}: labels of {name} are {labels.dtype}: expected whole numbers or text")
    distinct, rows = np.unique(labels, return_inverse=True)
    if labels.dtype.kind == "U":
        _check_texts(f"{uri}: a label of {name}", distinct.tolist())
    return LabelColumn(distinct.tolist(), rows, _wrapped(name, distinct))


def _of_columns(uri: str, name: str, labels: np.ndarray) -> LabelColumn:
    """Reads labels of shape (n, k): one column a class, of which one is 1, or probabilities."""
    width = labels.shape[1]
    stretches = range(0, len(labels), _STRETCH)  # as floats, all of them may take eight times the memory
    parts = [_look_at(labels[start : start + _STRETCH].astype(np.float64)) for start in stretches]
    rows, most = (np.concatenate([part[i] for part in parts]) for i in (0, 1))
    marks, shares = (all(part[i] for part in parts) for i in (2, 3))
    several = np.flatnonzero(most > 1)
    if marks:
        if len(several):
            raise UsageError(
                f"{uri}: row {several[0]} of the labels of {name} marks {most[several[0]]} of {width} "
                f"classes: for several labels an image give {flag('target')} {LABELS}"
            )
        rows[most == 0] = width
        how = "one column a class"
    elif shares:
        if len(several):
            raise UsageError(
                f"{uri}: row {several[0]} of the labels of {name} has {most[several[0]]} greatest "
                "probabilities: give one class an image"
            )
        how = "probabilities, of which the greatest counts"
    else:
        raise UsageError(
            f"{uri}: {name} has {len(labels):,} images, but its labels have shape {labels.shape} and are "
            "neither one column a class nor probabilities: give one whole number or name an image, or "
            f"{flag('target')} {NUMBER} for quantities to be estimated"
        )
    remark = f"labels of {name} are {how}: {width} classes"
    return LabelColumn([*range(width), _NOTHING], rows, remark, width)


def _look_at(values: np.ndarray) -> tuple[np.ndarray, np.ndarray, bool, bool]:
    """Looks at some rows of labels with one column a class, float64 (m, k).

    Returns:
        The column of the greatest value, int (m,); how many columns have it, 0 where all are 0, int (m,);
        whether all values are 0 or 1; whether all rows are probabilities.
    """
    greatest = values.max(axis=1, keepdims=True)
    most = np.isclose(values, greatest, rtol=0, atol=1e-9).sum(axis=1) * (greatest[:, 0] != 0)
    shares = (values >= 0).all() and (np.abs(values.sum(axis=1) - 1) < _NEAR).all()
    return values.argmax(axis=1), most, bool(np.isin(values, (0, 1)).all()), bool(shares)


def _of_floats(uri: str, name: str, labels: np.ndarray) -> LabelColumn:
    """Reads floats that are whole numbers, or NaN where there is no label."""
    dtype, labels = labels.dtype, labels.astype(np.float64)
    missing = np.isnan(labels)
    known = labels[~missing]
    odd = known[~((np.abs(known) < _EXACT) & (known == np.rint(known)))]
    if len(odd):
        raise UsageError(
            f"{uri}: labels of {name} are {dtype} and hold {odd[0]:.6g}: expected whole numbers or "
            f"text; for quantities to be estimated give {flag('target')} {NUMBER}"
        )
    distinct, positions = np.unique(known.astype(np.int64), return_inverse=True)
    rows = np.full(len(labels), len(distinct), np.intp)
    rows[~missing] = positions
    return LabelColumn([*distinct.tolist(), "NaN"][: len(distinct) + missing.any()], rows)


def _decoded(uri: str, name: str, labels: np.ndarray) -> np.ndarray:
    try:
        return np.char.decode(labels, "utf-8")
    except UnicodeDecodeError as error:
        raise UsageError(
            f"{uri}: labels of {name} are bytes and not UTF-8 text ({error.reason}): save them as text"
        ) from error


def _check_classes(uri: str, classes: Sequence[str]) -> None:
    _check_texts(f"{uri}: a name of the classes", classes)
    twice = [name for name, count in Counter(classes).items() if count > 1]
    if twice or "" in classes:
        trouble = f"{twice[0]!r} {classes.count(twice[0])} times" if twice else "an empty name"
        raise UsageError(
            f"{uri}: the names of the classes hold {trouble}: give one name for each label from 0 on"
        )


def _check_widths(uri: str, widths: dict[str, int], classes: Sequence[str] | None) -> None:
    """Refuses labels with one column a class that have other numbers of classes."""
    if classes is not None:
        widths = {"the names of the classes": len(classes), **widths} if widths else {}
    if len({*widths.values()}) > 1:
        listed = ", ".join(f"{width} in {name}" for name, width in widths.items())
        raise UsageError(f"{uri}: the numbers of classes differ: {listed}")


def _check_texts(subject: str, texts: Sequence[str]) -> None:
    """Refuses what no feature file can hold."""
    for text in texts:
        if "\0" in text or any("\ud800" <= letter <= "\udfff" for letter in text):
            raise UsageError(f"{subject} is not valid text: {text[:_SHOWN]!r}")


def _minus_one(uri: str, numbers: set[int], classes: Sequence[str] | None, remarks: list[str]) -> set[int]:
    """Tells whether -1 means that there is no label, and says so where it does not.

    Returns:
        -1 if it does, else nothing.
    """
    others = numbers - {-1}
    if -1 not in numbers or not (others == {1} or min(others, default=0) < -1):
        return numbers & {-1}
    if classes is not None:
        raise UsageError(
            f"{uri}: the labels {', '.join(map(str, sorted(numbers)[:_FEW]))} are no positions in the "
            f"{len(classes)} names of classes, which count from 0"
        )
    remarks.append(f"-1 is a class, beside {', '.join(map(str, sorted(others)[:_FEW]))}")
    return set()


def _meaning(
    uri: str, name: str, column: LabelColumn, index: dict[int | str, int], classes: Sequence[str]
) -> np.ndarray:
    """Returns the position of each image's class."""
    meaning = np.array([index.get(label, _UNKNOWN) for label in column.distinct], np.int32)
    labels = meaning[column.rows]
    if (labels == _UNKNOWN).any():
        unknown = column.distinct[column.rows[np.argmax(labels == _UNKNOWN)]]
        numbers = {label for label in column.distinct if isinstance(label, int)} - {UNLABELLED}
        why = ", which count from 0" if min(numbers, default=0) == 1 and max(numbers) == len(classes) else ""
        raise UsageError(f"{uri}: label {unknown!r} of {name} is none of the {len(classes)} classes{why}")
    return labels


def _without_label(column: LabelColumn, labels: np.ndarray) -> Counter[str]:
    """Counts the images without label by what stands there."""
    rows = np.bincount(column.rows[labels == UNLABELLED], minlength=len(column.distinct))
    return Counter({str(column.distinct[i]): int(rows[i]) for i in np.flatnonzero(rows)})


def _wrapped(name: str, distinct: np.ndarray) -> str:
    """Says where the largest number of an unsigned type stands apart from all others: -1 turns into it."""
    if distinct.dtype.kind != "u" or len(distinct) < 2:
        return ""
    most = int(np.iinfo(distinct.dtype).max)
    if int(distinct[-1]) != most or int(distinct[-2]) >= most - 1:
        return ""
    return (
        f"label {most} of {name} is the largest {distinct.dtype} and a class like the others: "
        "if there is no label, write -1 in a signed type"
    )
