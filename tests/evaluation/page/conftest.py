"""Everything a page is made from, without a trained network."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest

from pipeline.cache import FeatureSet
from pipeline.evaluation import Report, evaluate
from pipeline.evaluation.page import write_report_page
from pipeline.heads import Task, TrainedHead
from pipeline.heads import make_head as make_recipe
from pipeline.images import ImageItem, LeftOut
from pipeline.images.contents import digest
from pipeline.images.row_table import RowTable
from pipeline.spec import FeatureSpec


@dataclass
class Pictures:
    """An image source in memory."""

    pictures: dict[str, np.ndarray]
    uri: str = "memory"
    name: str = "pictures"
    classes: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    left_out: tuple[LeftOut, ...] = ()

    def items(self) -> Sequence[ImageItem]:
        return [ImageItem(name, 0) for name in self.pictures]

    def read(self, item: ImageItem) -> np.ndarray:
        return self.pictures[item.id]


@dataclass
class Case:
    """An evaluation and what a page of it is made from.

    Attributes:
        report: The evaluation.
        head: The head; its model is never asked.
        features: The evaluated split.
        images: One picture a row.
        path: Where the page goes.
    """

    report: Report
    head: TrainedHead
    features: dict[str, FeatureSet]
    images: Pictures
    path: Path

    def write(self, **changes: object) -> str:
        """Writes the page and returns its text."""
        arguments = {"head": self.head, "features": self.features, "images": self.images}
        write_report_page(self.report, self.path, **(arguments | changes))
        return self.path.read_text(encoding="utf-8")


def coloured(label: int, i: int) -> np.ndarray:
    """Returns a picture, uint8 (12, 16, 3), whose colour tells its class."""
    picture = np.full((12, 16, 3), (40 * label + 90) % 256, np.uint8)
    picture[..., label % 3] = 230
    picture[0, 0] = (i % 256, i // 256 % 256, 7)
    return picture


@pytest.fixture
def make_case(
    make_features: Callable[..., FeatureSet],
    make_head: Callable[..., object],
    predict: Callable[..., tuple[np.ndarray, np.ndarray]],
    spec: FeatureSpec,
    tmp_path: Path,
) -> Callable[..., Case]:
    """Evaluates predictions that are right more often than not, and puts a picture beside every row."""

    def make(
        classes: Sequence[str],
        *,
        n: int = 60,
        ids: Sequence[str] | None = None,
        split: str = "test",
        unlabelled: int = 0,
        answers: tuple[np.ndarray, np.ndarray] | None = None,
        history: dict[str, list[float]] | None = None,
        spec: FeatureSpec = spec,
    ) -> Case:
        labels, probabilities = answers or predict(len(classes), n)
        n = len(labels)
        labels[:unlabelled] = -1
        ids = list(ids or [f"{split}/photo {i}.jpg" for i in range(n)])
        pictures = {name: coloured(label, i) for i, (name, label) in enumerate(zip(ids, labels, strict=True))}
        rows = RowTable(
            ids=ids,
            labels=labels,
            digests=np.array([list(digest(picture)) for picture in pictures.values()], np.uint8),
            views=np.zeros(n, np.uint8),
        )
        features = make_features(
            probabilities, labels, split=split, classes=tuple(classes), rows=rows, spec=spec
        )
        stored = make_head(tuple(classes), history=history or {}, split=features)
        report = evaluate(stored, features)
        head = TrainedHead(
            name="logreg",
            head=make_recipe("logreg", {"C": "0.5"}),
            model=None,
            task=Task(spec, features.feature_shape, len(classes)),
            classes=tuple(classes),
            class_counts=(20,) * len(classes),
            dataset="toy",
            seed=3,
            history=history or {},
            seconds=1.25,
            versions={"scikit-learn": "1.9.1"},
            val_accuracy=0.75,
        )
        return Case(report, head, {split: features}, Pictures(pictures), tmp_path / "report.html")

    return make
