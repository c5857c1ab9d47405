"""What a worker does in its own process: whether it writes its rows, and which filters it accepts."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from onnx_files import convnet, save, transformer
from photos import Photos, noise

from pipeline.backbones.weights import Weights, resolve_weights
from pipeline.cache.row_places import FeaturePlace
from pipeline.errors import PipelineError
from pipeline.extraction.augment import Augmentation
from pipeline.extraction.executors._ray_worker import Job, Worker
from pipeline.extraction.load import Loader
from pipeline.extraction.plan import plan_blocks
from pipeline.extraction.request import FeatureRequest
from pipeline.extraction.settle import SettledRequest
from pipeline.images import open_images
from pipeline.images.resizing import PILLOW

REQUEST = FeatureRequest(backbone="pixels", image_size=32)


@pytest.fixture
def job(photos: Photos, tmp_path: Path) -> Job:
    photos.add("train/cats", 3)
    photos.spoil(photos.add("train/cats")[0])
    source = open_images(str(photos.root))
    loader = Loader(
        source=source,
        items=source.items(),
        digests=None,
        views=np.zeros(4, np.uint8),
        augmentation=Augmentation(),
        image_size=32,
        batch_size=3,
        resize=PILLOW,
    )
    probe = tmp_path / "probe"
    probe.write_text("a token")
    return Job(loader, [[]], probe, "a token")


@pytest.fixture
def worker() -> Worker:
    worker = Worker()
    worker.load(REQUEST, resolve_weights("pixels", "none", 32), 1)
    return worker


def test_a_worker_writes_where_it_sees_what_was_put_there(worker: Worker, job: Job) -> None:
    assert worker.begin(job, "auto") == ""
    assert worker.begin(job, "workers") == ""
    assert worker.begin(job, "driver") == "as was asked"


def test_a_worker_elsewhere_hands_its_rows_back(worker: Worker, job: Job, tmp_path: Path) -> None:
    gone = replace(job, probe=tmp_path / "elsewhere" / "probe")
    assert "No such file" in worker.begin(gone, "auto")
    another = replace(job, token="another")  # noqa: S106
    assert "another folder" in worker.begin(another, "auto")
    with pytest.raises(PipelineError, match=r"--write workers: .* cannot write .* or give --write auto"):
        worker.begin(gone, "workers")


def test_a_block_comes_back_with_its_failures(worker: Worker, job: Job) -> None:
    worker.begin(job, "driver")
    keys = np.arange(4).astype("V8")
    (block,) = plan_blocks(keys, [np.zeros(4, bool)], 8)
    filled = worker.fill(block, job.token)
    ((first, second),) = filled.cuts
    assert (filled.rows, filled.written) == (4, False)
    assert [rows.tolist() for rows, _ in (first, second)] == [[0, 1, 2], []]
    np.testing.assert_array_equal(first[1], [noise(i) for i in range(3)])
    assert [failure.id for failure in filled.failures] == [job.loader.items[3].id]


def test_a_block_of_another_job_is_refused(worker: Worker, job: Job) -> None:
    (block,) = plan_blocks(np.arange(4).astype("V8"), [np.zeros(4, bool)], 8)
    worker.begin(job, "driver")
    with pytest.raises(RuntimeError, match="before its job had begun"):
        worker.fill(block, "of the next job")


def test_the_files_of_a_job_are_closed_when_the_next_begins(worker: Worker, job: Job, tmp_path: Path) -> None:
    path = tmp_path / "features"
    path.touch()
    job = replace(job, places=[[FeaturePlace(path, 0, 4, 0, 1)]])

    def opened() -> int:
        return sum(Path(each).resolve() == path for each in Path("/proc/self/fd").iterdir())

    for _ in range(3):
        assert worker.begin(job, "workers") == ""
        assert opened() == 1


@pytest.mark.parametrize("change", ["gone", "another"])
def test_other_filters_under_the_same_path_are_refused(change: str, tmp_path: Path) -> None:
    path = tmp_path / "filters.weights.h5"
    path.write_bytes(b"these")
    request = FeatureRequest(backbone="mobilenet_v2_035", image_size=32, precision="float32")
    weights: Weights = resolve_weights("mobilenet_v2_035", str(path), 32)
    if change == "gone":
        path.unlink()
    else:
        path.write_bytes(b"those")
    with pytest.raises(PipelineError, match=r"the worker on .* not the filters sha256:.* share"):
        Worker().load(request, weights, 1)


def test_a_base_in_a_file_is_loaded_where_the_file_is_the_same(tmp_path: Path) -> None:
    path = save(convnet(), tmp_path / "net.onnx")
    request = SettledRequest(
        backbone=str(path),
        layers=("vector",),
        engine="openvino",
        precision="float32",
        resize="bicubic-antialias",
    )
    weights = request.base.weights("imagenet", request.image_size)
    request, weights = pickle.loads(pickle.dumps((request, weights)))  # noqa: S301
    assert Worker().load(request, weights, 1).feature_shapes == [(8,)]
    save(transformer(), path)
    with pytest.raises(PipelineError, match="not the filters"):
        Worker().load(request, weights, 1)
