"""Stage two pays only for the library it uses."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

SCRIPT = """
import sys
loaded = lambda: print(*sorted({'sklearn', 'keras', 'tensorflow', 'skops', 'scipy'} & {*sys.modules}))
import pipeline.heads
loaded()
from pipeline.heads import describe_head
describe_head('logreg'), describe_head('dense')
loaded()
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
train_head("logreg", features, features, runs=pathlib.Path(sys.argv[1]))
loaded()
"""


def test_imports_nothing_it_does_not_use(tmp_path: Path) -> None:
    command = [sys.executable, "-c", SCRIPT, str(tmp_path)]

    done = subprocess.run(command, capture_output=True, text=True, check=True)

    imported, described, fitted = map(str.split, done.stdout.splitlines())
    assert imported == described == []
    assert fitted == ["scipy", "sklearn", "skops"]
