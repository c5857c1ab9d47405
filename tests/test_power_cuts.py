"""Whatever is published is on the disk before it has its name, and its name is there when the work is done.

`docs/reliability.md`: "rows are marked done after `fdatasync`, folders are synced after renames".
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from onnx_files import convnet, save
from photos import Photos
from synced import SyncedFiles

from pipeline import registry
from pipeline.backbones import shelf
from pipeline.backbones.at_hand import BaseAtHand
from pipeline.backbones.weights import Weights
from pipeline.cache import FeatureSet
from pipeline.cache.converted_bases import ConvertedBase
from pipeline.cache.exchange import exporting, formats
from pipeline.cache.features import Selection
from pipeline.cache.networks import FILES
from pipeline.choosing import choose
from pipeline.evaluation import evaluate, page
from pipeline.evaluation.comparison import compare_heads, head_folders
from pipeline.evaluation.ledger import LEDGER, record_look
from pipeline.evaluation.page import write_report_page
from pipeline.evaluation.targets import evaluate_targets
from pipeline.evaluation.targets.page import write_target_page
from pipeline.extraction import Extraction, FeatureRequest
from pipeline.extraction.engines import _networks
from pipeline.extraction.measurements import Measurements
from pipeline.heads import Temperature, save_temperature, train_head
from pipeline.serving import Answer, gather_images
from pipeline.serving.evidence_files import EvidenceFolder
from pipeline.serving.export._placing import replacing
from pipeline.sweeps import Candidate, candidates, sweep
from pipeline.sweeps.leaderboard import write_leaderboard

PACKAGE = Path(__file__).parents[1] / "pipeline"
PUBLISHING = {"written", "replace", "published", "put_in_place", "replace_within"}
"""What gives a file or folder the name of an older one."""
IMPORTS = re.compile(r"from pipeline\.(?:files|publishing) import (\(.*?\)|.*?$)", re.DOTALL | re.MULTILINE)

pytestmark = pytest.mark.skipif(not Path("/proc/self/fd").is_dir(), reason="open files have no paths here")


@pytest.fixture
def disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], SyncedFiles]:
    """Follows a folder from now on."""
    return lambda folder: SyncedFiles(tmp_path / folder, monkeypatch)


@pytest.fixture
def rows(make_features: Callable[..., FeatureSet]) -> Callable[[str], FeatureSet]:
    """Makes rows of two classes that a head can learn."""

    def rows(split: str) -> FeatureSet:
        labels = np.arange(40) % 2
        features = np.random.default_rng(len(split)).normal(size=(40, 6)).astype(np.float32)
        features[:, 0] += 2 * labels
        return make_features(features, labels, split=split)

    return rows


def assert_kept(disk: SyncedFiles, *names: str) -> None:
    """Asserts that nothing is lost, and that names like these, or fitting these patterns, were given."""
    assert disk.faults == []
    assert disk.lost_in_a_power_cut() == []
    published = [Path(name) for name in disk.renamed]
    assert [name for name in names if not any(one.match(name) for one in published)] == []


@pytest.mark.parametrize("links", [True, False])
def test_feature_files(
    links: bool,
    photos: Photos,
    run: Callable[..., list[Extraction]],
    disk: Callable[[str], SyncedFiles],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError

    if not links:  # then what is retired is copied
        monkeypatch.setattr(os, "link", refuse)
    photos.add("train/cats", 3)
    gone = photos.add("train/dogs", 3)[0]
    photos.add("test/dogs", 2)
    features = disk("features")
    run()
    assert_kept(features, "spec.json", "train.h5.partial", "train.h5", "test.h5")
    gone.unlink()
    photos.add("train/cats", 2)
    (extraction,) = run()
    assert [path.name for path in extraction.entry.retired()] == ["train.1.h5.retired"]
    assert_kept(features, "train.h5")
    run(rows_per_file=4)
    assert_kept(features, "train-00001-of-00002.h5")


def test_heads_and_their_temperatures(
    rows: Callable[[str], FeatureSet], tmp_path: Path, disk: Callable[[str], SyncedFiles]
) -> None:
    runs = disk("runs")
    for _ in range(2):
        trained = train_head("prototype", rows("train"), None, runs=tmp_path / "runs")
        assert_kept(runs, "prototype")
    save_temperature(trained, Temperature(value=2.0, low=1.5, high=2.5, rows=300))
    assert_kept(runs, "head.json")


def test_choices(tmp_path: Path, disk: Callable[[str], SyncedFiles]) -> None:
    runs = disk("runs")
    bases = [BaseAtHand("pixels", "", (4,))]
    options = {"bases": bases, "candidates": [Candidate("prototype")]}
    for _ in range(2):
        choose("sample:150:builtin:digits", cache=tmp_path / "features", runs=tmp_path / "runs", **options)
        assert_kept(runs, "choice.json", "choice.png", "recipe.toml")


def test_sweeps(
    rows: Callable[[str], FeatureSet], tmp_path: Path, disk: Callable[[str], SyncedFiles]
) -> None:
    runs = disk("runs")
    board = sweep(candidates([("knn", {})]), rows("train"), rows("val"), runs=tmp_path / "runs", jobs=1)
    assert_kept(runs, "results/*.json")
    write_leaderboard(board)
    assert_kept(runs, *(f"leaderboard.{end}" for end in ("csv", "json", "png")))


def test_reports_comparisons_and_ledgers(
    rows: Callable[[str], FeatureSet],
    tmp_path: Path,
    disk: Callable[[str], SyncedFiles],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    runs, test = disk("runs"), rows("test")
    heads = [train_head(name, rows("train"), None, runs=tmp_path / "runs") for name in ("knn", "prototype")]
    for _ in range(2):
        evaluated = evaluate(heads[0], test)
        evaluated.write()
        assert_kept(runs, "knn/test")
    folder = heads[0].folder.parent
    compare_heads(head_folders(folder), test).write()
    assert_kept(runs, "comparison/test")
    (tmp_path / "copy").hardlink_to(folder / LEDGER)  # which makes it be copied
    record_look(folder, head="knn", split="test", probabilities=np.zeros(1), digests=test.rows.digests)
    assert_kept(runs, LEDGER)
    monkeypatch.setattr(page, "gather", lambda *_, **__: None)
    monkeypatch.setattr(page, "render", lambda _: "<!doctype html>")
    write_report_page(evaluated, tmp_path / "runs" / "page.html", head=heads[0], features={})
    assert_kept(runs, "page.html")


def test_exports(tmp_path: Path, disk: Callable[[str], SyncedFiles]) -> None:
    exports = disk("exports")
    for text in ("older", "newer"):
        with replacing(tmp_path / "exports" / "model") as draft:
            (draft / "variables").mkdir(parents=True)
            (draft / "saved_model.pb").write_text(text)
            (draft / "variables" / "variables.index").write_text(text)
        with replacing(tmp_path / "exports" / "model.keras") as draft:
            draft.write_bytes(b"PK\3\4" + text.encode())
        assert_kept(exports, "model", "model.keras")


def test_quantised_networks(
    tmp_path: Path, disk: Callable[[str], SyncedFiles], monkeypatch: pytest.MonkeyPatch
) -> None:
    def save(network: str, path: str, **_: object) -> None:
        for end in (".xml", ".bin"):
            Path(path).with_suffix(end).write_text(network)

    cache, folder = disk("features"), tmp_path / "features" / "toy" / "int8" / "network"
    folder.mkdir(parents=True)
    monkeypatch.setattr(_networks, "import_openvino", lambda: SimpleNamespace(save_model=save))
    calibration = SimpleNamespace(folder=folder, cache=tmp_path / "features", to_record=str)
    _networks._store("network", calibration)
    assert_kept(cache, *FILES, "calibration.json")


def test_converted_bases_and_measurements(tmp_path: Path, disk: Callable[[str], SyncedFiles]) -> None:
    def save(network: str, path: Path) -> None:
        for end in (".xml", ".bin"):
            path.with_suffix(end).write_text(network)

    request = FeatureRequest(precision="float32", engine="openvino", resize="bilinear-antialias")
    specs = request.specs(Weights("random:0", "random", seed=0))
    cache, folder = disk("features"), tmp_path / "features"
    folder.mkdir()
    ConvertedBase(folder, specs).read_or_make(lambda: "<net", save=save, load=lambda *_: None)
    assert_kept(cache, *FILES, "network.json")
    for rate in (1.0, 2.0):
        Measurements(folder, specs, dict).remember("auto float32", {"keras float32": rate})
        assert_kept(cache, ".measurements.json")


def test_bases_on_the_shelf(
    tmp_path: Path, disk: Callable[[str], SyncedFiles], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(shelf.PLACE, str(tmp_path / "shelf"))
    network, followed = save(convnet(), tmp_path / "net.onnx"), disk("shelf")
    for _ in range(2):
        shelf.add("mine", network)
        assert_kept(followed, "mine")


def test_evidence(
    photos: Photos, run: Callable[..., list[Extraction]], tmp_path: Path, disk: Callable[[str], SyncedFiles]
) -> None:
    photos.add("train/cats", 3)
    photos.add("train/dogs", 3)
    train = Selection(tuple(one.entry for one in run(backbone="pixels"))).open("train")
    head = train_head("prototype", train, None, runs=tmp_path / "runs")
    source, out = gather_images(photos.files("train")[:1]), disk("out")
    for _ in range(2):
        drawings = EvidenceFolder(tmp_path / "out", head, train, source)
        features, (item,) = train.read(np.array([0]))[0], source.items()
        drawings.draw(Answer(item.id, b"", features, probabilities=np.array([1.0, 0.0])))
        assert_kept(out, "0001-*.png")


@pytest.mark.parametrize("format", registry.names(formats))
def test_exported_features(
    format: str, rows: Callable[[str], FeatureSet], tmp_path: Path, disk: Callable[[str], SyncedFiles]
) -> None:
    out = disk("out")
    for _ in range(2):
        written = exporting.export_features([rows("train")], tmp_path / f"out/a.{format}", force=True)
        assert_kept(out, *(file.name for file in written.files))


def test_reports_of_numbers(
    rows: Callable[[str], FeatureSet], tmp_path: Path, disk: Callable[[str], SyncedFiles]
) -> None:
    def numbers(split: str) -> FeatureSet:
        made = rows(split)
        sizes = np.asarray(made.features[:, :1], np.float32)
        table = replace(made.rows, targets=sizes, labels=np.full(len(sizes), -1, np.int32))
        return replace(made, rows=table, target="number", classes=("size",))

    runs = disk("runs")
    head = train_head("ridge", numbers("train"), None, runs=tmp_path / "runs")
    for _ in range(2):
        report = evaluate_targets(head, numbers("test"))
        report.write(page=partial(write_target_page, report))
        assert_kept(runs, "ridge/test")


def test_every_publisher_is_among_these() -> None:
    found = set()
    for path in PACKAGE.rglob("*.py"):
        for names in IMPORTS.findall(path.read_text()):
            if PUBLISHING & set(re.findall(r"\w+", names)):
                found.add(str(path.relative_to(PACKAGE)))
    assert found == {
        "backbones/shelf.py",
        *("cache/converted_bases.py", "cache/entries.py", "cache/exchange/exporting.py"),
        "cache/partial_file.py",
        *("evaluation/files.py", "evaluation/ledger.py", "evaluation/page/__init__.py"),
        *("evaluation/targets/page.py", "evaluation/targets/report.py"),
        *("extraction/engines/_networks.py", "extraction/measurements.py"),
        *("choosing/results.py", "heads/_core/saving.py"),
        *("serving/evidence_files.py", "serving/export/_placing.py"),
        *("sweeps/leaderboard.py", "sweeps/results.py"),
    }, "another module publishes: add it to a test of this file, which follows what it syncs"
