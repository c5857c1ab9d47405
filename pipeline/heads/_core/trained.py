"""TrainedHead: a fitted head with all that is known about how it came to be."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from pipeline.cache import FeatureSet
from pipeline.errors import CacheMismatchError, PipelineError
from pipeline.heads._core.class_balance import ClassBalance
from pipeline.heads._core.examples import Examples, read_finite, refuse_other_spec
from pipeline.heads._core.familiarity import Familiarity
from pipeline.heads._core.head import ExamplesModel, Head, History, Model, Task
from pipeline.heads._core.seen import SeenImages
from pipeline.heads._core.temperature import Temperature
from pipeline.notebook import facts_html
from pipeline.paths import is_folder_name
from pipeline.spec import FeatureSpec
from pipeline.wording import counted

RECORD = "head.json"
NEWER = frozenset({"seen", "temperature", "familiarity"})
"""Keys that came with the seal, or after it."""

BLOCK_ROWS = 256
"""Rows in memory at a time while predicting: 8 MB as float32 at 4x4x512, 69 MB at 150x150 pixels."""


def to_record(trained: TrainedHead) -> dict[str, Any]:
    """Puts all that is known about a head, except what its other files hold, into JSON types."""
    return {
        "name": trained.name,
        "options": trained.options,
        "seed": trained.seed,
        "dataset": trained.dataset,
        "classes": trained.classes,
        "class_counts": trained.class_counts,
        "train_rows": trained.train_rows,
        "val_accuracy": trained.val_accuracy,
        "seconds": trained.seconds,
        "history": trained.history,
        "feature_shape": trained.task.feature_shape,
        "spec": asdict(trained.spec),
        "versions": trained.versions,
        "temperature": None if trained.temperature is None else trained.temperature.to_json(),
    }


def from_record(record: dict[str, Any]) -> dict[str, Any]:
    """Returns the fields of the :class:`TrainedHead` that a record describes, without head and model.

    Raises:
        ValueError: It describes no head; or another error, as what it holds can have any type.
    """
    classes = tuple(map(str, record["classes"]))
    class_counts = tuple(map(int, record["class_counts"]))
    if len(classes) != len(class_counts):
        raise ValueError(f"{len(class_counts)} counts for {counted(len(classes), 'class')}")
    if min(class_counts, default=0) < 0 or np.count_nonzero(class_counts) < 2:
        raise ValueError("fewer than two classes have training rows")
    spec = FeatureSpec.from_json(json.dumps(record["spec"]))
    shape = tuple(map(int, record["feature_shape"]))
    if not shape or min(shape) < 1:
        raise ValueError(f"{shape} is no shape of features")
    if not is_folder_name(str(record["dataset"])):
        raise ValueError(f"{str(record['dataset'])[:40]!r} is no name of a data set")
    temperature = record.get("temperature")
    return {
        "name": record["name"],
        "task": Task(spec, shape, len(learnt_classes(class_counts))),
        "classes": classes,
        "class_counts": class_counts,
        "dataset": str(record["dataset"]),
        "seed": int(record["seed"]),
        "history": {name: [float(value) for value in run] for name, run in record["history"].items()},
        "seconds": float(record["seconds"]),
        "versions": {name: str(number) for name, number in record["versions"].items()},
        "val_accuracy": None if record["val_accuracy"] is None else float(record["val_accuracy"]),
        "temperature": None if temperature is None else Temperature.from_json(temperature),
    }


@dataclass(frozen=True, eq=False, kw_only=True)
class TrainedHead:
    """A head that answers.

    Attributes:
        name: Its name in the registry.
        head: The recipe with its options.
        model: What ``head`` learnt.
        task: What the model maps from and to.
        classes: Class names, indexed by label.
        class_counts: Training rows of each class.
        dataset: Name of the data set of the training rows.
        seed: Seed of everything random in the training.
        val_accuracy: Share of right answers on the labelled validation rows; None without any.
        not_found: Classes of the labelled validation rows of which none was right; None where nobody looked
            since the training.
        history: Figures of each epoch by name; empty where there are no epochs.
        seconds: Wall time of the training, reading the features included.
        versions: Version of each distribution that took part.
        seen: The images that it was trained and validated on; None where an earlier version saved it.
        balance: How many rows each class had, for whoever trained it; None for a saved head.
        temperature: What its answers are calibrated with; None where they are as it learnt them.
        familiarity: How near new images are to those it was trained on; None where val has too few images to
            tell, or an earlier version saved the head.
        folder: Where it is saved; None before that.
        checksum: SHA-256, in hex, of its saved model; empty before that.
    """

    name: str
    head: Head
    model: Model
    task: Task
    classes: tuple[str, ...]
    class_counts: tuple[int, ...]
    dataset: str
    seed: int
    history: History
    seconds: float
    versions: dict[str, str]
    val_accuracy: float | None = None
    not_found: tuple[str, ...] | None = None
    seen: SeenImages | None = None
    balance: ClassBalance | None = None
    temperature: Temperature | None = None
    familiarity: Familiarity | None = None
    folder: Path | None = None
    checksum: str = ""

    @property
    def options(self) -> dict[str, object]:
        """All options of the head, those left at their defaults included."""
        return asdict(self.head)

    @property
    def spec(self) -> FeatureSpec:
        """What determined the numbers of the features it was trained on."""
        return self.task.spec

    @property
    def train_rows(self) -> int:
        """Number of labelled rows it was trained on."""
        return sum(self.class_counts)

    @property
    def known(self) -> np.ndarray:
        """Classes that had training rows, bool (k,)."""
        return np.array(self.class_counts) > 0

    def _repr_html_(self) -> str:
        """Shows in a notebook what the head is, and how it does on val."""
        facts = {
            "options": " ".join(f"{name}={value}" for name, value in self.options.items()) or "none",
            "features": f"{self.spec.backbone}, {self.spec.layer}:{self.spec.pooling}",
            "trained on": f"{counted(self.train_rows, 'row')} of {self.dataset}",
            "classes": counted(len(self.classes), "class"),
            "accuracy on val": "not measured" if self.val_accuracy is None else f"{self.val_accuracy:.2%}",
            "temperature": "none" if self.temperature is None else f"{self.temperature.value:.3f}",
            "took": f"{self.seconds:.1f} s",
            "folder": self.folder or "not saved",
        }
        return facts_html(self.name, facts)

    def to_json(self) -> dict[str, Any]:
        """Returns the object that ``pipeline train-head --json`` prints."""
        return {
            "head": self.name,
            "run": str(self.folder),
            "train_rows": self.train_rows,
            "val_accuracy": self.val_accuracy,
            "seconds": round(self.seconds, 3),
            "classes_not_found": None if self.not_found is None else list(self.not_found),
        }

    def balance_to_json(self) -> dict[str, Any]:
        """Returns the keys that ``--json`` of train-head and sweep adds; none for a head that was loaded."""
        return {} if self.balance is None else self.balance.to_json()

    def predict_proba(self, features: FeatureSet) -> np.ndarray:
        """Returns the probability of each class for each row, labelled or not, at the head's temperature.

        What it returns and raises is otherwise that of :meth:`uncalibrated_proba`.
        """
        return self.calibrated(self.uncalibrated_proba(features))

    def uncalibrated_proba(self, features: FeatureSet) -> np.ndarray:
        """Returns the probability of each class for each row as the head learnt it, without a temperature.

        The features are read in blocks, so a set may be larger than memory.

        Returns:
            float64 (n, len(classes)) in the order of ``classes``, rows sum to 1; 0 for classes that had
            no training row.

        Raises:
            CacheMismatchError: The features have another spec, or a row is damaged.
            PipelineError: A feature is not a finite number, or the head's answers are no probabilities.
        """
        refuse_other_spec(features, self.spec, head=self.name)
        self._refuse_other_shape(features)
        seen = learnt_classes(self.class_counts)
        proba = np.zeros((len(features), len(self.classes)))
        for start in range(0, len(features), BLOCK_ROWS):
            index = np.arange(start, min(start + BLOCK_ROWS, len(features)))
            proba[index[:, None], seen] = self._answers(read_finite(features, index))
        # Models answer in float32, whose rounding is far above what a float64 sum of 1 is checked to.
        return proba / proba.sum(axis=1, keepdims=True)

    def predict_new(self, features: np.ndarray) -> np.ndarray:
        """Returns the probabilities for features that were just made, as :meth:`predict_proba`.

        Args:
            features: Finite, (n, *feature shape) in the stored dtype, of this head's spec; n may be 0.
        """
        proba = np.zeros((len(features), len(self.classes)))
        if not len(features):
            return proba
        proba[:, learnt_classes(self.class_counts)] = self._answers(features)
        return self.calibrated(proba / proba.sum(axis=1, keepdims=True))

    def predict_examples(self, rows: Examples) -> np.ndarray:
        """Returns the probabilities of some rows, which models that can share them read once.

        Returns:
            float64 (n, len(classes)), as :meth:`predict_proba`.
        """
        if not isinstance(self.model, ExamplesModel):
            return self.predict_proba(rows.source)[rows.index]
        refuse_other_spec(rows.source, self.spec, head=self.name)
        proba = np.zeros((len(rows), len(self.classes)))
        answers = np.asarray(self.model.predict_examples(rows))
        proba[:, learnt_classes(self.class_counts)] = self._probabilities(answers, len(rows))
        return self.calibrated(proba / proba.sum(axis=1, keepdims=True))

    def calibrated(self, proba: np.ndarray) -> np.ndarray:
        """Returns probabilities, float (n, len(classes)), at the head's temperature, if it has one."""
        return proba if self.temperature is None else self.temperature.apply(proba, self.known)

    def _refuse_other_shape(self, features: FeatureSet) -> None:
        if tuple(features.feature_shape) != self.task.feature_shape:
            raise CacheMismatchError(
                f"{features.path}: its rows have shape {tuple(features.feature_shape)}, but head "
                f"{self.name!r} was trained on {self.task.feature_shape}. "
                f"Run `pipeline train-head --head {self.name}` on these"
            )

    def _answers(self, block: np.ndarray) -> np.ndarray:
        """Returns the model's probabilities, float (n, m); a saved model can hold anything."""
        try:
            with np.errstate(all="ignore"):
                proba = np.asarray(self.model.predict_proba(block))
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            if self.folder is None:
                raise
            raise CacheMismatchError(
                f"{self.folder}: the saved head cannot answer ({str(error).partition(chr(10))[0]}). "
                f"`pipeline train-head --head {self.name}` trains it again"
            ) from error
        return self._probabilities(proba, len(block))

    def _probabilities(self, proba: np.ndarray, rows: int) -> np.ndarray:
        """Refuses answers that are no probabilities, float (n, m)."""
        sound = proba.shape == (rows, self.task.n_classes) and np.isfinite(proba).all() and (proba >= 0).all()
        if not sound or not (proba.sum(axis=1) > 0).all():
            raise PipelineError(
                f"head {self.name!r} answers with numbers that are no probabilities: train it again, "
                "with other options or on other features"
            )
        return proba


def learnt_classes(class_counts: tuple[int, ...]) -> np.ndarray:
    """Returns the labels that have training rows, ascending int (m,): those of a model's m columns."""
    return np.flatnonzero(class_counts)


def measured(trained: TrainedHead, features: FeatureSet | None) -> TrainedHead:
    """Adds what a head is worth on validation rows; without labelled ones it stays as it is."""
    if features is None or not (features.labels >= 0).any():
        return trained
    labelled = features.labels >= 0
    guesses = trained.predict_proba(features).argmax(axis=1)[labelled]
    labels = features.labels[labelled]
    return replace(
        trained,
        val_accuracy=float(np.mean(guesses == labels)),
        not_found=classes_not_found(trained.classes, labels, guesses),
    )


def classes_not_found(classes: Sequence[str], labels: np.ndarray, guesses: np.ndarray) -> tuple[str, ...]:
    """Returns the classes that have rows, none of which is right.

    Args:
        classes: k names.
        labels: True classes, int (n,).
        guesses: Classes that were answered, int (n,).
    """
    rows, right = (np.bincount(part, minlength=len(classes)) for part in (labels, labels[labels == guesses]))
    return tuple(classes[i] for i in np.flatnonzero((rows > 0) & (right == 0)).tolist())
