"""Fixtures that more than one part of the suite needs."""

from __future__ import annotations

import dataclasses
import gc
import hashlib
import importlib.util
import logging
import os
import secrets
import signal
import subprocess
import sys
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING

import numpy as np
import pytest
from chromium import Visit, find_chromium, running_browser, visiting
from counting_engine import BACKBONE, CountingEngine, expected_row
from photos import Photos

from pipeline.backbones import table, weights
from pipeline.cache import FeatureSet, open_features
from pipeline.extraction import Extraction, FeatureRequest, extract
from pipeline.images import file_systems
from pipeline.images.row_table import RowTable
from pipeline.images.targets import LABELS
from pipeline.runtimes.keras import import_keras
from pipeline.runtimes.ray import import_ray
from pipeline.spec import FeatureSpec
from pipeline.stopping import SIGNALS

if TYPE_CHECKING:
    from playwright.sync_api import Browser

TARGETS = {"labels": ("=red", "<b>round</b>"), "number": ("size", "<b>age</b>")}
"""Names of the targets of :func:`make_targets`, two that a page and a table must not take for their own."""
SHARED = Path(__file__).resolve().parents[2] / "shared"
CLUSTER = """
import sys
from pipeline.runtimes.ray import import_ray
ray = import_ray()
settings = dict(num_cpus=2, include_dashboard=False, object_store_memory=100_000_000, log_to_driver=False)
try:
    started = ray.init(**settings)
except Exception:  # on a busy machine: Ray gives its processes half a minute to start
    ray.shutdown()
    started = ray.init(**settings)
print(started.address_info["address"], flush=True)
sys.stdin.read()
"""


def hear_signals() -> None:
    """Has processes that tests start hear signals that were ignored when the tests began, as `nohup` has it.

    What is ignored is inherited; a handler is not, even one that does nothing.
    """
    for number in SIGNALS:
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, lambda number, frame: None)


hear_signals()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Gives the tests of a file to one worker, and all that need the Ray cluster: it is started once.

    They come first, because they take longest.
    """
    for item in items:
        group = "ray" if "cluster" in item.fixturenames else item.location[0]
        item.add_marker(pytest.mark.xdist_group(group))
    items.sort(key=lambda item: "cluster" not in item.fixturenames)


@pytest.fixture(scope="module", autouse=True)
def small_heap() -> None:
    """Keeps what has been imported and collected so far out of every later search for garbage.

    With TensorFlow and thousands of tests in memory, one such search takes a second.
    """
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="session", autouse=True)
def no_wait_for_the_disk() -> Iterator[None]:
    """Spares this process the disk's answer: nothing that a test writes need outlast a power cut.

    What is asked of the disk is followed by ``synced.py``; processes that tests start ask it in earnest.
    """
    with pytest.MonkeyPatch.context() as patch:
        for name in {"fsync", "fdatasync"} & set(dir(os)):
            patch.setattr(os, name, os.fstat)  # a file that is not open is still refused
        yield


@pytest.fixture
def no_file_left_open() -> Iterator[None]:
    """Asserts that a test closes what it opens: Python warns of its own files only, not of their numbers."""
    numbers = Path("/proc/self/fd")
    before = len(os.listdir(numbers)) if numbers.is_dir() else 0
    yield
    assert not numbers.is_dir() or len(os.listdir(numbers)) == before


@pytest.fixture(scope="session")
def shared() -> Path:
    """Real photographs and weights beside the checkout; tests that need them are skipped without."""
    if not SHARED.is_dir():
        pytest.skip(f"real photographs and weights are not at {SHARED}")
    return SHARED


@pytest.fixture(scope="session")
def cluster() -> Iterator[ModuleType]:
    """Starts Ray once for all tests and connects to it, or skips them where it is not installed.

    It has a process of its own: Ray leaves the pipes of what it starts to the garbage collector.
    """
    if importlib.util.find_spec("ray") is None:
        pytest.skip("the package ray is not installed")
    os.environ |= {"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": secrets.token_hex(32)}
    ray = import_ray()
    holder = subprocess.Popen(
        [sys.executable, "-c", CLUSTER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    with holder:
        ray.init(address=holder.stdout.readline().strip(), logging_level=logging.ERROR, log_to_driver=False)
        yield ray
        ray.shutdown()
        holder.stdin.close()


@pytest.fixture
def spec() -> FeatureSpec:
    return FeatureSpec(
        backbone="vgg16",
        weights="random:0",
        layer="block5_pool",
        pooling="none",
        image_size=150,
        preprocessing="caffe",
        precision="float32",
        store="float32",
    )


@pytest.fixture
def make_features(spec: FeatureSpec, tmp_path: Path) -> Callable[..., FeatureSet]:
    """Builds a FeatureSet in memory from (features, labels)."""

    def make(
        features: np.ndarray, labels: np.ndarray, *, split: str = "train", **changes: object
    ) -> FeatureSet:
        n = len(features)
        digests = np.array(
            [list(hashlib.sha256(f"{split}{i}".encode()).digest()) for i in range(n)], np.uint8
        ).reshape(n, 32)
        fields: dict[str, object] = {
            "features": features,
            "rows": RowTable(
                ids=[f"{split}/image{i}.png" for i in range(n)],
                labels=np.asarray(labels, np.int32),
                digests=digests,
                views=np.zeros(n, np.uint8),
            ),
            "crc32": np.array([zlib.crc32(np.ascontiguousarray(row).data) for row in features], np.uint32),
            "spec": spec,
            "classes": tuple(f"class{i}" for i in range(int(max(labels, default=0)) + 1)),
            "split": split,
            "dataset": "toy",
            "path": tmp_path / "toy" / spec.entry_name / f"{split}.h5",
        }
        return FeatureSet(**(fields | changes))

    return make


@pytest.fixture
def trusted_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets the temporary folder stand on a file system whose change times can be relied on."""
    mounts = [file_systems.Mount(tmp_path.stat().st_dev, "/", "ext4", "/dev/vda", "rw")]
    monkeypatch.setattr(file_systems, "read_mounts", lambda: mounts)


@pytest.fixture
def photos(tmp_path: Path) -> Photos:
    """A folder of tiny photographs; empty until a test adds some."""
    return Photos(tmp_path / "photos")


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch) -> CountingEngine:
    """Takes the place of Keras in stage one and counts every image."""
    counting = CountingEngine()
    counting.install(monkeypatch)
    return counting


@pytest.fixture
def cache(tmp_path: Path) -> Path:
    """Folder of a cache that does not exist yet."""
    return tmp_path / "features"


@pytest.fixture
def run(photos: Photos, engine: CountingEngine, cache: Path) -> Callable[..., list[Extraction]]:
    """Runs stage one on the photographs with the counting engine."""

    def run(
        *,
        name: str | None = None,
        skip_bad: bool = False,
        rows_per_file: int | None = None,
        **request: object,
    ) -> list[Extraction]:
        wanted = FeatureRequest(**({"batch_size": 4} | BACKBONE | request))
        return extract(
            str(photos.root), wanted, cache=cache, name=name, skip_bad=skip_bad, rows_per_file=rows_per_file
        )

    return run


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A headless Chromium for the tests of one file."""
    program = find_chromium()
    if program is None or importlib.util.find_spec("playwright") is None:
        pytest.skip("no browser: needs the program `chromium` and the Python package `playwright`")
    with running_browser(program) as running:
        yield running


@pytest.fixture
def visit(browser: Browser) -> Iterator[Callable[..., Visit]]:
    """Opens addresses, each in a window of its own that is closed after the test; see ``visiting``."""
    with ExitStack() as windows:
        yield lambda address, **options: windows.enter_context(visiting(browser, address, **options))


@pytest.fixture
def tiny_base(monkeypatch: pytest.MonkeyPatch) -> None:
    """Adds the backbone ``tiny``: a stem, and above it one convolution with batch norm."""
    row = dataclasses.replace(table.BACKBONES["mobilenet_v2"], factory="Tiny", layer="end", min_size=1)
    for module in (table, weights):
        monkeypatch.setattr(module, "BACKBONES", {**module.BACKBONES, "tiny": row})
    monkeypatch.setattr(import_keras().applications, "Tiny", _build_tiny, raising=False)


def _build_tiny(*, weights: None, include_top: bool, input_shape: tuple[int, ...]) -> object:
    keras = import_keras()
    layers = keras.layers
    inputs = keras.Input(input_shape)
    outputs = layers.Conv2D(8, 3, strides=2, padding="same", name="stem")(inputs)
    outputs = layers.Conv2D(16, 1, name="conv")(outputs)
    outputs = layers.BatchNormalization(name="norm")(outputs)
    return keras.Model(inputs, layers.ReLU(name="end")(outputs))


@pytest.fixture
def assert_complete(photos: Photos) -> Callable[..., None]:
    """Asserts that an entry holds exactly the photographs, each with its own features and label."""

    def check(extraction: Extraction, without: tuple[Path, ...] = ()) -> None:
        entry = extraction.entry
        for split in entry.splits:
            files = [path for path in photos.files(split) if path not in without]
            features = open_features(entry, split)
            assert list(features.rows.ids) == [str(path.relative_to(photos.root)) for path in files]
            assert [features.classes[label] for label in features.labels] == [f.parent.name for f in files]
            expected = np.array([expected_row(path, entry.spec.layer) for path in files])
            np.testing.assert_array_equal(features.to_memory(), expected.astype(entry.spec.store))
        assert {path.parts[-3] for path in photos.root.glob("*/*/*")} == set(entry.splits)

    return check


@pytest.fixture
def make_targets(make_features: Callable[..., FeatureSet]) -> Callable[..., FeatureSet]:
    """Builds rows whose first two channels tell the targets; of some rows one or both are unknown."""

    def make(target: str, split: str = "train", *, rows: int = 60, groups: int = 0) -> FeatureSet:
        random = np.random.default_rng([len(split), rows])
        features = random.normal(size=(rows, 6))
        marks = random.integers(0, 2, (rows, 2))
        features[:, :2] += 2 * marks
        noise = random.normal(scale=0.3, size=(rows, 2))
        values = (marks if target == LABELS else features[:, :2] + noise).astype(np.float32)
        values[::9, 1] = np.nan
        values[3] = np.nan
        made = make_features(
            features.astype(np.float16), np.full(rows, -1), split=split, classes=TARGETS[target]
        )
        names = [f"g{i % groups}" for i in range(rows)] if groups else ()
        rows_of = dataclasses.replace(made.rows, targets=values, groups=names)
        return dataclasses.replace(made, rows=rows_of, target=target)

    return make
