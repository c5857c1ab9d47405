from __future__ import annotations

import tempfile

import numpy as np
import pytest

from pipeline.images import sequences


@pytest.mark.parametrize("kept_bytes", [10**6, 100], ids=["in memory", "in a file"])
@pytest.mark.parametrize("rows", [0, 1, 40])
def test_zeros_can_be_written_wherever_they_stand(rows, kept_bytes, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setattr(sequences, "_CHUNK", 7)
    array = sequences.zeros((rows, 32), kept_bytes=kept_bytes)
    assert array.shape == (rows, 32)
    assert array.dtype == np.uint8
    assert not array.any()
    expected = np.random.default_rng(0).integers(0, 256, (rows, 32), np.uint8)
    array[:] = expected
    np.testing.assert_array_equal(array, expected)
    assert list(tmp_path.iterdir()) == []


def test_zeros_stand_in_memory_where_there_is_no_file(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "nowhere"))
    array = sequences.zeros((40, 32), kept_bytes=100)
    array[:] = 7
    assert array.shape == (40, 32)
    assert "note: the digests of the images stay in memory: " in capsys.readouterr().err


@pytest.mark.parametrize("dtype", [np.uint8, np.int32, np.uint64])
def test_arrays_come_back_as_they_were(dtype, tmp_path):
    arrays = [
        np.arange(5, dtype=dtype),
        np.empty(0, dtype),
        np.broadcast_to(np.array([3], dtype), 1000),
        np.arange(20, dtype=dtype)[::3],
    ]
    file = sequences.Spill(tmp_path)
    spans = [*file.write(arrays), *file.write(arrays[:2])]
    data = file.mapped()
    assert len(data) < 500
    for array, span in zip([*arrays, *arrays[:2]], spans, strict=True):
        np.testing.assert_array_equal(span.read(data), array)
        assert span.read(data).dtype == dtype
    assert file.write(arrays) is None


def test_a_file_that_nothing_was_written_to_is_none(tmp_path):
    assert len(sequences.Spill(tmp_path).mapped()) == 0
    empty = sequences.Spill(tmp_path / "nowhere")
    assert len(empty.mapped()) == 0
