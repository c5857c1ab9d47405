"""Features that do not fit their dtype never reach the disk."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from counting_engine import CountingEngine
from photos import Photos
from PIL import Image

from pipeline.cache.feature_file import open_feature_file
from pipeline.errors import PipelineError
from pipeline.extraction import Extraction

Run = Callable[..., list[Extraction]]


@pytest.mark.parametrize(
    ("store", "value"),
    [("float16", 70000.0), ("float16", np.nan), ("float32", np.inf), ("float32", -np.inf)],
)
def test_a_row_that_is_not_finite_is_named_and_not_stored(
    store: str, value: float, photos: Photos, engine: CountingEngine, run: Run
) -> None:
    paths = photos.add("train/cats", 7)
    photos.add("val/cats")
    with Image.open(paths[5]) as image, np.errstate(over="ignore"):
        engine.replace[np.asarray(image).tobytes()] = np.float16(value) if store == "float16" else value
    with pytest.raises(
        PipelineError,
        match=rf"features of train/cats/0005.png \(row 5\) are not finite in {store}: use --store float32",
    ):
        run(store=store)
    (entry,) = (path.parent for path in photos.root.parent.rglob("spec.json"))
    train = open_feature_file(entry / "train.h5.partial")
    assert train.done.tolist() == [True] * 4 + [False] * 3
    assert np.isfinite(train.features).all()
    assert not list(entry.glob("*.h5"))

    engine.replace.clear()
    engine.forget()
    (extraction,) = run(store=store)
    assert engine.computed == 4
    assert extraction.entry.splits == ["train", "val"]


def test_float32_holds_what_overflows_float16(photos: Photos, engine: CountingEngine, run: Run) -> None:
    (path,) = photos.add("train/cats")
    photos.add("val/cats")
    with Image.open(path) as image:
        engine.replace[np.asarray(image).tobytes()] = 70000.0
    (extraction,) = run(store="float32")
    assert open_feature_file(extraction.entry.file("train")).features.max() == 70000
