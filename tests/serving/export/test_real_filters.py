"""Photographs of cats and dogs through ImageNet filters, exported and run as their users would."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from pipeline.cache.features import Selection
from pipeline.extraction import FeatureRequest, extract
from pipeline.heads import train_head
from pipeline.images import open_images
from pipeline.serving.export import export_model, sample_rows
from pipeline.serving.export._format import find_format

# Keras 3.15 converts its variables in a way that NumPy 2.4 has deprecated.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept:DeprecationWarning")

EACH = 20


@pytest.fixture
def few(shared: Path, tmp_path: Path) -> Path:
    """Some of the photographs in all three splits."""
    root = shared / "data" / "cats_and_dogs_small"
    for kind in sorted(root.glob("*/*")):
        folder = tmp_path / "few" / kind.relative_to(root)
        folder.mkdir(parents=True)
        for file in sorted(kind.iterdir())[:EACH]:
            shutil.copy(file, folder)
    return tmp_path / "few"


def test_onnx_tells_cats_from_dogs_as_the_head_does(shared: Path, few: Path, tmp_path: Path) -> None:
    filters = shared / "weights" / "mobilenet_v2_0.35_224_no_top.weights.h5"
    request = FeatureRequest(
        backbone="mobilenet_v2_035",
        weights=str(filters),
        image_size=96,
        pooling="avg",
        precision="float32",
        batch_size=8,
    )
    chosen = Selection(tuple(one.entry for one in extract(str(few), request, cache=tmp_path / "cache")))
    trained = train_head("logreg", chosen.open("train"), chosen.open("val"), runs=tmp_path / "runs")
    rows = chosen.open("test")
    sample = sample_rows(trained, rows, open_images(str(few)), count=len(rows))

    exported = export_model(trained, format="onnx", weights=str(filters), sample=sample)

    answers = find_format("onnx").open_answers(exported.path)(sample.images)["probabilities"]
    np.testing.assert_allclose(answers, trained.predict_proba(rows), atol=1e-3)
    assert np.mean(answers.argmax(axis=1) == rows.labels) > 0.8
