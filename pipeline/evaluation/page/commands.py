"""Commands to run next, as they are typed for the features that a page is about."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from pipeline.cache import FeatureSet
from pipeline.cache.features import single_specs
from pipeline.evaluation.report import Report

CACHE, RUNS, HEAD = Path("features_cache"), Path("runs"), "logreg"
"""What commands take where nothing else is said."""


@dataclass(frozen=True)
class Commands:
    """Makes commands.

    Attributes:
        features: Options that choose the features: their entries, and the cache where it is not the usual.
        runs: Options that choose where heads are, where that is not the usual.
        head: Options that choose the head, where that is not the usual.
    """

    features: tuple[str, ...] = ()
    runs: tuple[str, ...] = ()
    head: tuple[str, ...] = ()

    @classmethod
    def about(cls, report: Report, features: Mapping[str, FeatureSet]) -> Commands:
        """Finds the options that choose what a report is about."""
        part = features.get(report.split)
        chosen: list[str] = []
        if part is not None:
            dataset = part.path.parent.parent
            for spec in single_specs(part.spec):
                chosen += ["--entry", f"{dataset.name}/{spec.entry_name}"]
            chosen += ["--cache", str(dataset.parent)] if dataset.parent != CACHE else []
        runs = None if report.run is None else report.run.parents[2]
        return cls(
            tuple(chosen),
            () if runs in (None, RUNS) else ("--runs", str(runs)),
            () if report.head == HEAD else ("--head", report.head),
        )

    def check(self) -> str:
        """Looks for leaks with everything that can be compared."""
        return self._line("check", *self.features)

    def check_labels(self) -> str:
        """Looks for labels that are likely wrong."""
        return self._line("check", *self.features, *self.runs, "--labels")

    def learning_curve(self) -> str:
        """Says what more training rows would bring."""
        return self._line("learning-curve", *self.features, *self.head, *self.runs)

    def next_images(self) -> str:
        """Says which images without a label to label first."""
        return self._line("next", *self.features, *self.head, *self.runs)

    def cross_validate(self) -> str:
        """Measures the same head on every image."""
        return self.evaluate("--cv", "10", "--repeats", "3")

    def evaluate(self, *options: str) -> str:
        """Measures the same head in another way."""
        return self._line("evaluate", *self.features, *self.head, *self.runs, *options)

    def evaluate_all(self) -> str:
        """Compares all heads on val."""
        return self._line("evaluate", *self.features, *self.runs, "--head", "all", "--split", "val")

    def sweep(self) -> str:
        """Compares many heads on val."""
        return self._line("sweep", *self.features, *self.runs, "--preset", "quick")

    def train(self) -> str:
        """Trains the head again."""
        return self._line("train-head", *self.features, *self.head, *self.runs)

    @staticmethod
    def _line(name: str, *options: str) -> str:
        return shlex.join(["pipeline", name, *options])
