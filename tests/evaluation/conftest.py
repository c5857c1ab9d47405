"""Predictions and a head that stand in for a trained one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from pipeline.cache import FeatureSet
from pipeline.evaluation import Report, evaluate
from pipeline.heads import SeenImages, Temperature
from pipeline.images.targets import CLASS

HOSTILE = (
    "=cmd|' /C calc'!A0",
    "$\\frac{1}$ and $unclosed",
    "two\nlines\r\tand a tab",
    "[bold red]markup[/] :smile: \x1b[31mescape",
    "\N{GRINNING FACE}\N{ZERO WIDTH JOINER}日本語 עברית\u202e",
    "not utf-8: \udce9",
    "quote \" comma , apostrophe '",
    "x" * 300,
    "",
)

NOTHING = np.empty(0, np.uint64)

Predict = Callable[..., tuple[np.ndarray, np.ndarray]]


@dataclass
class StoredHead:
    """Answers with the feature rows themselves: they are the probabilities."""

    folder: Path
    classes: tuple[str, ...]
    name: str = "stored"
    history: dict[str, list[float]] = field(default_factory=dict)
    versions: dict[str, str] = field(default_factory=dict)
    seen: SeenImages | None = field(default_factory=lambda: SeenImages(NOTHING, NOTHING))
    temperature: Temperature | None = None
    unlearnt: tuple[str, ...] = ()
    task: SimpleNamespace = field(default_factory=lambda: SimpleNamespace(target=CLASS))

    @property
    def known(self) -> np.ndarray:
        return np.array([name not in self.unlearnt for name in self.classes])

    def uncalibrated_proba(self, features: FeatureSet) -> np.ndarray:
        return features.to_memory()


def predict(k: int, n: int, *, seed: int = 0, dtype: type = np.float64) -> tuple[np.ndarray, np.ndarray]:
    """Returns labels (n,) and probabilities (n, k) that are right more often than not."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, k, n).astype(np.int32)
    probabilities = random.dirichlet(np.full(k, 0.5), n)
    probabilities[np.arange(n), labels] += random.random(n)
    return labels, (probabilities / probabilities.sum(axis=1, keepdims=True)).astype(dtype)


@pytest.fixture(name="predict")
def _predict() -> Predict:
    return predict


@pytest.fixture
def hostile() -> tuple[str, ...]:
    return HOSTILE


@pytest.fixture
def make_head(tmp_path: Path) -> Callable[..., StoredHead]:
    def make(classes: tuple[str, ...], *, split: FeatureSet | None = None, **changes: object) -> StoredHead:
        """Makes one that was trained on a split, where it is called train; else on nothing."""
        folder = tmp_path / "runs" / "stored"
        folder.mkdir(parents=True, exist_ok=True)
        if split is not None and split.split == "train":
            changes["seen"] = SeenImages.of(split, None)
        return StoredHead(**({"folder": folder, "classes": classes} | changes))

    return make


@pytest.fixture
def make_report(
    make_features: Callable[..., FeatureSet], make_head: Callable[..., StoredHead]
) -> Callable[..., Report]:
    """Evaluates stored predictions of the given classes on a split of n rows."""

    def make(
        classes: tuple[str, ...],
        *,
        n: int = 60,
        split: str = "test",
        dtype: type = np.float64,
        history: dict[str, list[float]] | None = None,
        **changes: object,
    ) -> Report:
        labels, probabilities = predict(len(classes), n, dtype=dtype)
        features = make_features(probabilities, labels, split=split, classes=classes, **changes)
        return evaluate(make_head(classes, history=history or {}, split=features), features)

    return make
