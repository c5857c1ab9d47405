from __future__ import annotations

import os
import sqlite3
import time

import pytest

from pipeline.images.stat_cache import UNSETTLED, Known, Remote, Stamp, StatCache

DIGEST = bytes(range(32))


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "image.png"
    path.write_bytes(b"first")
    return path


@pytest.fixture
def cache_file(tmp_path):
    return tmp_path / "cache" / "digests.sqlite"


def remember(cache_file, *paths):
    with StatCache(cache_file) as cache:
        cache.store([Known(path, Stamp.of(path), DIGEST) for path in paths])


def recall(cache_file, *paths):
    with StatCache(cache_file) as cache:
        return cache.look_up(paths)


def test_an_unchanged_file_is_known(file, cache_file):
    remember(cache_file, file)
    assert recall(cache_file, file, file.with_name("other.png")) == [DIGEST, None]


def test_looking_up_creates_nothing(file, cache_file):
    assert recall(cache_file, file) == [None]
    assert not cache_file.parent.exists()


def test_storing_nothing_creates_nothing(cache_file):
    remember(cache_file)
    assert not cache_file.parent.exists()


@pytest.mark.parametrize("content", [b"other", b"longer than before"])
def test_a_changed_file_is_unknown(content, file, cache_file):
    remember(cache_file, file)
    file.write_bytes(content)
    os.utime(file, ns=(0, file.stat().st_mtime_ns + 1))
    assert recall(cache_file, file) == [None]


def test_a_file_of_equal_size_and_time_that_took_its_place_is_unknown(file, cache_file):
    other = file.with_name("other.png")
    other.write_bytes(b"thief")
    for path in (file, other):
        os.utime(path, ns=(10**18, 10**18))
    remember(cache_file, file)
    time.sleep(0.02)  # past the clock tick of the last change
    other.replace(file)
    assert file.stat().st_mtime_ns == 10**18
    assert recall(cache_file, file) == [None]


def test_a_deleted_file_is_unknown(file, cache_file):
    remember(cache_file, file)
    file.unlink()
    assert recall(cache_file, file) == [None]


def test_a_new_digest_replaces_the_old(file, cache_file):
    remember(cache_file, file)
    with StatCache(cache_file) as cache:
        cache.store([Known(file, Stamp.of(file), bytes(32))])
        assert cache.look_up([file]) == [bytes(32)]


def test_names_that_are_no_text_work(tmp_path, cache_file):
    path = tmp_path / os.fsdecode(b"caf\xe9.png")
    path.write_bytes(b"x")
    remember(cache_file, path)
    assert recall(cache_file, path) == [DIGEST]


def test_many_files_are_looked_up_at_once(tmp_path, cache_file):
    files = [tmp_path / f"{i}.png" for i in range(2000)]
    for path in files:
        path.touch()
    remember(cache_file, *files)
    assert recall(cache_file, *files) == [DIGEST] * len(files)


def test_only_files_that_were_left_alone_for_two_seconds_are_settled():
    now = 10**18
    assert Stamp(1, now - 2 * 10**9, now).settled(now)
    assert not Stamp(1, now - 2 * 10**9 + 1, now).settled(now)
    assert not Stamp(1, now + 10**12, now).settled(now)


def a_text(path):
    path.parent.mkdir(parents=True)
    path.write_text("this is no database, but a text that is long enough to look like one" * 9)


def a_folder(path):
    path.mkdir(parents=True)


def a_file_in_the_way(path):
    path.parent.write_text("no folder")


def a_foreign_database(path):
    path.parent.mkdir(parents=True)
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE files (something TEXT)")
    connection.close()


@pytest.mark.parametrize("obstacle", [a_text, a_folder, a_file_in_the_way, a_foreign_database])
def test_work_goes_on_without_a_usable_cache(obstacle, file, cache_file, capsys):
    obstacle(cache_file)
    with StatCache(cache_file) as cache:
        assert cache.look_up([file]) == [None]
        cache.store([Known(file, Stamp.of(file), DIGEST)])
        cache.store([Known(file, Stamp.of(file), DIGEST)])
        assert cache.look_up([file]) == [None]
    note = capsys.readouterr().err
    assert note.count("\n") == 1
    assert f"note: {cache_file} cannot be used" in note


def test_a_database_that_cannot_be_written_is_still_read(file, cache_file, monkeypatch, capsys):
    remember(cache_file, file)
    connect = sqlite3.connect
    monkeypatch.setattr(sqlite3, "connect", lambda path: connect(f"file:{path}?mode=ro", uri=True))
    with StatCache(cache_file) as cache:
        assert cache.look_up([file]) == [DIGEST]
        cache.store([Known(file, Stamp.of(file), bytes(32))])
    assert "readonly" in capsys.readouterr().err


def test_without_a_file_nothing_is_known_or_stored(file):
    with StatCache(None) as cache:
        cache.store([Known(file, Stamp.of(file), DIGEST)])
        assert cache.look_up([file]) == [None]


def test_remote_objects_are_known_by_address_and_version(cache_file):
    known = [Remote(f"s3://bucket/{i}.png", "etag 1", bytes([i % 256]) * 32) for i in range(2000)]
    with StatCache(cache_file) as cache:
        assert cache.look_up_remote(known[:2]) == [None, None]
        cache.store_remote(known)
    with StatCache(cache_file) as cache:
        assert cache.look_up_remote(known) == [entry.digest for entry in known]
        assert cache.look_up_remote([Remote("s3://bucket/0.png", "etag 2")]) == [None]
        assert cache.look_up_remote([Remote("s3://other/0.png", "etag 1")]) == [None]
        cache.store_remote([Remote("s3://bucket/0.png", "etag 2", DIGEST)])
        assert cache.look_up_remote([known[0], Remote("s3://bucket/0.png", "etag 2")]) == [None, DIGEST]


def test_what_may_change_without_a_trace_is_not_remembered(cache_file):
    known = Remote("/shards/p.tar/1.png", f"{UNSETTLED} @512+3", DIGEST)
    with StatCache(cache_file) as cache:
        cache.store_remote([known])
        assert cache.look_up_remote([known]) == [None]


def test_a_cache_of_local_files_gets_no_table_of_remote_ones(file, cache_file):
    remember(cache_file, file)
    with sqlite3.connect(cache_file) as connection:
        assert connection.execute("SELECT name FROM sqlite_master").fetchall() == [("files",)]
    connection.close()
