"""Data sets that need no download: ``builtin:digits``, 1,797 scans of handwritten digits, 8x8 pixels."""

from __future__ import annotations

from pipeline.errors import unknown
from pipeline.images.source_options import SourceOptions
from pipeline.images.sources._array_source import ArraySource, ImageArray, array_source

ADDRESS = "builtin:digits"

OPTIONS: tuple[str, ...] = ()

_PREFIX = "builtin:"
_DIGITS_WHITE = 16


def claims(uri: str) -> bool:
    """Tells whether the address begins with ``builtin:``."""
    return uri.startswith(_PREFIX)


def open_uri(uri: str, options: SourceOptions) -> ArraySource:
    """Loads the digits that scikit-learn ships (UCI ML hand-written digits, test set).

    Raises:
        UsageError: There is no built-in data set of this name.
    """
    name = uri.removeprefix(_PREFIX)
    if name != "digits":
        raise unknown("built-in data set", name, ["digits"], next_step=f"Use --data {ADDRESS}")
    from sklearn.datasets import load_digits

    digits = load_digits()
    return array_source(uri, name, [ImageArray("array", digits.images, digits.target)], white=_DIGITS_WHITE)
