"""Stage two pays only for the library it uses."""

from __future__ import annotations

import subprocess
import sys

import pytest

FIT = """
import numpy as np, pathlib, zlib
from pipeline.cache import FeatureSet
from pipeline.heads import train_head
from pipeline.images.row_table import RowTable
from pipeline.spec import FeatureSpec
spec = FeatureSpec(backbone="b", weights="w", layer="l", pooling="none", image_size=8,
                   preprocessing="p", precision="float32", store="float32")
x = np.eye(4, dtype=np.float32)
labels, digests, views = np.array([0, 0, 1, 1], np.int32), np.zeros((4, 32), np.uint8), np.zeros(4, np.uint8)
rows = RowTable(list("abcd"), labels, digests, views)
crc = np.array([zlib.crc32(row.data) for row in x], np.uint32)
features = FeatureSet(x, rows, crc, spec, ("p", "q"), "train", "toy", pathlib.Path("train.h5"))
train_head("logreg", features, features, runs=pathlib.Path({runs!r}))
"""


@pytest.mark.parametrize(
    ("code", "absent"),
    [
        ("import pipeline.heads", {"sklearn", "keras", "tensorflow", "skops", "scipy"}),
        (
            "from pipeline.heads import describe_head; describe_head('logreg'); describe_head('dense')",
            {"sklearn", "keras", "tensorflow", "skops", "scipy"},
        ),
        (FIT, {"keras", "tensorflow"}),
    ],
    ids=["import", "describe", "fit logreg"],
)
def test_imports_nothing_it_does_not_use(code: str, absent: set[str], tmp_path: object) -> None:
    script = code.replace("{runs!r}", repr(str(tmp_path))) + "\nimport sys; print(*sys.modules)"

    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert absent.isdisjoint(done.stdout.split())
