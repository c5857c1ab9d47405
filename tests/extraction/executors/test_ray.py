"""Stage one on a real Ray cluster of two workers: the files are those of one process, whatever dies."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from photos import Photos
from watched_executor import Watched

from pipeline import extraction as extraction_module
from pipeline.cache import open_features
from pipeline.cache.feature_file import open_feature_file
from pipeline.cache.format import FILLED
from pipeline.errors import PipelineError
from pipeline.extraction import Extraction
from pipeline.extraction.engines import BatchTooLargeError
from pipeline.extraction.executors.ray import RayExecutor, RaySession
from pipeline.images import ImageItem, open_images
from pipeline.images.sources._files import FileSource
from pipeline.memory import ShortageError

Fill = Callable[..., Extraction]
TWO = RayExecutor(workers=2)
HERE = os.getpid()
NETWORK = {
    "backbone": "mobilenet_v2_035",
    "weights": "random",
    "precision": "float32",
    "layers": ("block_1_expand_relu:avg",),
}

pytestmark = pytest.mark.usefixtures("cluster")


@pytest.fixture
def pictures(photos: Photos) -> Photos:
    """70 pictures in three splits, one of them twice."""
    photos.add("train/cats", 30)
    photos.add("train/dogs", 20)
    photos.add("val/cats", 12)
    photos.add("test/dogs", 7)
    twin = photos.files("train")[-1]
    (photos.root / "val/cats/twin.png").write_bytes(twin.read_bytes())
    return photos


def assert_same(one: Extraction, other: Extraction) -> None:
    """Asserts that two entries hold the same rows in files of the same columns."""
    assert one.entry.splits == other.entry.splits
    assert one.entry.shards == other.entry.shards
    for shard in (shard for shards in one.entry.shards.values() for shard in shards):
        mine, theirs = (open_feature_file(each.entry.file(shard.name)) for each in (one, other))
        assert mine.rows.equals(theirs.rows)
        assert mine.done.all()
        assert mine.offsets == theirs.offsets
        assert mine.offsets.keys() == set(FILLED)
        np.testing.assert_array_equal(mine.crc32, theirs.crc32)
        np.testing.assert_array_equal(mine.features, theirs.features)
        assert mine.rows.labels.tolist() == theirs.rows.labels.tolist()


def assert_pixels(report: Extraction, photos: Photos) -> None:
    """Asserts that every row holds the pixels of its own picture."""
    from PIL import Image

    for split in report.entry.splits:
        files = photos.files(split)
        features = open_features(report.entry, split)
        assert list(features.rows.ids) == [str(path.relative_to(photos.root)) for path in files]
        np.testing.assert_array_equal(features.to_memory(), [np.asarray(Image.open(path)) for path in files])


@pytest.mark.parametrize("write", ["auto", "driver"])
def test_the_files_are_those_of_one_process(
    write: str, pictures: Photos, fill: Fill, capsys: pytest.CaptureFixture[str]
) -> None:
    distributed = fill(replace(TWO, write=write), "ray", views=1)
    alone = fill(None, "local", views=1)
    assert_same(distributed, alone)
    assert distributed.computed == alone.computed == 69 + 50
    told = capsys.readouterr().err
    assert (
        "write their rows where the cache lies" if write == "auto" else "come back to this process"
    ) in told
    assert {path.name for path in distributed.entry.folder.iterdir()} == {
        path.name for path in alone.entry.folder.iterdir()
    }


def test_splits_in_several_files(pictures: Photos, fill: Fill) -> None:
    distributed = fill(TWO, "ray", rows_per_file=15)
    alone = fill(None, "local", rows_per_file=15)
    assert_same(distributed, alone)
    assert len(distributed.splits["train"].files) == 4
    assert distributed.computed == alone.computed == 69
    assert_pixels(distributed, pictures)


def test_a_worker_that_is_late_for_a_file_is_not_taken_for_one_that_is_ready_for_the_next(
    pictures: Photos, fill: Fill, cluster: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    wait, pools, left = cluster.wait, [], []

    def beginnings_last(calls: list[object], **options: object) -> object:
        under_way = pools[-1]._calls if pools else {}
        others = [ref for ref in calls if ref not in under_way or under_way[ref].method != "begin"]
        return wait(others or calls, **options)

    class OfBoth(RayExecutor):
        @contextmanager
        def session(self) -> Iterator[RaySession]:
            with super().session() as session:
                one_file = session.fill

                def whole(*arguments: Any, **options: Any) -> Any:
                    session.gather(2)
                    pools.append(session._pool)
                    failures = one_file(*arguments, **options)
                    left.append([call.method for call in session._pool._calls.values()])
                    return failures

                monkeypatch.setattr(session, "fill", whole)
                yield session

    monkeypatch.setattr(cluster, "wait", beginnings_last)
    assert_pixels(fill(OfBoth(workers=2), "ray", rows_per_file=15), pictures)
    assert len(left) >= 4
    assert not any(left)


def test_a_network_gives_the_same_features(pictures: Photos, fill: Fill) -> None:
    assert_same(fill(RayExecutor(workers=1), "ray", **NETWORK), fill(None, "local", **NETWORK))


def test_a_call_takes_place_in_a_process_of_its_own() -> None:
    def process_id() -> int:
        return os.getpid()

    with TWO.session() as session:
        processes = {HERE, session.call(process_id), session.call(process_id)}
    assert len(processes) == 3


def test_a_call_that_fails_is_told() -> None:
    def refuse() -> None:
        raise PipelineError("no such engine")

    def stumble() -> float:
        return 1 / 0

    def die() -> None:
        os._exit(1)

    with TWO.session() as session:
        with pytest.raises(PipelineError, match=r"^no such engine$"):
            session.call(refuse)
        with pytest.raises(PipelineError, match=r"cannot measure: .*division by zero.*name --precision"):
            session.call(stumble)
        with pytest.raises(PipelineError, match=r"measured on the Ray cluster died .*name --precision"):
            session.call(die)


def test_a_killed_worker_is_replaced(
    pictures: Photos, fill: Fill, capsys: pytest.CaptureFixture[str]
) -> None:
    killed: list[int] = []

    def kill_one(session: RaySession) -> None:
        if not killed:
            member = next(one for one in session._pool._members if one.introduction)
            killed.append(member.introduction.pid)
            os.kill(member.introduction.pid, signal.SIGKILL)

    report = fill(Watched(TWO, kill_one), "ray")
    assert_pixels(report, pictures)
    assert f"process {killed[0]}, is gone" in capsys.readouterr().err
    assert report.computed == 69


class Poisoned(FileSource):
    """Ends the process that reads one of its pictures."""

    poison = "train/cats/0005.png"

    def read(self, item: ImageItem) -> bytes:
        if item.id == self.poison and os.getpid() != HERE:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().read(item)


class Refusing(FileSource):
    """Fails in a way that concerns the whole run."""

    def read(self, item: ImageItem) -> bytes:
        if os.getpid() != HERE:
            raise PipelineError("the disk is full")
        return super().read(item)


class Greedy(FileSource):
    """Has too large a batch, once."""

    def read(self, item: ImageItem) -> bytes:
        told = Path(f"{self.uri}.told")
        if item.id.startswith("val") and not told.exists() and os.getpid() != HERE:
            told.touch()
            raise BatchTooLargeError
        return super().read(item)


@pytest.fixture
def opened_as(cluster: ModuleType, monkeypatch: pytest.MonkeyPatch) -> Callable[[type[FileSource]], None]:
    """Makes stage one open folders as another kind of source, which travels to the workers by value."""

    def become(kind: type[FileSource]) -> None:
        def opened(uri: str, options: object = None) -> FileSource:
            source = open_images(uri)
            return kind(source.uri, source.name, source.classes, source.notes, source.listed)

        monkeypatch.setattr(extraction_module, "open_images", opened)

    module = sys.modules[__name__]
    cluster.cloudpickle.register_pickle_by_value(module)
    yield become
    cluster.cloudpickle.unregister_pickle_by_value(module)


def test_a_block_that_kills_its_workers_is_given_up_and_all_others_are_finished(
    pictures: Photos,
    fill: Fill,
    opened_as: Callable[[type[FileSource]], None],
) -> None:
    opened_as(Poisoned)
    report = fill(TWO, "ray")
    assert [failure.id for failure in report.failures] == [f"train/cats/{i:04}.png" for i in range(8)]
    assert all("its block was given up" in failure.reason for failure in report.failures)
    assert report.unfinished == ["train"]
    done = open_feature_file(report.entry.partial("train")).done
    assert np.flatnonzero(~done).tolist() == [*range(8)]


def test_workers_that_are_ended_for_want_of_memory_are_no_fault_of_the_images(
    pictures: Photos,
    fill: Fill,
    opened_as: Callable[[type[FileSource]], None],
    cluster: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    get = cluster.get

    def with_reason(*arguments: object) -> object:
        try:
            return get(*arguments)
        except cluster.exceptions.RayActorError as error:
            message = "Task was killed due to the node running low on memory.\nTo disable this, ..."
            raise cluster.exceptions.OutOfMemoryError(message) from error

    opened_as(Poisoned)
    monkeypatch.setattr(cluster, "get", with_reason)
    with pytest.raises(ShortageError, match=r"memory of a worker does not suffice \(Task was .* on memory\)"):
        fill(TWO, "ray", skip_bad=True)


def test_a_batch_that_does_not_fit_is_halved(
    pictures: Photos,
    fill: Fill,
    opened_as: Callable[[type[FileSource]], None],
    capsys: pytest.CaptureFixture[str],
) -> None:
    opened_as(Greedy)
    report = fill(TWO, "ray")
    assert "going on with batches of 2" in capsys.readouterr().err
    assert_pixels(report, pictures)


def test_a_picture_that_cannot_be_read_fails_alone(pictures: Photos, fill: Fill) -> None:
    bad = pictures.files("train")[3]
    pictures.spoil(bad)
    distributed, alone = fill(TWO, "ray"), fill(None, "local")
    assert [failure.id for failure in distributed.failures] == [str(bad.relative_to(pictures.root))]
    assert distributed.failures == alone.failures
    assert distributed.unfinished == ["train"]
    assert_same(fill(TWO, "ray", skip_bad=True), fill(None, "local", skip_bad=True))


def test_what_one_executor_began_another_finishes(pictures: Photos, fill: Fill) -> None:
    def stop(session: RaySession) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fill(Watched(TWO, stop), "ray")
    report = fill(None, "ray")
    assert 0 < report.computed < 69
    assert_pixels(report, pictures)


def test_a_finished_cache_needs_no_worker(
    pictures: Photos, fill: Fill, capsys: pytest.CaptureFixture[str]
) -> None:
    fill(None, "ray")
    report = fill(TWO, "ray")
    assert report.computed == 0
    assert "ray:" not in capsys.readouterr().err


def test_an_error_in_a_worker_is_told_as_without_ray(
    pictures: Photos, fill: Fill, opened_as: Callable[[type[FileSource]], None]
) -> None:
    opened_as(Refusing)
    with pytest.raises(PipelineError, match=r"^the disk is full$"):
        fill(TWO, "ray")
