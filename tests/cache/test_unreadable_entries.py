"""What the system does not let be read now is not damaged: nothing is known of it, so it stays."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import h5py
import pytest

from pipeline.cache import feature_file, format
from pipeline.cache.entries import Entry, read_entry
from pipeline.cache.feature_file import open_feature_file
from pipeline.cache.retiring import delete_redundant
from pipeline.cache.reuse import holds_unique_rows, stored_rows
from pipeline.errors import CacheMismatchError, UnreadableFileError, system_refusal

Publish = Callable[..., Path]
REFUSALS = [
    *(OSError(number, os.strerror(number)) for number in (errno.EACCES, errno.EIO, errno.EMFILE)),
    OSError(errno.ESTALE, "Stale file handle"),
    OSError(errno.ENOMEM, "Cannot allocate memory"),
    MemoryError(),
    KeyError("Unable to open object (read failed: errno = 5, error message = 'Input/output error', buf = 0)"),
]


@pytest.fixture(params=REFUSALS, ids=lambda error: f"{type(error).__name__} {getattr(error, 'errno', '')}")
def refuse(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], None]:
    """Lets the system refuse to open one file from now on."""

    def refuse(refused: Path) -> None:
        opened = h5py.File

        def open_other(path: Path, *arguments: object, **options: object) -> h5py.File:
            if Path(path) == refused:
                raise request.param
            return opened(path, *arguments, **options)

        monkeypatch.setattr(feature_file.h5py, "File", open_other)

    return refuse


def test_it_is_told_from_a_damaged_file(publish: Publish, refuse: Callable[[Path], None]) -> None:
    path = publish(["a"])
    refuse(path)
    with pytest.raises(UnreadableFileError, match=r"train\.h5 cannot be read now \(.+\)"):
        open_feature_file(path)
    assert not issubclass(UnreadableFileError, CacheMismatchError)


def test_it_may_hold_rows_that_no_newer_file_has(
    entry: Entry, publish: Publish, refuse: Callable[[Path], None]
) -> None:
    newer = publish(["a"])
    retired = publish(["b"], path=entry.folder / "train.1.h5.retired")
    refuse(retired)
    with pytest.raises(UnreadableFileError):
        holds_unique_rows(retired, [newer])
    (left,) = delete_redundant(entry, [])
    assert left.path == retired
    assert left.reason.startswith("cannot be read now (")
    assert retired.exists()


def test_it_is_of_no_use_among_the_newer_files(
    entry: Entry, publish: Publish, refuse: Callable[[Path], None]
) -> None:
    newer = publish(["a"])
    retired = publish(["a"], path=entry.folder / "train.1.h5.retired")
    assert not holds_unique_rows(retired, [newer])
    refuse(newer)
    assert holds_unique_rows(retired, [newer])


def test_its_rows_are_not_found_but_others_are(
    entry: Entry, publish: Publish, refuse: Callable[[Path], None]
) -> None:
    publish(["a"], split="val")
    refused = publish(["b"])
    refuse(refused)
    stored = stored_rows(entry.folder.parents[1], entry.spec)
    assert len(stored.keys) == 1
    assert [one.path for one in stored.left] == [refused]


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENOMEM])
def test_features_that_cannot_be_mapped(
    number: int, publish: Publish, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = open_feature_file(publish(["a"]))

    def refuse(*arguments: object, **options: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(format.np, "memmap", refuse)
    with pytest.raises(UnreadableFileError, match=os.strerror(number)):
        _ = opened.features


def test_a_spec_that_cannot_be_read(entry: Entry, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: Path) -> str:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))

    monkeypatch.setattr(Path, "read_text", refuse)
    with pytest.raises(UnreadableFileError, match=r"spec\.json cannot be read now \(Permission denied\)"):
        read_entry(entry.folder)


def test_what_lies_in_the_content_is_no_refusal(tmp_path: Path) -> None:
    assert system_refusal(OSError("file signature not found")) == ""
    assert system_refusal(OSError(errno.EINVAL, "Invalid argument")) == ""
    assert system_refusal(ValueError("no number")) == ""
    with h5py.File(tmp_path / "file", "w") as file, pytest.raises(KeyError) as caught:
        file["nothing"]
    assert system_refusal(caught.value) == ""
