"""Feature files of images with several labels, or numbers: written, read, refused where they do not fit."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pytest

from pipeline.cache import open_features
from pipeline.cache.entries import Entry
from pipeline.cache.feature_file import open_feature_file
from pipeline.cache.features import join_features
from pipeline.cache.format import SEAL, TARGETS_SCHEMA, Header, seal
from pipeline.cache.partial_file import PartialFile, create_feature_file
from pipeline.cache.salvage import open_damaged
from pipeline.errors import CacheMismatchError, UsageError
from pipeline.images.row_table import RowTable
from pipeline.images.targets import LABELS, NUMBER, same_targets
from pipeline.spec import SCHEMA

TARGETS = np.array([[1, 0], [np.nan, np.nan], [0, 1]], np.float32)
Publish = Callable[..., Path]


@pytest.fixture
def publish(
    entry: Entry,
    make_header: Callable[..., Header],
    make_rows: Callable[..., RowTable],
    make_values: Callable[..., np.ndarray],
) -> Publish:
    """Publishes three rows with targets, or with labels that nothing else is known of."""

    def publish(targets: np.ndarray = TARGETS, target: str = LABELS, **changes: object) -> Path:
        path = entry.file("train")
        rows = replace(
            make_rows("abc"), **({"labels": np.full(3, -1, np.int32), "targets": targets} | changes)
        )
        create_feature_file(path, make_header(target=target), rows, (2, 3))
        with PartialFile(path) as partial:
            partial.write(np.arange(3), make_values(rows))
            partial.commit()
        return path

    return publish


@pytest.mark.parametrize(("target", "targets"), [(LABELS, TARGETS), (NUMBER, TARGETS * 1.5)])
def test_targets_come_back(target: str, targets: np.ndarray, publish: Publish, entry: Entry) -> None:
    with h5py.File(publish(targets, target)) as file:
        assert file.attrs["schema"] == TARGETS_SCHEMA
        assert (file["targets"].dtype.str, file["targets"].shape) == ("<f4", (3, 2))
    found = open_features(entry, "train")
    assert found.target == target
    assert same_targets(found.targets, targets)
    assert found.rows.labels.tolist() == [-1] * 3


def test_classes_are_refused_where_there_are_none(publish: Publish, entry: Entry) -> None:
    publish()
    with pytest.raises(UsageError, match=r"several labels an image .cats, dogs.*train-head"):
        _ = open_features(entry, "train").labels


def test_files_with_classes_are_of_the_old_schema(
    tmp_path: Path, make_header: Callable[..., Header], make_rows: Callable[..., RowTable]
) -> None:
    path = tmp_path / "train.h5"
    create_feature_file(path, make_header(), make_rows("abc"), (2, 3))
    with h5py.File(path) as file:
        assert file.attrs["schema"] == SCHEMA
        assert "targets" not in file
        assert "target" not in file.attrs
    assert open_feature_file(path).rows.targets.shape == (3, 0)


UNFIT: dict[str, tuple[np.ndarray, str, dict[str, object]]] = {
    "too few columns": (TARGETS[:, :1], LABELS, {}),
    "too many columns": (np.zeros((3, 3), np.float32), NUMBER, {}),
    "no columns": (np.zeros((3, 0), np.float32), NUMBER, {}),
    "too few rows": (TARGETS[:2], LABELS, {}),
    "labels that are no marks": (TARGETS + 1, LABELS, {}),
    "infinite numbers": (np.full((3, 2), np.inf, np.float32), NUMBER, {}),
    "classes besides": (TARGETS, LABELS, {"labels": np.zeros(3, np.int32)}),
    "an unknown kind": (TARGETS, "boxes", {}),
}


@pytest.mark.parametrize("case", UNFIT)
def test_targets_that_do_not_fit_are_refused(case: str, publish: Publish) -> None:
    targets, target, changes = UNFIT[case]
    with pytest.raises(
        CacheMismatchError, match=r"readable feature file|truncated"
    ):  # whoever writes opens it
        publish(targets, target, **changes)


@pytest.mark.parametrize("schema", [SCHEMA, 3])
def test_a_file_with_targets_says_so_by_its_schema(schema: int, publish: Publish) -> None:
    path = publish()
    with h5py.File(path, "r+") as file:
        file.attrs["schema"] = schema
        file.attrs[SEAL] = np.bytes_(seal(file))
    with pytest.raises(CacheMismatchError, match=f"schema {schema}"):
        open_feature_file(path)


def test_altered_targets_are_damage_and_the_rows_are_kept(publish: Publish, entry: Entry) -> None:
    path = publish()
    with h5py.File(path, "r+") as file:
        file["targets"][0, 1] = 1
    with pytest.raises(CacheMismatchError, match="targets changed since it was written"):
        open_feature_file(path)
    salvage = open_damaged(path, entry.spec)
    assert salvage is not None
    assert salvage.usable.all()


def test_other_targets_cannot_be_joined(publish: Publish, entry: Entry) -> None:
    publish()
    one = open_features(entry, "train")
    for other in (
        replace(one, target=NUMBER),
        replace(one, rows=replace(one.rows, targets=TARGETS[::-1].copy())),
    ):
        with pytest.raises(CacheMismatchError, match="hold different rows"):
            join_features([one, other])
