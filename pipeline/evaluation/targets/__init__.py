"""Figures of several labels an image, or of numbers: what is unknown of an image counts in none of them."""

from __future__ import annotations

from pipeline.evaluation.targets.evaluating import evaluate_targets
from pipeline.evaluation.targets.report import TargetReport

__all__ = ["TargetReport", "evaluate_targets"]
