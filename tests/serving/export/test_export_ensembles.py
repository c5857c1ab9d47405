"""An ensemble on several cuts is exported as one graph with its base, and answers as it does."""

from __future__ import annotations

from pathlib import Path

import pytest
from onnx_files import TOML, convnet, save

from pipeline.cache.features import Selection
from pipeline.extraction import FeatureRequest, extract
from pipeline.heads import train_head
from pipeline.images import open_images
from pipeline.serving import export

# Keras 3.15 converts its variables in a way that NumPy 2.4 has deprecated.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept:DeprecationWarning")


def test_an_ensemble_on_cuts_of_a_network_in_a_file(tmp_path: Path) -> None:
    network = str(save(convnet(), tmp_path / "mine.onnx", config=TOML))
    request = FeatureRequest(backbone=network, layers=("map", "vector"), precision="float32")
    reports = extract("sample:120:builtin:digits", request, cache=tmp_path / "cache")
    chosen = Selection(tuple(report.entry for report in reports))
    members = {"members": "2*logreg@map + ridge@vector"}
    trained = train_head("ensemble", chosen.open("train"), None, options=members, runs=tmp_path / "runs")
    sample = export.sample_rows(trained, chosen.open("test"), open_images(reports[0].entry.source), count=4)

    exported = export.export_model(trained, format="onnx", weights=network, sample=sample)

    assert exported.checked == 4
    assert exported.max_difference < 2e-3  # of features that were rounded to float16
