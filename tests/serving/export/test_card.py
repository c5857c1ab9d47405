"""The card of a model: what is known of it, harmless in Markdown, and nothing that nobody has measured."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
import yaml

from pipeline.cache.features import Selection
from pipeline.evaluation import evaluate
from pipeline.heads import Temperature, TrainedHead
from pipeline.serving.export._card import write_card

Train = Callable[..., tuple[TrainedHead, Selection]]


def written(trained: TrainedHead, **changes: Any) -> tuple[dict[str, Any], str]:
    """Returns the head of a card, and its text."""
    given = {
        "format": "onnx",
        "name": "a.onnx",
        "example": "run()",
        "checked": 3,
        "difference": 1e-5,
        "without_familiarity": "not known",
    } | changes
    text = write_card(trained, **given)
    _, front, body = text.split("---\n", 2)
    return yaml.safe_load(front), body


def test_figures_on_test_stand_on_it(train: Train) -> None:
    trained, chosen = train("logreg", own=True)
    report = evaluate(trained, chosen.open("test"))
    assert "model-index" not in written(trained)[0]
    report.write()
    front, body = written(trained)
    (result,) = front["model-index"][0]["results"]
    assert result["dataset"]["split"] == "test"
    assert result["metrics"][0] == {"type": "accuracy", "value": report.figures.accuracy}
    low, high = report.figures.accuracy_ci
    assert f"{report.figures.accuracy:.4f}, 95 % interval {low:.4f} to {high:.4f}" in body
    assert "Not evaluated" not in body


@pytest.mark.parametrize("content", ["", "{}", '{"accuracy": "high"}'])
def test_figures_that_cannot_be_read_are_not_made_up(content: str, train: Train) -> None:
    trained, chosen = train("logreg", own=True)
    folder = evaluate(trained, chosen.open("test")).write()
    (folder / "metrics.json").write_text(content)
    front, body = written(trained)
    assert "model-index" not in front
    assert "Not evaluated on test yet: `pipeline evaluate --head logreg --split test`" in body


def test_names_from_outside_cannot_leave_their_place(train: Train) -> None:
    trained, _ = train("logreg")
    hostile = ("a | b\n---\n# c", "<script>alert(1)</script>")
    front, body = written(replace(trained, classes=hostile, dataset='x"\nlicense: mit'))
    assert "license" not in front
    assert "\n# c" not in body
    assert "<script" not in body.replace("\\<script", "")
    assert "| a \\| b " in body


def test_what_limits_it_is_said(train: Train) -> None:
    trained, _ = train("logreg")
    calibrated = replace(
        trained, temperature=Temperature(value=1.5, low=1.2, high=1.8, rows=6), class_counts=(18, 0)
    )
    _, body = written(calibrated)
    assert "RANDOM FILTERS" in body
    assert f"Never answered, for want of training images: {trained.classes[1]}." in body
    assert calibrated.temperature is not None
    assert f"Probabilities are calibrated: {calibrated.temperature.line}." in body
    assert "On 3 images its probabilities differ by at most 1e-05" in body
    assert "differ by at most" not in written(trained, difference=None)[1]
