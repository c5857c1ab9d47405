from __future__ import annotations

import dataclasses
import importlib.util
import json
import os
import socket
import struct
import subprocess
import sys

import numpy as np
import pytest

from pipeline import registry
from pipeline.errors import PipelineError, UsageError
from pipeline.evaluation import loggers
from pipeline.evaluation.loggers import open_logger, scalars

HISTORY = {"loss": [1.0, 0.5], "val_loss": [1.0, 0.7]}


@pytest.mark.parametrize("name", registry.names(loggers))
def test_a_package_that_is_missing_is_named_with_the_line_that_installs_it(name, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda package: None)
    with pytest.raises(
        UsageError, match=rf"needs the package {name}: pip install 'two-stage-pipeline\[{name}\]'"
    ):
        open_logger(name)


def test_an_unknown_logger_is_refused_with_the_choices():
    with pytest.raises(UsageError, match=r"unknown logger 'tensorbored' \(did you mean 'tensorboard'\?\)"):
        open_logger("tensorbored")


def test_scalars_are_all_numbers(make_report):
    report = make_report(tuple("abcdef"), n=80)
    values = scalars(report)
    assert values["accuracy"] == report.figures.accuracy
    assert (values["accuracy_low"], values["accuracy_high"]) == report.figures.accuracy_ci
    assert (values["top_3"], values["top_5"]) == (report.figures.top_k[3], report.figures.top_k[5])
    assert all(type(value) is float for value in values.values())


def test_what_is_undefined_is_not_logged(make_features, make_head):
    from pipeline.evaluation import evaluate

    features = make_features(np.array([[0.9, 0.1]] * 3), np.zeros(3), split="test", classes=("a", "b"))
    assert "roc_auc" not in scalars(evaluate(make_head(("a", "b")), features))


def test_tensorboard_reads_what_is_logged(make_report, tmp_path):
    pytest.importorskip("tensorboard")
    from tensorboard.backend.event_processing.event_file_loader import RawEventFileLoader
    from tensorboard.compat.proto.event_pb2 import Event

    report = make_report(("a", "b", "c", "d"), history=HISTORY)
    files = report.write()
    line = open_logger("tensorboard")(report, runs=tmp_path / "runs", files=files)
    assert line == f"tensorboard --logdir {tmp_path / 'runs' / 'tensorboard'}"
    (path,) = (tmp_path / "runs" / "tensorboard").rglob("events.out.tfevents.*")
    assert path.parent.parts[-4:] == ("toy", report.spec.entry_name, "stored", "test")
    events = [Event.FromString(raw) for raw in RawEventFileLoader(str(path)).Load()]
    assert events[0].file_version == "brain.Event:2"
    values = [(event.step, value) for event in events[1:] for value in event.summary.value]
    numbers = {(value.tag, step): value.simple_value for step, value in values if not value.HasField("image")}
    assert numbers["accuracy", 1] == pytest.approx(report.figures.accuracy)
    assert [numbers["training/loss", epoch] for epoch in (1, 2)] == HISTORY["loss"]
    pictures = {value.tag: value.image.encoded_image_string for _, value in values if value.HasField("image")}
    assert pictures["reliability"] == (files / "reliability.png").read_bytes()


def test_logging_to_tensorboard_does_not_load_tensorflow():
    pytest.importorskip("tensorboard")
    script = """
import sys
import tensorboard.compat.proto.event_pb2, tensorboard.summary.writer.record_writer
assert "tensorflow" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", script], check=True)


def test_tensorboard_that_cannot_write_is_one_clear_line(make_report, tmp_path):
    pytest.importorskip("tensorboard")
    (tmp_path / "tensorboard").write_text("in the way")
    with pytest.raises(PipelineError, match=r"cannot log to .*`--runs`"):
        open_logger("tensorboard")(make_report(("a", "b")), runs=tmp_path, files=None)


@pytest.fixture
def connections(monkeypatch):
    """Addresses that somebody in this process tried to reach; none is."""
    tried = []

    def refuse(self, address):
        tried.append(address)
        raise OSError("this test has no network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket.socket, "connect_ex", refuse)
    return tried


# MLflow's own database layer asks SQLAlchemy 2.1 for what a later release takes away.
@pytest.mark.filterwarnings("ignore:The ``noload`` loader strategy is deprecated:DeprecationWarning")
def test_mlflow_finds_what_is_logged(make_report, tmp_path, monkeypatch, connections):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    report = make_report(("a", "b"), history=HISTORY)
    files = report.write()
    log = open_logger("mlflow")
    line = log(report, runs=tmp_path, files=files)
    log(dataclasses.replace(report, split="val"), runs=tmp_path, files=None)
    from mlflow import MlflowClient  # behind the logger, which turns telemetry off before it imports

    uri = f"sqlite:///{tmp_path / 'mlflow' / 'mlflow.db'}"
    assert line == f"mlflow ui --backend-store-uri {uri}"
    client = MlflowClient(tracking_uri=uri)
    later, first = client.search_runs([client.get_experiment_by_name("toy").experiment_id])
    assert (first.info.run_name, later.info.run_name) == ("stored test", "stored val")
    assert first.info.status == "FINISHED"
    assert first.data.metrics["accuracy"] == report.figures.accuracy
    assert first.data.metrics["training_loss"] == HISTORY["loss"][-1]
    assert first.data.params["backbone"] == report.spec.backbone
    names = {file.path for file in client.list_artifacts(first.info.run_id)}
    assert names == {path.name for path in files.iterdir()}
    assert client.list_artifacts(later.info.run_id) == []
    assert connections == []


def test_mlflow_that_cannot_write_is_one_clear_line(make_report, tmp_path, monkeypatch, connections):
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    (tmp_path / "mlflow").write_text("in the way")
    with pytest.raises(PipelineError, match=r"MLflow cannot log to sqlite.*MLFLOW_TRACKING_URI"):
        open_logger("mlflow")(make_report(("a", "b")), runs=tmp_path, files=None)


@pytest.fixture
def without_settings(tmp_path, monkeypatch):
    """No settings of whoever runs the tests."""
    for name in [name for name in os.environ if name.startswith("WANDB_")]:
        monkeypatch.delenv(name)
    for name in ("WANDB_CONFIG_DIR", "WANDB_CACHE_DIR", "WANDB_DATA_DIR"):
        monkeypatch.setenv(name, str(tmp_path / "settings"))
    monkeypatch.setenv("WANDB_ERROR_REPORTING", "false")


def records_of(path):
    """Reads the log of an offline run: pieces in blocks of 32 KiB behind 7 bytes, as LevelDB has them."""
    from wandb.proto.wandb_internal_pb2 import Record

    raw, place, parts = path.read_bytes(), 7, []
    while place + 7 <= len(raw):
        if 32768 - place % 32768 < 7:
            place += 32768 - place % 32768
            continue
        length, kind = struct.unpack_from("<HB", raw, place + 4)
        parts.append(raw[place + 7 : place + 7 + length])
        place += 7 + length
        if kind in (1, 4):  # whole, or the last piece
            yield Record.FromString(b"".join(parts))
            parts = []


def test_wandb_keeps_a_run_on_this_machine(make_report, tmp_path, without_settings):
    report = make_report(("a", "b", "c", "d"), history=HISTORY)
    files = report.write()
    line = open_logger("wandb")(report, runs=tmp_path / "runs", files=files)
    (folder,) = (tmp_path / "runs" / "wandb").glob("offline-run-*")
    assert line == f"wandb sync {folder}"
    (path,) = folder.glob("*.wandb")
    records = list(records_of(path))
    (run,) = [record.run for record in records if record.HasField("run")]
    assert (run.project, run.display_name) == ("toy", "stored test")
    assert json.loads(next(one.value_json for one in run.config.update if one.key == "head")) == "stored"
    logged = {}
    for record in records:
        if record.HasField("history"):
            logged |= {
                ("/".join(item.nested_key) or item.key, record.history.step.num): json.loads(item.value_json)
                for item in record.history.item
            }
    assert logged["accuracy", 3] == pytest.approx(report.figures.accuracy)
    assert [logged["training/loss", epoch] for epoch in (1, 2)] == HISTORY["loss"]
    assert logged["reliability/_type", 3] == "image-file", sorted(logged)
    assert list((folder / "files/media/images").glob("reliability_*.png"))


def test_wandb_that_cannot_write_is_one_clear_line(make_report, tmp_path, without_settings):
    (tmp_path / "wandb").write_text("in the way")
    with pytest.raises(PipelineError, match=r"cannot log to .*`--runs`"):
        open_logger("wandb")(make_report(("a", "b")), runs=tmp_path, files=None)
