"""A hash of what a picture looks like, which re-encoding and resizing hardly change.

The signs of the lowest frequencies of the grey picture, as in Zauner, "Implementation and Benchmarking of
Perceptual Image Hash Functions" (2010), with 16 x 16 frequencies where that has 8 x 8: on photographs, four
times the bits separate copies from strangers far better (docs/leaks.md has the distances).
"""

from __future__ import annotations

import numpy as np

from pipeline.images.decode import decode_for_itself

SCHEME = "dct16-v1"
"""Names the hash; to be changed with anything that changes a bit of it."""
HASH_BYTES = 32
_SIDE = 32
_FREQUENCIES = 16
_GREY = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601
_FAINT = 2.0
"""A coefficient below this may be noise of the encoder: its sign tells nothing."""
_FEWEST = 96
"""Coefficients that must not be faint. The plainest of 1,797 scanned digits has 110, photographs over 200."""


def _basis() -> np.ndarray:
    """Returns the lowest rows of the orthonormal DCT-II, float32 (16, 32)."""
    frequency, place = np.ogrid[:_FREQUENCIES, :_SIDE]
    rows = np.cos(np.pi * frequency * (2 * place + 1) / (2 * _SIDE)) * np.sqrt(2 / _SIDE)
    rows[0] /= np.sqrt(2)
    return rows.astype(np.float32)


_BASIS = _basis()

ORIENTATIONS = (
    "as it is",
    "mirrored left to right",
    "mirrored top to bottom",
    "turned by 180 degrees",
    "mirrored at the diagonal",
    "turned by 90 degrees to the left",
    "turned by 90 degrees to the right",
    "mirrored at the other diagonal",
)
"""What may have been done to a picture without changing a pixel; the order is that of ``oriented``."""

_PLACES = np.arange(_FREQUENCIES**2).reshape(_FREQUENCIES, _FREQUENCIES)
_VERTICAL, _HORIZONTAL = np.divmod(_PLACES.reshape(-1), _FREQUENCIES)
_ODD = ((_HORIZONTAL % 2) == 1, (_VERTICAL % 2) == 1)
"""Mirroring turns the sign of the frequencies that are odd in its direction, and of no other."""
_GROUPED = np.lexsort((_PLACES.reshape(-1), *_ODD))
"""The places of all bits, those first that are even in both directions, which no mirroring changes."""


def _words(bits: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(np.packbits(bits[..., _GROUPED], axis=-1)).view(np.uint64)


FLIPS = np.stack(
    [_words((_ODD[0] & bool(way & 1)) ^ (_ODD[1] & bool(way & 2))) for way in range(len(ORIENTATIONS) // 2)]
)
"""uint64 (4, 4): what the first four orientations change in the words of :func:`in_words`."""


def picture_hash(data: bytes | np.ndarray) -> bytes:
    """Returns a picture's hash, 32 bytes; empty where it is too plain (a blank page) to be told apart.

    Args:
        data: An encoded file, or pixels, see ``pipeline.images.decode``.

    Raises:
        DecodeError: It is no readable picture.
    """
    grey = decode_for_itself(data, _SIDE) @ _GREY
    frequencies = (_BASIS @ grey @ _BASIS.T).reshape(-1)
    frequencies[0] = 0  # the mean brightness is always positive
    if np.count_nonzero(np.abs(frequencies) >= _FAINT) < _FEWEST:
        return b""
    return np.packbits(frequencies > 0).tobytes()


def in_words(hashes: np.ndarray) -> np.ndarray:
    """Returns uint64 (n, 4) of uint8 (n, 32): the bits that no mirroring changes are the first word."""
    return _words(np.unpackbits(hashes, axis=1))


def transposed(hashes: np.ndarray) -> np.ndarray:
    """Returns the hashes of the pictures mirrored at the diagonal, uint8 (n, 32), without the pictures.

    Pictures are hashed as squares, so that rows and columns only change places.
    """
    return np.packbits(np.unpackbits(hashes, axis=1)[:, _PLACES.T.reshape(-1)], axis=1)


def oriented(hashes: np.ndarray, way: int) -> np.ndarray:
    """Returns the hashes of pictures to which one of ``ORIENTATIONS`` is undone, uint8 (n, 32)."""
    turn, flips = divmod(way, len(FLIPS))
    mask = np.packbits((_ODD[0] & bool(flips & 1)) ^ (_ODD[1] & bool(flips & 2)))
    return (transposed(hashes) if turn else hashes) ^ mask
