"""The page shows what spoke for answers, mistakes first, where features tell places apart."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from pipeline.cache import FeatureSet
from pipeline.evaluation import evaluate
from pipeline.evaluation.page.evidence_pictures import evidence_pictures
from pipeline.evaluation.page.pictures import Album, least_certain
from pipeline.heads import train_head
from pipeline.images import ImageItem

Make = Callable[..., FeatureSet]


class Grey:
    """An image source in which every picture is the same grey."""

    uri = name = "grey"
    classes = notes = left_out = ()

    def __init__(self, names: list[str]) -> None:
        self.names = names

    def items(self) -> list[ImageItem]:
        return [ImageItem(name, 0) for name in self.names]

    def read(self, item: ImageItem) -> np.ndarray:
        return np.full((8, 8, 3), 128, np.uint8)


@pytest.mark.parametrize("places", [True, False])
def test_pictures_are_drawn_where_there_are_places(places: bool, make_features: Make, tmp_path: Path) -> None:
    random, labels = np.random.default_rng(0), np.arange(40) % 2
    maps = random.normal(size=(40, 2, 2, 8)) + labels[:, None, None, None]
    rows = (maps if places else maps.mean(axis=(1, 2))).astype(np.float16)
    train, test = (make_features(rows, labels, split=split) for split in ("train", "test"))
    head = train_head("ridge", train, None, runs=tmp_path / "runs")
    report = evaluate(head, test)
    answers = least_certain(report, most=3)
    pictures = Album(Grey(list(test.rows.ids)), {}).read(list(test.rows.ids), size=32)
    shown = evidence_pictures(report, head, {"train": train, "test": test}, pictures, answers, most=2)
    if places:
        assert shown.answers == tuple(answers[:2])
        assert set(shown.pictures) == {one.id for one in answers[:2]}
        assert all(address.startswith("data:image/") for address in shown.pictures.values())
    else:
        assert not shown.answers
        assert "--pooling none` makes features that do" in shown.note
    assert "no longer" in evidence_pictures(report, head, {"test": test}, pictures, answers).note
    gone = evidence_pictures(report, head, {"train": train, "test": test}, {}, answers)
    assert ("no longer there to be drawn on" in gone.note) == places
