"""Nearest neighbours."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated, ClassVar

from pipeline.heads._examples import Examples
from pipeline.heads._sklearn import SklearnHead, Steps
from pipeline.heads._table import standardised
from pipeline.typed_options import Check, Count

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
        from sklearn.neighbors import KNeighborsClassifier
        from sklearn.preprocessing import Normalizer

        neighbours = KNeighborsClassifier(
            min(self.k, len(train)), weights=self.weights, algorithm="brute", metric="sqeuclidean"
        )
        normalizer = Normalizer()
        rows = normalizer.fit_transform(train.once(standardised).values)
        return normalizer, neighbours.fit(rows, train.labels)

    def extra_bytes(self, rows: int, columns: int) -> int:
        """The rows once more, with length 1."""
        return 4 * rows * columns


HEAD = Knn
