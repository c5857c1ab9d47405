"""Views: the same for the same image, number and seed; different for every other."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from photos import noise

from pipeline.errors import UsageError
from pipeline.extraction.augment import Augmentation, augmented_view

DIGEST, OTHER = b"\x01" * 32, b"\x02" * 32
STILL = Augmentation(rotation=0, width_shift=0, height_shift=0, shear=0, zoom=0, flip=False)


def view(
    number: int = 1, *, digest: bytes = DIGEST, image: np.ndarray | None = None, **options: object
) -> np.ndarray:
    image = noise(0, 24) if image is None else image
    return augmented_view(image, Augmentation(**options), digest=digest, view=number)


def test_a_view_is_determined_by_digest_number_and_seed() -> None:
    np.testing.assert_array_equal(view(), view())
    for other in (view(2), view(digest=OTHER), view(seed=1)):
        assert not np.array_equal(view(), other)


def test_the_image_itself_is_view_zero() -> None:
    np.testing.assert_array_equal(view(0), noise(0, 24))


def test_without_ranges_nothing_moves() -> None:
    image = noise(3, 24)
    np.testing.assert_array_equal(augmented_view(image, STILL, digest=DIGEST, view=5), image)


def test_half_of_the_views_are_mirrored() -> None:
    image = noise(3, 24)
    flips = dataclasses.replace(STILL, flip=True)
    views = [augmented_view(image, flips, digest=DIGEST, view=number) for number in range(1, 65)]
    mirrored = [np.array_equal(one, image[:, ::-1]) for one in views]
    assert all(flip or np.array_equal(one, image) for flip, one in zip(mirrored, views, strict=True))
    assert 16 < sum(mirrored) < 48


@pytest.mark.parametrize("number", range(1, 20))
def test_nothing_black_comes_in_from_outside(number: int) -> None:
    white = np.full((24, 24, 3), 255, np.uint8)
    shown = view(number, image=white, rotation=180.0, width_shift=1.0, height_shift=1.0, shear=60.0, zoom=0.9)
    assert shown.shape == (24, 24, 3)
    assert shown.dtype == np.uint8
    np.testing.assert_array_equal(shown, white)


def test_a_shift_stays_within_its_range() -> None:
    image = np.zeros((40, 40, 3), np.uint8)
    image[:, 20] = 255
    shift = dataclasses.replace(STILL, width_shift=0.1)
    columns = [
        int(augmented_view(image, shift, digest=DIGEST, view=number)[20, :, 0].argmax())
        for number in range(1, 60)
    ]
    assert min(columns) < 20 < max(columns)
    assert all(abs(column - 20) <= 4 for column in columns)


@pytest.mark.parametrize(
    ("option", "message"),
    [
        (
            {"rotation": "181"},
            r"rotation=181 of the augmentation must be float from 0 to 180.*--augment rotation=40",
        ),
        ({"zoom": "-0.1"}, "zoom=-0.1 of the augmentation must be float from 0 to 0.9"),
        ({"flip": "maybe"}, "flip=maybe of the augmentation must be bool"),
        ({"rotaton": "3"}, r"unknown option of the augmentation, 'rotaton' \(did you mean 'rotation'\?\)"),
    ],
)
def test_out_of_bounds_is_refused(option: dict[str, str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Augmentation.from_options(option)
