"""Rows by plain writes, done flags only after the rows are durable, publishing in one step."""

from __future__ import annotations

import os
import shutil
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from pipeline.cache.feature_file import open_feature_file
from pipeline.cache.format import Header
from pipeline.cache.partial_file import PartialFile, create_feature_file
from pipeline.errors import PipelineError
from pipeline.images.row_table import RowTable

N = 10

pytestmark = pytest.mark.usefixtures("no_file_left_open")


@pytest.fixture
def partial(
    tmp_path: Path, make_header: Callable[..., Header], make_rows: Callable[[list[str]], RowTable]
) -> PartialFile:
    path = tmp_path / "train.h5.partial"
    create_feature_file(path, make_header(), make_rows([f"{i}.png" for i in range(N)]), (2, 3))
    with PartialFile(path) as partial:
        yield partial


def values(rows: list[int]) -> np.ndarray:
    """Features that tell which row they belong to, float32 (n, 2, 3)."""
    return np.array(rows, "<f4")[:, None, None] * 100 + np.arange(6, dtype="<f4").reshape(2, 3)


@pytest.mark.parametrize("rows", [[], [0], [9], [0, 1, 2], [1, 3, 4, 9], [*range(N)], [0, 2, 4, 6, 8]])
def test_rows_land_in_their_places(rows: list[int], partial: PartialFile) -> None:
    partial.write(np.array(rows, int), values(rows))
    partial.commit()
    layout = open_feature_file(partial.layout.path)
    assert np.flatnonzero(layout.done).tolist() == np.flatnonzero(partial.done).tolist() == rows
    np.testing.assert_array_equal(layout.features[rows], values(rows))
    assert [zlib.crc32(row.tobytes()) for row in values(rows)] == layout.crc32[rows].tolist()
    others = np.setdiff1d(np.arange(N), rows)
    assert not layout.features[others].any()
    assert not layout.crc32[others].any()


def test_rows_are_done_only_after_they_are_durable(
    partial: PartialFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls: list[str] = []
    pwrite = os.pwrite
    columns = {offset: name for name, offset in partial.layout.offsets.items()}

    def record(fd: int, data: Any, offset: int) -> int:
        calls.append(columns[max(start for start in columns if start <= offset)])
        return pwrite(fd, data, offset)

    monkeypatch.setattr(os, "pwrite", record)
    monkeypatch.setattr(os, "fdatasync", lambda fd: calls.append("sync"))
    partial.write(np.array([0, 1]), values([0, 1]))
    partial.write(np.array([2]), values([2]))
    assert not partial.done.any()
    partial.commit()
    assert calls == ["features", "crc32", "features", "crc32", "sync", "done"]


def test_rows_that_are_not_committed_are_not_done(partial: PartialFile) -> None:
    partial.write(np.array([0, 1]), values([0, 1]))
    partial.commit()
    partial.write(np.array([2, 3]), values([2, 3]))
    partial.close()
    assert np.flatnonzero(open_feature_file(partial.layout.path).done).tolist() == [0, 1]


def test_rows_that_another_process_has_written_are_recorded(partial: PartialFile) -> None:
    partial.record(np.array([1, 2, 5]), np.array([7, 8, 9], np.uint32))
    assert not partial.done.any()
    partial.commit()
    layout = open_feature_file(partial.layout.path)
    assert layout.crc32.tolist() == [0, 7, 8, 0, 0, 9, 0, 0, 0, 0]
    assert np.flatnonzero(layout.done).tolist() == [1, 2, 5]


@pytest.mark.parametrize("step", ["commit", "publish"])
@pytest.mark.parametrize("replaced", [False, True])
def test_a_file_that_is_gone_is_noticed(
    step: str, replaced: bool, partial: PartialFile, tmp_path: Path
) -> None:
    partial.write(np.arange(N), values([*range(N)]))
    if step == "publish":
        partial.commit()
    path = partial.layout.path
    path.unlink()
    if replaced:
        path.write_bytes(b"of another process")
    with pytest.raises(PipelineError, match="was removed while it was being filled"):
        partial.commit() if step == "commit" else partial.publish(tmp_path / "train.h5")
    assert [one.name for one in tmp_path.iterdir()] == [path.name] * replaced


def test_publishing_renames_a_complete_file(partial: PartialFile, tmp_path: Path) -> None:
    published = tmp_path / "train.h5"
    shutil.copy(partial.layout.path, published)
    partial.write(np.arange(N), values([*range(N)]))
    partial.commit()
    place = partial.layout.path.stat().st_ino
    partial.publish(published)
    assert [path.name for path in tmp_path.iterdir()] == ["train.h5"]
    assert published.stat().st_ino == place
    assert open_feature_file(published).done.all()


def test_publishing_refuses_undone_rows(partial: PartialFile, tmp_path: Path) -> None:
    published = tmp_path / "train.h5"
    published.write_text("an older file")
    partial.write(np.arange(N - 1), values([*range(N - 1)]))
    partial.commit()
    with pytest.raises(AssertionError, match=r"1 rows of .* are not done"):
        partial.publish(published)
    assert published.read_text() == "an older file"
    assert partial.layout.path.exists()


def test_a_reader_keeps_the_file_it_opened(partial: PartialFile, tmp_path: Path) -> None:
    published = tmp_path / "train.h5"
    partial.write(np.arange(N), values([*range(N)]))
    partial.commit()
    partial.publish(published)
    features = open_feature_file(published).features
    os.replace(tmp_path / "train.h5", tmp_path / "older")
    (tmp_path / "older").unlink()
    np.testing.assert_array_equal(features, values([*range(N)]))


@pytest.mark.parametrize(
    "wrong",
    [
        np.zeros((2, 2, 3), "<f2"),
        np.zeros((2, 2, 3), "<f8"),
        np.zeros((2, 3, 2), "<f4"),
        np.zeros((2, 6), "<f4"),
    ],
)
def test_features_of_another_kind_are_refused(wrong: np.ndarray, partial: PartialFile) -> None:
    with pytest.raises(AssertionError, match="does not fit"):
        partial.write(np.array([0, 1]), wrong)


def test_two_fillers_write_disjoint_rows(partial: PartialFile) -> None:
    with PartialFile(partial.layout.path) as other:
        partial.write(np.arange(0, N, 2), values([*range(0, N, 2)]))
        other.write(np.arange(1, N, 2), values([*range(1, N, 2)]))
        other.commit()
        partial.commit()
    layout = open_feature_file(partial.layout.path)
    assert layout.done.all()
    np.testing.assert_array_equal(layout.features, values([*range(N)]))
