"""relabel.csv is read back by the table source as the set it was made from."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from photos import Photos

from pipeline.cache import FeatureSet
from pipeline.evaluation.labels import LabelCheck, check_labels
from pipeline.evaluation.labels.files import write_label_check
from pipeline.evaluation.labels.odd import OddImage
from pipeline.evaluation.labels.page import items_of, with_blanks
from pipeline.evaluation.labels.relabel import relabel_rows
from pipeline.images import ImageSource, open_images


@pytest.fixture
def check(splits: list[FeatureSet]) -> LabelCheck:
    return check_labels(splits)


@pytest.fixture
def images(photos: Photos, check: LabelCheck) -> ImageSource:
    """A file for each row, of the same id."""
    for name in check.rows.ids:
        photos.write(name)
    return open_images(photos.root)


def test_it_is_read_back_with_its_labels_and_splits(
    check: LabelCheck, images: ImageSource, tmp_path: Path
) -> None:
    _, folder = write_label_check(check, images, tmp_path / "runs" / "toy" / "entry")
    table = open_images(folder / "relabel.csv")
    items = list(table.items())
    assert [item.split for item in items] == check.split.tolist()
    assert [table.classes[item.label] if item.label >= 0 else "" for item in items] == [
        check.features.classes[label] if label >= 0 else "" for label in check.rows.labels
    ]
    root = Path(images.uri)
    assert [item.path for item in items] == [root / name for name in check.rows.ids]


def test_images_without_files_of_their_own_give_no_table(check: LabelCheck, images: ImageSource) -> None:
    assert relabel_rows(check, None) == []
    (Path(images.uri) / check.rows.ids[0]).unlink()
    assert relabel_rows(check, open_images(images.uri)) == []


def test_an_odd_picture_of_one_colour_is_blank(check: LabelCheck) -> None:
    odd = replace(check, odd=tuple(OddImage(row, "unlike", 0.1) for row in range(3)))
    random = np.random.default_rng(0)
    pictures = {
        check.rows.ids[0]: np.full((160, 160, 3), (250, 0, 0), np.uint8),
        check.rows.ids[1]: random.integers(0, 255, (160, 160, 3), np.uint8),
    }
    assert [one.kind for one in with_blanks(odd, pictures).odd] == ["blank", "unlike", "unlike"]


def test_files_that_are_the_same_are_decided_once(check: LabelCheck) -> None:
    digests = check.rows.digests.copy()
    digests[[20, 22]] = digests[18]
    features = replace(check.features, rows=replace(check.rows, digests=digests))
    odd = tuple(OddImage(row, "repeated", 3) for row in (18, 20, 22))
    copied = replace(check, features=features, suspects=(), odd=odd)
    assert [one.row for one in items_of(copied)] == [18]
    pictures = {check.rows.ids[18]: np.zeros((160, 160, 3), np.uint8)}
    assert [one.kind for one in with_blanks(copied, pictures).odd] == ["blank"] * 3
