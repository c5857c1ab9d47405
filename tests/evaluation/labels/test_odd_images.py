"""Odd images: repeated, far from their class, and what is most alike."""

from __future__ import annotations

import numpy as np
import pytest

from pipeline.evaluation.labels import odd as odd_module
from pipeline.evaluation.labels.odd import find_odd, most_alike


def directions(*blocks: np.ndarray) -> np.ndarray:
    rows = np.concatenate(blocks).astype(np.float32)
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


@pytest.fixture
def two_classes() -> tuple[np.ndarray, np.ndarray]:
    """Two clouds of 30 rows around the first and the second of 8 axes."""
    random = np.random.default_rng(0)
    centres = 4 * np.eye(8)[np.arange(60) // 30]
    return directions(centres + random.normal(size=(60, 8))), np.arange(60) // 30


def test_what_is_far_from_its_class_is_odd(two_classes: tuple[np.ndarray, np.ndarray]) -> None:
    rows, labels = two_classes
    rows[7] = -np.eye(8, dtype=np.float32)[5]
    (found,) = find_odd(rows, labels, np.arange(60), np.arange(60))
    assert (found.row, found.kind) == (7, "unlike")
    assert found.value < 0.3


def test_a_picture_that_is_there_again_and_again_is_odd(two_classes: tuple[np.ndarray, np.ndarray]) -> None:
    rows, labels = two_classes
    placeholder = [3, 9, 12, 40]
    rows[placeholder] = rows[3]
    pictures = np.arange(60)
    pictures[placeholder] = 3
    found = find_odd(rows, labels, pictures, pictures)
    assert [(one.row, one.kind, one.value) for one in found] == [(row, "repeated", 4) for row in placeholder]
    # Encoded anew they are other files, and the same picture all the same.
    encoded = [one for one in find_odd(rows, labels, np.arange(60), np.arange(60)) if one.kind == "repeated"]
    assert encoded == []
    rows[14] = rows[3]
    encoded = find_odd(rows, labels, np.arange(60), np.arange(60))
    assert [one.row for one in encoded if one.kind == "repeated"] == [3, 9, 12, 14]


def test_many_images_of_a_patient_are_not_repeated(two_classes: tuple[np.ndarray, np.ndarray]) -> None:
    rows, labels = two_classes
    assert find_odd(rows, labels, np.arange(60) // 10, np.arange(60)) == []


def test_a_sample_is_enough_where_images_are_many(
    two_classes: tuple[np.ndarray, np.ndarray], monkeypatch: pytest.MonkeyPatch
) -> None:
    rows, labels = two_classes
    rows[7] = -np.eye(8, dtype=np.float32)[5]
    monkeypatch.setattr(odd_module, "REFERENCES", 45)
    monkeypatch.setattr(odd_module, "BLOCK_BYTES", 500)
    assert [one.row for one in find_odd(rows, labels, np.arange(60), np.arange(60))] == [7]


def test_the_most_alike_of_each_class_is_of_another_group(two_classes: tuple[np.ndarray, np.ndarray]) -> None:
    rows, labels = two_classes
    groups = np.arange(60)
    groups[:10] = 0
    found = most_alike(rows, labels, groups, np.array([2, 33]), 3)
    products = rows @ rows.T
    others = np.flatnonzero((labels == 0) & (groups != 0))
    assert found[0, 0] == others[products[2, others].argmax()]
    own = np.setdiff1d(np.flatnonzero(labels == 1), [33])
    assert found[1, 1] == own[products[33, own].argmax()]
    assert found[:, 2].tolist() == [-1, -1]
