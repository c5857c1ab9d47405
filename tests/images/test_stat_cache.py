"""Digests by name and version; tests/test_record_store.py has what can happen to the file."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pipeline.images.stat_cache import UNSETTLED, Known, StatCache

DIGEST = bytes(range(32))


@pytest.fixture
def cache_file(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "digests.sqlite"


def remember(cache_file: Path, *images: Known) -> None:
    with StatCache(cache_file) as cache:
        cache.store(images)


def recall(cache_file: Path, *images: Known) -> list[bytes | None]:
    with StatCache(cache_file) as cache:
        return cache.look_up(images)


def test_an_image_is_known_by_name_and_version(cache_file: Path) -> None:
    remember(cache_file, Known("/a.png", "1", DIGEST), Known("s3://bucket/a.png", "etag 1", bytes(32)))
    looked_for = [
        *(Known("/a.png", version) for version in ("1", "2", None)),
        *(Known("s3://bucket/a.png", version) for version in ("etag 1", "1")),
        Known("/b.png", "1"),
    ]
    assert recall(cache_file, *looked_for) == [DIGEST, None, None, bytes(32), None, None]


def test_a_new_digest_replaces_the_old(cache_file: Path) -> None:
    remember(cache_file, Known("/a.png", "1", DIGEST))
    remember(cache_file, Known("/a.png", "2", bytes(32)))
    assert recall(cache_file, Known("/a.png", "1"), Known("/a.png", "2")) == [None, bytes(32)]


def test_what_is_forgotten_is_unknown(cache_file: Path) -> None:
    images = [Known("/a.png", "1", DIGEST), Known("/b.png", "1", DIGEST)]
    remember(cache_file, *images)
    with StatCache(cache_file) as cache:
        cache.forget(images[:1])
    assert recall(cache_file, *images) == [None, DIGEST]


@pytest.mark.parametrize("version", [None, f"{UNSETTLED} @512+3"])
def test_what_may_change_without_a_trace_is_not_remembered(version: str | None, cache_file: Path) -> None:
    known = Known("/shards/p.tar/1.png", version, DIGEST)
    remember(cache_file, known)
    assert not cache_file.exists()
    assert recall(cache_file, known) == [None]


def test_names_that_are_no_text_work(cache_file: Path) -> None:
    known = Known(os.fsdecode(b"/caf\xe9.png"), os.fsdecode(b"1 ext4 /dev/\xe9"), DIGEST)
    remember(cache_file, known)
    assert recall(cache_file, known) == [DIGEST]


def test_looking_up_and_storing_nothing_create_nothing(cache_file: Path) -> None:
    assert recall(cache_file, Known("/a.png", "1")) == [None]
    remember(cache_file)
    assert not cache_file.parent.exists()


def test_without_a_file_nothing_is_known_or_stored() -> None:
    with StatCache(None) as cache:
        cache.store([Known("/a.png", "1", DIGEST)])
        assert cache.look_up([Known("/a.png", "1")]) == [None]


def test_the_file_is_closed(cache_file: Path) -> None:
    with StatCache(cache_file) as cache:
        cache.store([Known("/a.png", "1", DIGEST)])
        assert is_open(cache_file)
    assert not is_open(cache_file)


def is_open(file: Path) -> bool:
    """Tells whether this process has a file open."""
    return any(os.path.realpath(opened) == str(file) for opened in Path("/proc/self/fd").iterdir())
