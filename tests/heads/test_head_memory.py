"""No head but those that say so takes more than 2.5 times its features in float32, saving included."""

from __future__ import annotations

import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest

from pipeline.cache import FeatureSet
from pipeline.heads import fit_head, sgd
from pipeline.heads._sklearn import scatter, table
from pipeline.heads._sklearn.sklearn_head import USUAL_SHARE
from pipeline.heads._sklearn.skops import read_array, read_object, write_object

ROWS, COLUMNS = 3000, 400
WHOLE = 4 * ROWS * COLUMNS
HEADS = ("logreg", "ridge", "lda", "knn", "sgd", "gaussian-nb", "prototype", "mlp", "hist-gradient-boosting")
IN_BLOCKS = ("ridge", "lda", "sgd", "gaussian-nb")


class Allocated:
    """What was allocated at the same time, at most, in bytes."""

    most = 0


@contextmanager
def counted_bytes() -> Iterator[Allocated]:
    """Counts what Python and NumPy allocate beside what they have already."""
    allocated = Allocated()
    tracemalloc.start()
    try:
        yield allocated
        allocated.most = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("name", HEADS)
def test_heads_stay_within_their_share(
    name: str, make_features: Callable[..., FeatureSet], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # All that is of one size whatever the rows is made small, as it is beside a large set.
    monkeypatch.setattr(table, "BLOCK_BYTES", WHOLE // 40)
    monkeypatch.setattr(scatter, "PRODUCT_BYTES", WHOLE // 20)
    monkeypatch.setattr("pipeline.heads._sklearn.least_squares.PRODUCT_BYTES", WHOLE // 20)
    monkeypatch.setattr(sgd, "CHUNK_BYTES", WHOLE // 10)
    monkeypatch.setattr("pipeline.heads.sgd.RUN_BYTES", 4 * COLUMNS)
    monkeypatch.setattr("pipeline.heads._core.examples.RUN_BYTES", 4 * COLUMNS)
    monkeypatch.setattr("pipeline.heads._sklearn.neighbours.PRODUCTS_BYTES", WHOLE // 10)
    monkeypatch.setattr("pipeline.heads._sklearn.least_squares.LEFT_OUT", ROWS // 4)
    random = np.random.default_rng(0)
    labels = np.arange(ROWS) % 10
    features = random.normal(size=(ROWS, COLUMNS)).astype(np.float16)
    features[np.arange(ROWS), labels] += 2
    made = make_features(features, labels)
    options: dict[str, object] = {"mlp": {"epochs": 1}, "sgd": {"epochs": 1}}.get(name, {})
    if name == "hist-gradient-boosting":
        options = {"rounds": 1, "components": 8}
    few = make_features(features[:40, :20], labels[:40])  # as tall as the others, for what it imports
    fit_head(name, few, options=options)

    with counted_bytes() as allocated:
        fit_head(name, made, options=options).model.save(tmp_path / "model")

    assert allocated.most <= (1.5 if name in IN_BLOCKS else USUAL_SHARE) * WHOLE


def test_named_arrays_are_written_without_a_copy(tmp_path: Path) -> None:
    large = np.ones((5000, 2000), np.float32)
    write_object(tmp_path / "warm", {"a": 1})

    with counted_bytes() as allocated:
        write_object(tmp_path / "model", {"a": 1}, {"rows": large})

    assert allocated.most < large.nbytes / 2
    assert read_object(tmp_path / "model", frozenset()) == {"a": 1}
    assert np.array_equal(read_array(tmp_path / "model", "rows"), large)
    with pytest.raises(KeyError, match="columns"):
        read_array(tmp_path / "model", "columns")


def test_panels_are_small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scatter, "PANEL", 16)
    matrix = np.eye(600)

    with counted_bytes() as allocated:
        scatter.factor(lambda: matrix)

    assert allocated.most < matrix.nbytes / 4
