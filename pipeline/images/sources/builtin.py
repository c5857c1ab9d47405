"""Data sets that need no download: ``builtin:digits``, scans of digits, and pictures made of them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from pipeline.errors import unknown
from pipeline.images.source_options import SourceOptions
from pipeline.images.sources._array_source import ArraySource, ImageArray, array_source
from pipeline.images.sources._digit_pictures import pair_scans, turn_scans
from pipeline.images.targets import LABELS, NUMBER

OPTIONS: tuple[str, ...] = ()

_PREFIX = "builtin:"
_DIGITS_WHITE = 16


def claims(uri: str) -> bool:
    """Tells whether the address begins with ``builtin:``."""
    return uri.startswith(_PREFIX)


def open_uri(uri: str, options: SourceOptions) -> ArraySource:
    """Makes a data set of the digits that scikit-learn ships (UCI ML hand-written digits, test set).

    Raises:
        UsageError: There is no built-in data set of this name.
    """
    name = uri.removeprefix(_PREFIX)
    if name not in SETS:
        raise unknown("built-in data set", name, SETS, next_step=f"Use --data {_PREFIX}{next(iter(SETS))}")
    from sklearn.datasets import load_digits

    digits = load_digits()
    return SETS[name](uri, name, digits.images, digits.target)


def _digits(uri: str, name: str, scans: np.ndarray, digits: np.ndarray) -> ArraySource:
    return array_source(uri, name, [ImageArray("array", scans, digits)], white=_DIGITS_WHITE)


def _digit_pairs(uri: str, name: str, scans: np.ndarray, digits: np.ndarray) -> ArraySource:
    names = [str(digit) for digit in range(10)]
    return array_source(uri, name, pair_scans(scans, digits), classes=names, target=LABELS)


def _turned_digits(uri: str, name: str, scans: np.ndarray, digits: np.ndarray) -> ArraySource:
    return array_source(uri, name, turn_scans(scans, digits), classes=["angle"], target=NUMBER)


SETS: dict[str, Callable[[str, str, np.ndarray, np.ndarray], ArraySource]] = {
    "digits": _digits,
    "digit-pairs": _digit_pairs,
    "turned-digits": _turned_digits,
}
"""What makes each set of its address, its name, and the scans (n, 8, 8) with their digits (n,)."""

ADDRESS = f"{_PREFIX}{'|'.join(SETS)}"
