"""Files of an entry are brought to a wanted state without the loss of a row that is done."""

from __future__ import annotations

import os
from collections.abc import Callable

import numpy as np
import pytest

from pipeline.cache.entries import Entry
from pipeline.cache.feature_file import open_feature_file
from pipeline.cache.format import Header
from pipeline.cache.writer import EntryWriter
from pipeline.errors import PipelineError
from pipeline.images.row_table import RowTable

Writer = Callable[[str], EntryWriter]
SHAPE = (2, 3)

pytestmark = pytest.mark.usefixtures("no_file_left_open")


@pytest.fixture
def writer(entry: Entry, make_header: Callable[..., Header], make_rows: Callable[..., RowTable]) -> Writer:
    """Makes a writer that wants the rows of the given names in ``train``."""
    return lambda names: EntryWriter(entry, {"train": make_header()}, {"train": make_rows(list(names))})


def fill(writer: EntryWriter, rows: np.ndarray) -> None:
    for file, _, local in writer.files_of(rows):
        file.write(local, np.ones((len(local), *SHAPE), np.float32))


@pytest.fixture
def begun(writer: Writer, entry: Entry) -> os.stat_result:
    """Leaves a partial file of the rows a, b and c, of which b is done."""
    with writer("abc") as begun:
        begun.open(SHAPE)
        fill(begun, np.array([1]))
    return entry.partial("train").stat()


def test_a_partial_file_of_the_same_rows_is_continued(
    begun: os.stat_result, writer: Writer, entry: Entry
) -> None:
    with writer("abc") as again:
        assert again.missing_bytes(SHAPE) == 0
        assert not again.complete
        again.open(SHAPE)
        assert again.done.tolist() == [False, True, False]
    assert os.path.samestat(entry.partial("train").stat(), begun)
    assert entry.retired() == []


def test_a_partial_file_of_other_rows_is_kept_while_another_is_filled(
    begun: os.stat_result, writer: Writer, entry: Entry
) -> None:
    with writer("bcde") as other:
        assert other.missing_bytes(SHAPE) == 4 * 24
        other.open(SHAPE)
        assert not other.done.any()
    (retired,) = entry.retired()
    assert os.path.samestat(retired.stat(), begun)
    assert open_feature_file(retired).done.tolist() == [False, True, False]


@pytest.mark.parametrize(("newer", "kept"), [("abc", []), ("cb", []), ("bcd", []), ("b", [2]), ("ad", [2])])
def test_a_replaced_file_is_kept_for_rows_that_the_newer_one_lacks(
    newer: str, kept: list[int], writer: Writer, entry: Entry
) -> None:
    for names in ("bc", newer):
        with writer(names) as writing:
            writing.open(SHAPE)
            assert not writing.complete
            fill(writing, np.arange(len(names)))
            writing.commit()
            assert writing.complete
            assert writing.publish() == []
    assert [len(open_feature_file(path).rows) for path in entry.retired()] == kept
    with writer(newer) as again:
        assert again.complete


def test_nothing_is_published_once_a_file_is_gone(writer: Writer, entry: Entry) -> None:
    with writer("ab") as writing:
        writing.open(SHAPE)
        fill(writing, np.arange(2))
        writing.commit()
        entry.partial("train").unlink()
        (entry.folder / "spec.json").unlink()
        with pytest.raises(PipelineError, match="was removed while it was being filled"):
            writing.publish()
    assert list(entry.folder.iterdir()) == []  # not even the spec is written anew
