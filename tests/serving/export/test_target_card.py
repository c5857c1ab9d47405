"""The card of a model of several labels, or of numbers: its figures, its images, and what the hub reads."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from model_cards import card_of

from pipeline.cache import FeatureSet
from pipeline.evaluation.leaks.findings import Leaks
from pipeline.evaluation.targets import evaluate_targets
from pipeline.heads import TrainedHead, train_head
from pipeline.images.targets import LABELS, NUMBER

KINDS = [LABELS, NUMBER]

Learn = Callable[..., TrainedHead]


@pytest.fixture
def learn(make_targets: Callable[..., FeatureSet], tmp_path: Path) -> Learn:
    def learn(kind: str, *, val: bool = True) -> TrainedHead:
        held_out = make_targets(kind, "val") if val else None
        return train_head("ridge", make_targets(kind), held_out, runs=tmp_path / "runs")

    return learn


def report_on(trained: TrainedHead, rows: FeatureSet, **given: Any) -> dict[str, Any]:
    """Evaluates a head, leaves the report beside it, and returns its figures."""
    report = evaluate_targets(trained, rows, **given)
    report.write()
    return report.to_json()


def metrics_of(front: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    (result,) = front["model-index"][0]["results"]
    return {(one["type"], one.get("args", {}).get("average", "")): one for one in result["metrics"]}


@pytest.mark.parametrize("kind", KINDS)
def test_the_hub_is_told_the_task(kind: str, learn: Learn, make_targets: Callable[..., FeatureSet]) -> None:
    trained = learn(kind)
    report_on(trained, make_targets(kind, "test"))
    front, body = card_of(trained)
    (result,) = front["model-index"][0]["results"]
    if kind == LABELS:
        assert front["pipeline_tag"] == "image-classification"
        assert front["tags"][:2] == ["image-classification", "multi-label-image-classification"]
        assert result["task"] == {"type": "image-classification", "name": "Multi-Label Image Classification"}
    else:
        assert "pipeline_tag" not in front
        assert front["tags"][0] == "image-regression"
        assert result["task"] == {"type": "image-regression", "name": "Image Regression"}
        assert "classifier" not in body
    hub = pytest.importorskip("huggingface_hub")
    card = hub.ModelCard(f"---\n{yaml.safe_dump(front)}---\n{body}")
    assert {one.metric_type for one in card.data.eval_results} == {one[0] for one in metrics_of(front)}


def test_figures_of_labels_stand_on_it_with_their_intervals(
    learn: Learn, make_targets: Callable[..., FeatureSet]
) -> None:
    trained = learn(LABELS)
    told = report_on(trained, make_targets(LABELS, "test"))
    front, body = card_of(trained)
    found = metrics_of(front)
    for key, name, metric in (
        ("map", "mean average precision", ("mean_average_precision", "")),
        ("micro_f1", "micro F1", ("f1", "micro")),
        ("macro_f1", "macro F1", ("f1", "macro")),
        ("exact_match", "exact match", ("accuracy", "")),
    ):
        low, high = told["intervals"][key]
        assert f"| {name} | {told[key]:.4f}, 95 % interval {low:.4f} to {high:.4f} |" in body
        assert found[metric]["value"] == told[key]
        assert found[metric]["args"]["confidence_interval"] == [low, high]
    for one, threshold in zip(told["per_label"], trained.thresholds, strict=True):
        assert (
            f"{one['support']} | {one['predicted']} | {threshold:.4f} | {one['average_precision']:.4f}"
            in body
        )
    assert f"always each label's share | {told['baseline']['map']:.4f} |" in body
    assert "Thresholds are those of the highest F1 on val" in body
    assert "calibrate" not in body
    assert "Not evaluated" not in body


def test_figures_of_numbers_stand_on_it_with_their_intervals(
    learn: Learn, make_targets: Callable[..., FeatureSet]
) -> None:
    trained = learn(NUMBER)
    told = report_on(trained, make_targets(NUMBER, "test"), val=make_targets(NUMBER, "val"))
    front, body = card_of(trained)
    found = metrics_of(front)
    for key, name, metric in (("mae", "MAE", "mae"), ("rmse", "RMSE", "rmse"), ("r2", "R2", "r_squared")):
        low, high = told["intervals"][key]
        assert f"| {name} | {told[key]:.4f}, 95 % interval {low:.4f} to {high:.4f} |" in body
        assert found[metric, ""]["value"] == told[key]
        assert found[metric, ""]["args"]["confidence_interval"] == [low, high]
    assert f"| MAE of always the mean | {told['baseline']['mae']:.4f} |" in body
    assert "| R2 | 90 % of true values within +- |" in body
    for one in told["per_number"]:
        width = one["prediction_interval"]["half_width"]
        assert (
            f"{one['rows']} | {one['mae']:.4f} | {one['rmse']:.4f} | {one['r2']:.4f} | {width:.4f} |" in body
        )
    assert "hreshold" not in body.replace("`thresholds`", "")


@pytest.mark.parametrize("kind", KINDS)
def test_without_a_report_nothing_is_made_up(
    kind: str, learn: Learn, make_targets: Callable[..., FeatureSet]
) -> None:
    trained = learn(kind)
    front, body = card_of(trained)
    assert "model-index" not in front
    assert "Not evaluated on test yet: `pipeline evaluate --head ridge --split test`" in body
    _, value = trained.val_figure
    assert f"chosen on: {'mean average precision' if kind == LABELS else 'R2'} {value:.4f}." in body
    report_on(trained, make_targets(kind, "test"))
    (trained.folder / "test" / "metrics.json").write_text('{"target": "labels", "n": "many"}')
    assert "Not evaluated on test yet" in card_of(trained)[1]


@pytest.mark.parametrize("kind", KINDS)
def test_leaks_and_what_limits_it_are_told(
    kind: str, learn: Learn, make_targets: Callable[..., FeatureSet]
) -> None:
    trained = learn(kind)
    report_on(trained, make_targets(kind, "test"), leaks=Leaks(()))
    body = card_of(dataclasses.replace(trained, class_counts=(0, 20)))[1]
    assert "The leak check beside these figures found nothing;" in body
    assert {LABELS: "Labels that no training image has: ", NUMBER: "Numbers that are known of no training "}[
        kind
    ] in body
    apart = {LABELS: "probabilities differ by at most 1e-05 from", NUMBER: "1e-05 standard deviations from"}
    assert apart[kind] in body
    assert ("| label | threshold |" in body) == (kind == LABELS)
    assert ("in the unit that it was given in" in body) == (kind == NUMBER)


def test_thresholds_without_val_are_told_to_be_even(learn: Learn) -> None:
    assert "Thresholds are 0.5, as there was no val" in card_of(learn(LABELS, val=False))[1]
