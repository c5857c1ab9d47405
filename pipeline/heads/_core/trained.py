"""TrainedHead: a fitted head with all that is known about how it came to be."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, cast

import numpy as np

from pipeline.cache import FeatureSet
from pipeline.errors import UsageError
from pipeline.heads._core.answers import guarded, learnt_classes, sound_probabilities, sound_targets
from pipeline.heads._core.class_balance import ClassBalance
from pipeline.heads._core.examples import Examples, read_finite, refuse_other_shape, refuse_other_spec
from pipeline.heads._core.familiarity import Familiarity
from pipeline.heads._core.head import (
    ExamplesModel,
    Head,
    History,
    Model,
    TargetExamplesModel,
    TargetModel,
    Task,
)
from pipeline.heads._core.seen import SeenImages
from pipeline.heads._core.target_figures import ACCURACY, EVEN, FIGURES, IN_WORDS
from pipeline.heads._core.temperature import Temperature
from pipeline.images.targets import CLASS, NOUNS, PLURALS, described
from pipeline.notebook import facts_html
from pipeline.spec import FeatureSpec
from pipeline.wording import counted

BLOCK_ROWS = 256
"""Rows in memory at a time while predicting: 8 MB as float32 at 4x4x512, 69 MB at 150x150 pixels."""


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
        thresholds: Of several labels, the probability from which each is answered; empty of other targets.
        val_figure: Name and value of the figure that heads of labels or numbers are chosen by: mean average
            precision (``map``), or R2 (``r2``); None without val.
        target_rows: Rows that a head of labels or numbers was trained on; None of other targets.
        offsets: Of numbers, the mean of each over the training rows: what knowing nothing would answer.
    """

    name: str
    head: Head
    model: Model | TargetModel
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
    thresholds: tuple[float, ...] = ()
    val_figure: tuple[str, float] | None = None
    offsets: tuple[float, ...] = ()
    target_rows: int | None = None

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
        return sum(self.class_counts) if self.target_rows is None else self.target_rows

    @property
    def known(self) -> np.ndarray:
        """Classes that had training rows, bool (k,)."""
        return np.array(self.class_counts) > 0

    @property
    def answered_from(self) -> np.ndarray:
        """The probability from which each label is answered, float64 (k,)."""
        return np.array(self.thresholds or [EVEN] * len(self.classes))

    @property
    def val_score(self) -> tuple[str, float] | None:
        """Name and value of the figure on val that heads of any kind are chosen by; None without val."""
        return self.val_figure if self.val_accuracy is None else (ACCURACY, self.val_accuracy)

    @property
    def val_line(self) -> str:
        """What it is worth on val, in words."""
        if self.val_score is None:
            return "no val split"
        name, value = self.val_score
        return f"val {IN_WORDS[name]} {value:.4f}"

    def _repr_html_(self) -> str:
        """Shows in a notebook what the head is, and how it does on val."""
        kind, score = self.task.target, self.val_score
        on_val = "not measured" if score is None else f"{score[1]:{'.2%' if kind == CLASS else '.4f'}}"
        facts = {
            "options": " ".join(f"{name}={value}" for name, value in self.options.items()) or "none",
            "features": f"{self.spec.backbone}, {self.spec.layer}:{self.spec.pooling}",
            "trained on": f"{counted(self.train_rows, 'row')} of {self.dataset}",
            PLURALS[kind]: counted(len(self.classes), NOUNS[kind]),
            f"{IN_WORDS[FIGURES[kind]]} on val": on_val,
            "temperature": "none" if self.temperature is None else f"{self.temperature.value:.3f}",
            "took": f"{self.seconds:.1f} s",
            "folder": self.folder or "not saved",
        }
        return facts_html(self.name, facts)

    def to_json(self) -> dict[str, Any]:
        """Returns the object that ``pipeline train-head --json`` prints."""
        told = {
            "head": self.name,
            "run": str(self.folder),
            "train_rows": self.train_rows,
            "val_accuracy": self.val_accuracy,
            "seconds": round(self.seconds, 3),
            "classes_not_found": None if self.not_found is None else list(self.not_found),
        }
        if self.task.target == CLASS:
            return told
        figure = {} if self.val_figure is None else {f"val_{self.val_figure[0]}": self.val_figure[1]}
        del told["val_accuracy"], told["classes_not_found"]
        return told | {"target": self.task.target} | figure

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
        self._refuse_others(features)
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

    def predict_targets(self, features: FeatureSet) -> np.ndarray:
        """Returns the probability of each label, or the value of each number, for each row.

        The features are read in blocks, so a set may be larger than memory.

        Returns:
            float64 (n, k) in the order of ``classes``.

        Raises:
            UsageError: The head answers with classes.
            CacheMismatchError: The features have another spec, or a row is damaged.
            PipelineError: A feature is not a finite number, or an answer is none.
        """
        self._refuse_others(features)
        return self._blockwise(features, np.arange(len(features)))

    def new_targets(self, features: np.ndarray) -> np.ndarray:
        """Returns the targets of features that were just made, as :meth:`predict_targets`.

        Args:
            features: Finite, (n, *feature shape) in the stored dtype, of this head's spec; n may be 0.
        """
        if self.task.target == CLASS:
            raise UsageError(f"head {self.name!r} answers with one class an image: ask it for predict_proba")
        if not len(features):
            return np.zeros((0, len(self.classes)))
        model = cast("TargetModel", self.model)
        return self._targets(self._guarded(model.predict_targets, features), len(features))

    def answer(self, rows: Examples) -> np.ndarray:
        """Returns what it answers to some rows, of whatever kind its targets are.

        Rows that were made ready for many models are not read again.

        Returns:
            float64 (n, len(classes)), as :meth:`predict_proba` or :meth:`predict_targets`.
        """
        if self.task.target == CLASS:
            return self.predict_examples(rows)
        self._refuse_others(rows.source)
        if isinstance(self.model, TargetExamplesModel) and self.model.shares(rows):
            return self._targets(self._guarded(self.model.predict_targets_of, rows), len(rows))
        return self._blockwise(rows.source, rows.index)

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

    def _blockwise(self, features: FeatureSet, index: np.ndarray) -> np.ndarray:
        """Returns the targets of rows, float64 (n, k), a block of which is in memory at a time."""
        starts = range(0, len(index), BLOCK_ROWS)
        blocks = [self.new_targets(read_finite(features, index[i : i + BLOCK_ROWS])) for i in starts]
        return np.concatenate([np.zeros((0, len(self.classes))), *blocks])

    def _refuse_others(self, features: FeatureSet) -> None:
        refuse_other_spec(features, self.spec, head=self.name)
        refuse_other_shape(features, self.task.feature_shape, head=self.name)

    def _answers(self, block: np.ndarray) -> np.ndarray:
        """Returns the model's probabilities, float (n, m); a saved model can hold anything."""
        if self.task.target != CLASS:
            raise UsageError(
                f"head {self.name!r} answers with {described(self.task.target)}, and this works on one class "
                "an image: `predict_targets` gives its answers"
            )
        model = cast("Model", self.model)
        return self._probabilities(self._guarded(model.predict_proba, block), len(block))

    def _guarded(self, answer: Callable[[Any], np.ndarray], rows: Any) -> np.ndarray:
        return guarded(answer, rows, head=self.name, folder=self.folder)

    def _probabilities(self, proba: np.ndarray, rows: int) -> np.ndarray:
        return sound_probabilities(proba, (rows, self.task.n_classes), head=self.name)

    def _targets(self, answers: np.ndarray, rows: int) -> np.ndarray:
        return sound_targets(answers, (rows, len(self.classes)), self.task.target, head=self.name)
