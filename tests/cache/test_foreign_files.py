"""Feature files from strangers: refused before much memory is taken, and no other file is ever opened."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import foreign_feature_files
import h5py
import pytest
from foreign_feature_files import ALTERATIONS, alter

from pipeline.cache.entries import Entry, read_entry
from pipeline.cache.feature_file import open_feature_file
from pipeline.cache.finding import all_entries
from pipeline.cache.inspection import verify_cache
from pipeline.cache.salvage import open_damaged
from pipeline.errors import CacheMismatchError

LIMIT_KIB = 16 * 1024
TIMEOUT_S = 60

Publish = Callable[..., Path]


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    """A named pipe: whoever opens it waits for ever."""
    path = tmp_path / "pipe"
    os.mkfifo(path)
    return path


@pytest.mark.parametrize("name", ALTERATIONS)
def test_a_foreign_file_is_refused(name: str, publish: Publish, elsewhere: Path) -> None:
    path = publish(["a", "b"])
    message = alter(path, name, elsewhere)
    with pytest.raises(CacheMismatchError) as caught:
        open_feature_file(path)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < len(str(path)) + 250


def test_all_of_them_take_little_memory_and_time(publish: Publish, elsewhere: Path, tmp_path: Path) -> None:
    folder = tmp_path / "many"
    publish(["a", "b"], path=folder / "sound.h5")
    for name in ALTERATIONS:
        alter(publish(["a", "b"], path=folder / f"{name}.h5"), name, elsewhere)
    result = subprocess.run(
        [sys.executable, foreign_feature_files.__file__, str(folder)],
        capture_output=True,
        text=True,
        timeout=TIMEOUT_S,
        check=True,
    )
    said = dict(line.split("\t", 1) for line in result.stdout.splitlines())
    more = int(said.pop("KiB"))
    assert said.pop("sound") == "opened"
    assert set(said) == set(ALTERATIONS)
    assert "opened" not in said.values()
    print(f"{len(said)} foreign files refused, {more:,} KiB more memory at most")
    assert more < LIMIT_KIB


@pytest.mark.parametrize("column", ["features", "crc32", "done", "digests", "views", "ids"])
def test_nothing_is_salvaged_that_lies_in_another_file(
    column: str, publish: Publish, entry: Entry, tmp_path: Path
) -> None:
    path, other = publish(["a", "b"]), tmp_path / "other"
    assert open_damaged(path, entry.spec) is not None
    with h5py.File(path, "r+") as file:
        values = file[column][()]
        other.write_bytes(values.tobytes())
        del file[column]
        file.create_dataset(column, values.shape, values.dtype, external=[(str(other), 0, values.nbytes)])
    assert open_damaged(path, entry.spec) is None


@pytest.mark.parametrize("content", [None, "[" * 100_000, '{"spec":' * 50_000, "null", "\xff" * 9])
def test_a_foreign_spec_is_refused(content: str | None, publish: Publish, entry: Entry) -> None:
    publish(["a", "b"])
    file = entry.folder / "spec.json"
    file.unlink()
    if content is None:
        os.mkfifo(file)
        os.mkfifo(entry.file("val"))
    else:
        file.write_text(content, "latin-1")
    with pytest.raises(CacheMismatchError, match=r"spec\.json cannot be read") as caught:
        read_entry(entry.folder)
    assert "\n" not in str(caught.value)
    cache = entry.folder.parents[1]
    assert all_entries(cache) == []
    assert sum(bool(finding["problem"]) for finding in verify_cache(cache)) == 1 + (content is None)


def test_a_text_that_claims_four_gigabytes_is_refused(publish: Publish) -> None:
    path = publish(["a", "b"])
    with h5py.File(path, "r+") as file:
        del file.attrs["source"]
        file.attrs["source"] = "/somewhere/a-name-of-21"  # as older versions wrote it, of any length
    length = (23).to_bytes(4, "little")
    content = bytearray(path.read_bytes())
    descriptor = next(
        at
        for at in range(len(content))
        if content[at : at + 4] == length
        and content[int.from_bytes(content[at + 4 : at + 12], "little") :][:4] == b"GCOL"
    )
    heap = int.from_bytes(content[descriptor + 4 : descriptor + 12], "little")
    for offset, value in ((descriptor + 3, 0xFF), (heap + 16 + 9, 0x80), (heap + 10, 0x7F)):
        damaged = bytearray(content)
        damaged[offset] = value
        path.write_bytes(damaged)
        with pytest.raises(CacheMismatchError, match=r"promises 4,278,190,\d+ bytes|a heap of texts"):
            open_feature_file(path)
