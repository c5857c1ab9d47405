"""Nearest neighbours."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, ClassVar

import numpy as np

from pipeline.heads._core.examples import Examples
from pipeline.heads._core.head import Task
from pipeline.heads._sklearn.sklearn_head import SklearnHead, SklearnModel, Steps, whole_steps
from pipeline.heads._sklearn.skops import read_object
from pipeline.heads._sklearn.table import standardised
from pipeline.options import Check, Count

if TYPE_CHECKING:
    from sklearn.neighbors import KNeighborsClassifier

Votes = Annotated[str, Check("`uniform` or `distance`", lambda value: value in ("uniform", "distance"))]


@dataclass(frozen=True, kw_only=True)
class Knn(SklearnHead):
    """Nearest neighbours by the cosine of standardised features: no training, the rows are the model.

    Probabilities are shares of the votes. The saved model holds every training row in float32.

    Attributes:
        k: Number of neighbours; all rows where there are fewer.
        weights: What a vote counts: ``uniform``, or by the inverse of its ``distance``.
    """

    types: ClassVar = frozenset(
        {
            "sklearn.neighbors._classification.KNeighborsClassifier",
            "sklearn.preprocessing._data.Normalizer",
        }
    )

    k: Count = 20
    weights: Votes = "distance"

    def learn(self, train: Examples, seed: int) -> Steps:
        """Normalises the rows once; nothing is random.

        On rows of length 1 the squared distance is twice that of the cosine, so neighbours and votes are the
        same, without every row being normalised anew for every question.
        """
        from sklearn.preprocessing import Normalizer

        normalizer = Normalizer()
        rows = normalizer.fit_transform(train.once(standardised).values)
        return normalizer, self._neighbours(rows, train.labels)

    def load(self, path: Path, task: Task) -> SklearnModel:
        """Reads the rows and their labels; how neighbours are found is no business of the file.

        The compiled search of scikit-learn counts votes by the labels without looking whether they exist.
        """
        from sklearn.preprocessing import StandardScaler

        *before, found = whole_steps(read_object(path, self.types), StandardScaler)
        rows, labels = found._fit_X, found._y
        seen = np.unique(labels) if labels.dtype.kind in "iu" else np.empty(0)
        fit = rows.dtype == np.float32 and rows.ndim == 2 and labels.shape == rows.shape[:1]
        if not fit or not np.array_equal(seen, np.arange(task.n_classes)):
            raise ValueError("its labels are not those of its rows")
        return SklearnModel((*before, self._neighbours(rows, labels)))

    def _neighbours(self, rows: np.ndarray, labels: np.ndarray) -> KNeighborsClassifier:
        from sklearn.neighbors import KNeighborsClassifier

        neighbours = KNeighborsClassifier(
            min(self.k, len(rows)), weights=self.weights, algorithm="brute", metric="sqeuclidean"
        )
        return neighbours.fit(rows, labels)

    def extra_bytes(self, rows: int, columns: int) -> int:
        """The rows once more, with length 1."""
        return 4 * rows * columns


HEAD = Knn
