"""What all scikit-learn heads share: flat float32 features in, files without code out."""

from __future__ import annotations

import json
import warnings
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from pipeline.heads._examples import Examples
from pipeline.heads._head import History, Task
from pipeline.progress import say

if TYPE_CHECKING:
    from sklearn.base import BaseEstimator

PLAIN_TYPES = frozenset(
    {
        "builtins.bool",
        "builtins.dict",
        "builtins.float",
        "builtins.int",
        "builtins.list",
        "builtins.str",
        "builtins.tuple",
        "numpy.dtype",
        "numpy.float32",
        "numpy.float64",
        "numpy.int32",
        "numpy.int64",
        "numpy.ndarray",
        "sklearn.pipeline.Pipeline",
        "sklearn.preprocessing._data.StandardScaler",
    }
)
"""What any saved head may hold; a head adds the estimators that are its own."""

PLAIN_LOADERS = frozenset(
    {"DictNode", "DTypeNode", "JsonNode", "ListNode", "NdArrayNode", "ObjectNode", "TupleNode", "TypeNode"}
)
"""Ways in which skops may rebuild them: containers, arrays and attributes, never a function or a method."""


@dataclass(frozen=True, kw_only=True)
class SklearnHead:
    """Base of the heads that scikit-learn trains.

    Attributes:
        types: Full names of the types in its saved models, apart from the plain ones.
    """

    file: ClassVar[str] = "model.skops"
    software: ClassVar[tuple[str, ...]] = ("scikit-learn", "skops", "numpy", "scipy")
    types: ClassVar[frozenset[str]] = frozenset()

    def estimator(self, seed: int) -> BaseEstimator:
        """Builds the estimator, unfitted, from flat features (n, d) float32 to m classes."""
        raise NotImplementedError

    def fit(
        self, task: Task, train: Examples, valid: Examples | None, *, seed: int
    ) -> tuple[SklearnModel, History]:
        """Trains the estimator on all rows at once; there is nothing for ``valid`` to stop."""
        from sklearn.exceptions import ConvergenceWarning

        estimator = self.estimator(seed)
        with warnings.catch_warnings():
            # Said below in words that lead somewhere.
            warnings.simplefilter("ignore", ConvergenceWarning)
            estimator.fit(flat(train.read()), train.labels)
        _say_if_unfinished(estimator)
        return SklearnModel(estimator), {}

    def load(self, path: Path, task: Task) -> SklearnModel:
        """Reads a saved estimator after checking that the file names no type but the known ones."""
        import skops.io
        from sklearn.exceptions import InconsistentVersionWarning

        trusted = PLAIN_TYPES | self.types
        _refuse_foreign(path, trusted)
        with warnings.catch_warnings():
            # Whoever loads a head compares the recorded versions, of Keras heads as well.
            warnings.simplefilter("ignore", InconsistentVersionWarning)
            estimator = skops.io.load(path, trusted=sorted(trusted))
        if type(estimator) is not type(self.estimator(seed=0)):
            raise ValueError(f"it holds a {type(estimator).__name__}, not this head's estimator")
        return SklearnModel(estimator)


@dataclass(frozen=True, eq=False)
class SklearnModel:
    """A fitted estimator."""

    estimator: BaseEstimator

    def predict_proba(self, features: np.ndarray) -> np.ndarray:
        """Maps features (n, *feature shape) to probabilities, float (n, m)."""
        return self.estimator.predict_proba(flat(features))

    def save(self, path: Path) -> None:
        """Writes the estimator in the format of skops, which holds data only."""
        import skops.io

        skops.io.dump(self.estimator, path)


def flat(features: np.ndarray) -> np.ndarray:
    """Copies features (n, *feature shape) of any dtype into a float32 table (n, d).

    Always a copy, so that an estimator may scale it in place.
    """
    return np.array(features, np.float32).reshape(len(features), -1)


def _say_if_unfinished(estimator: BaseEstimator) -> None:
    solver = estimator[-1] if hasattr(estimator, "steps") else estimator
    limit = getattr(solver, "max_iter", None)
    if limit is not None and np.max(solver.n_iter_) >= limit:
        say(
            f"note: the solver had not converged after max_iter={limit} iterations; "
            f"`--set max_iter={10 * limit}` gives it more"
        )


def _refuse_foreign(path: Path, trusted: frozenset[str]) -> None:
    # skops by itself trusts every estimator of scikit-learn and every function of NumPy and SciPy; a head
    # needs a handful of types, so a file that names any other was not written here.
    try:
        with zipfile.ZipFile(path) as archive:
            schema = json.loads(archive.read("schema.json"))
    except (zipfile.BadZipFile, KeyError) as error:
        raise ValueError("it is no skops file") from error
    found = set(_named_types(schema))
    foreign = sorted(name for name, loader in found if name not in trusted or loader not in PLAIN_LOADERS)
    if foreign:
        raise ValueError(f"it holds {', '.join(foreign)}, which this head never saves")


def _named_types(node: Any) -> Iterator[tuple[str, str]]:
    """Walks a skops schema and yields each (full type name, loader) in it."""
    if isinstance(node, dict):
        if "__class__" in node:
            yield f"{node.get('__module__')}.{node['__class__']}", str(node.get("__loader__"))
        node = list(node.values())
    if isinstance(node, list):
        for child in node:
            yield from _named_types(child)
