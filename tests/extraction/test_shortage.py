"""A machine that lacks memory or open files ends the run; no image is blamed or left out for it."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest
from counting_engine import CountingEngine
from photos import Photos

from pipeline.cache.feature_file import open_feature_file
from pipeline.cache.partial_file import create_feature_file
from pipeline.evaluation.leaks import hashes
from pipeline.evaluation.leaks.hashes import HashStore
from pipeline.extraction import Extraction
from pipeline.images import decode as decoding
from pipeline.images import open_images
from pipeline.images.contents import digest
from pipeline.images.sources._files import FileSource
from pipeline.memory import ShortageError

Run = Callable[..., list[Extraction]]
Check = Callable[..., None]
ERRORS = {
    "memory": MemoryError(),
    "open files": OSError(errno.EMFILE, os.strerror(errno.EMFILE)),
    "kernel's memory": OSError(errno.ENOMEM, os.strerror(errno.ENOMEM)),
}


@pytest.fixture
def listed(photos: Photos) -> list[Path]:
    return [*photos.add("train/cats", 6), *photos.add("val/cats"), *photos.add("test/dogs")]


def never(path: Path, error: Exception, monkeypatch: pytest.MonkeyPatch, *, after: int, times: int) -> None:
    """Lets one file not be read after it was read so many times."""
    read, calls = FileSource.read, []

    def refuse(source: FileSource, item: object) -> bytes:
        if item.path == path:
            calls.append(1)
            if after < len(calls) <= after + times:
                raise error
        return read(source, item)

    monkeypatch.setattr(FileSource, "read", refuse)


@pytest.mark.parametrize("kind", ERRORS)
@pytest.mark.parametrize("after", [0, 1], ids=["while digesting", "while computing"])
@pytest.mark.parametrize("skip_bad", [False, True])
def test_reading_an_image(
    kind: str,
    after: int,
    skip_bad: bool,
    listed: list[Path],
    engine: CountingEngine,
    run: Run,
    assert_complete: Check,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with monkeypatch.context() as patched:
        never(listed[4], ERRORS[kind], patched, after=after, times=99)
        with pytest.raises(ShortageError, match=r"^cannot read 'train/cats/0004.png'.*rows are kept"):
            run(skip_bad=skip_bad, batch_size=2)
    (extraction,) = run(skip_bad=skip_bad)
    assert extraction.skipped == extraction.failures == []
    assert engine.computed <= 8 + 2  # a batch may have been ahead; what was finished is not computed again
    assert_complete(extraction)


@pytest.mark.parametrize("kind", ERRORS)
@pytest.mark.parametrize("after", [0, 1], ids=["while digesting", "while computing"])
def test_a_shortage_that_passes_is_not_noticed(
    kind: str,
    after: int,
    listed: list[Path],
    run: Run,
    assert_complete: Check,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    never(listed[4], ERRORS[kind], monkeypatch, after=after, times=1)
    (extraction,) = run()
    assert_complete(extraction)


@pytest.mark.parametrize("skip_bad", [False, True])
def test_decoding_an_image(
    skip_bad: bool,
    listed: list[Path],
    run: Run,
    assert_complete: Check,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bad = listed[3].read_bytes()
    open_encoded = decoding.open_encoded

    def refuse(data: bytes) -> object:
        if data == bad:
            raise MemoryError
        return open_encoded(data)

    with monkeypatch.context() as patched:
        patched.setattr(decoding, "open_encoded", refuse)
        with pytest.raises(ShortageError, match=r"^cannot decode 'train/cats/0003.png': the memory does not"):
            run(skip_bad=skip_bad)
    (extraction,) = run(skip_bad=skip_bad)
    assert extraction.skipped == extraction.failures == []
    assert_complete(extraction)


def test_a_bad_disk_is_of_no_content(
    listed: list[Path], run: Run, assert_complete: Check, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as patched:
        never(listed[4], OSError(errno.EIO, os.strerror(errno.EIO)), patched, after=0, times=99)
        (extraction,) = run(skip_bad=True)
        assert [(bad.reason, bad.digest) for bad in extraction.skipped] == [("Input/output error", "")]
    (extraction,) = run(skip_bad=True)
    assert extraction.skipped == []
    assert_complete(extraction)


def test_what_an_earlier_version_blamed_on_an_image_is_tried_again(
    listed: list[Path], photos: Photos, run: Run, assert_complete: Check
) -> None:
    """It recorded a MemoryError as the reason why the content of an image is bad."""
    photos.spoil(listed[2])
    (extraction,) = run(skip_bad=True)
    (record,) = extraction.skipped
    path = extraction.entry.file("train")
    layout = open_feature_file(path)
    blamed = {"id": record.id, "reason": "MemoryError", "digest": record.digest}
    header = layout.header.__class__(**{**vars(layout.header), "skipped": (blamed,)})
    create_feature_file(path, header, layout.rows, layout.feature_shape)
    (extraction,) = run(skip_bad=True)
    assert [bad.reason for bad in extraction.skipped] == [record.reason]


def test_no_hash_is_kept_for_it(
    listed: list[Path], photos: Photos, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = open_images(str(photos.root))
    wanted = {item.id: digest(source.read(item)) for item in source.items()}

    def refuse(data: bytes) -> object:
        raise MemoryError

    monkeypatch.setattr(decoding, "open_encoded", refuse)
    store = HashStore(tmp_path / "hashes.sqlite")
    with pytest.raises(ShortageError):
        hashes._hash_missing(wanted, source, store, {})
    assert store.look_up(wanted.values()) == {}
