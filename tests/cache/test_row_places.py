"""Rows that other processes write: the same bytes, and done only when the holder of the entry says so."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest

from pipeline.cache.entries import Entry
from pipeline.cache.feature_file import open_feature_file
from pipeline.cache.format import Header
from pipeline.cache.row_places import FeatureFiles
from pipeline.cache.writer import EntryWriter
from pipeline.errors import ForeignFileError, PipelineError
from pipeline.images.row_table import RowTable

ROWS = {"train": 6, "val": 4}
SHAPE = (2, 3)


@pytest.fixture
def writer(
    entry: Entry, make_header: Callable[..., Header], make_rows: Callable[[list[str]], RowTable]
) -> Iterator[EntryWriter]:
    """An entry of two splits, laid out and not filled."""
    wanted = {split: make_rows([f"{split}{i}.png" for i in range(n)]) for split, n in ROWS.items()}
    headers = {split: make_header(split=split) for split in wanted}
    with EntryWriter(entry, headers, wanted) as writer:
        writer.open(SHAPE)
        yield writer


def values(rows: list[int]) -> np.ndarray:
    return np.array(rows, "<f4")[:, None, None] * 100 + np.arange(6, dtype="<f4").reshape(SHAPE)


def partials(writer: EntryWriter) -> bytes:
    return b"".join(writer.entry.partial(split).read_bytes() for split in ROWS)


@pytest.mark.parametrize("rows", [[0], [9], [0, 1, 2], [4, 5, 6, 7], [0, 2, 5, 6, 9], [*range(10)], []])
def test_the_files_are_those_that_one_process_writes(rows: list[int], writer: EntryWriter) -> None:
    with FeatureFiles(writer.places()) as files:
        crc32 = files.write(np.array(rows, int), values(rows))
    assert not writer.done.any()
    for file, inside, local in writer.files_of(np.array(rows, int)):
        file.record(local, crc32[inside])
    writer.commit()
    assert np.flatnonzero(writer.done).tolist() == rows
    remote = partials(writer)
    for split in ROWS:  # once more, by this process alone
        layout = open_feature_file(writer.entry.partial(split))
        with open(layout.path, "r+b") as file:
            for column, width in (("features", 24), ("crc32", 4), ("done", 1)):
                file.seek(layout.offsets[column])
                file.write(bytes(width * len(layout.rows)))
    for file, inside, local in writer.files_of(np.array(rows, int)):
        file.write(local, values(rows)[inside])
    writer.commit()
    assert partials(writer) == remote


def test_rows_that_nobody_recorded_are_not_done(writer: EntryWriter) -> None:
    with FeatureFiles(writer.places()) as files:
        files.write(np.arange(4), values([*range(4)]))
    writer.commit()
    assert not open_feature_file(writer.entry.partial("train")).done.any()


def test_a_file_that_is_gone_is_told(writer: EntryWriter) -> None:
    places = writer.places()
    writer.entry.partial("val").unlink()
    with pytest.raises(FileNotFoundError):
        FeatureFiles(places)


def test_a_disk_that_refuses_is_told_in_one_line(
    writer: EntryWriter, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> int:
        raise OSError(28, os.strerror(28))

    with FeatureFiles(writer.places()) as files, monkeypatch.context() as patch:
        patch.setattr(os, "pwrite", full)
        with pytest.raises(PipelineError, match=r"cannot write .*train\.h5\.partial: No space left"):
            files.write(np.array([1]), values([1]))


def test_places_do_not_depend_on_the_folder_one_is_in(
    writer: EntryWriter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    places = writer.places()
    monkeypatch.chdir("/")
    with FeatureFiles(places) as files:
        files.write(np.array([0]), values([0]))
    assert all(place.path.is_absolute() for place in places)


def test_a_worker_writes_through_no_link(writer: EntryWriter, tmp_path: Path) -> None:
    places = writer.places()
    elsewhere = tmp_path / "elsewhere"
    places[0].path.rename(elsewhere)
    places[0].path.symlink_to(elsewhere)
    with pytest.raises(ForeignFileError, match="is a link to"):
        FeatureFiles(places)
