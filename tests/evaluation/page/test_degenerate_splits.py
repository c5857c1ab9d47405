"""Splits on which libraries answer with other types than usual, or with NaN: nothing may fail on them.

scikit-learn, for one, counts in floats where no row is right.
"""

from __future__ import annotations

import csv
import dataclasses
import io
import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console

from pipeline.errors import UsageError
from pipeline.evaluation import comparison as comparison_module
from pipeline.evaluation.comparison import compare_heads
from pipeline.evaluation.loggers import scalars
from pipeline.evaluation.tables import print_comparison, print_report
from pipeline.plain_json import json_text

Answers = tuple[np.ndarray, np.ndarray]


def said(
    labels: list[int], guesses: list[int], k: int, *, sure: float = 0.9, dtype: type = np.float64
) -> Answers:
    """Makes labels and the probabilities of a head that says ``guesses``."""
    probabilities = np.full((len(labels), k), (1 - sure) / (k - 1), dtype)
    probabilities[np.arange(len(labels)), guesses] = sure
    return np.array(labels, np.int32), probabilities


def drawn(n: int, k: int, *, right: bool) -> Answers:
    labels = np.random.default_rng(n).integers(0, k, n)
    return said(labels.tolist(), ((labels + (not right)) % k).tolist(), k)


CASES: dict[str, Answers] = {
    "nothing right": drawn(30, 3, right=False),
    "nothing right, surely": said([0, 1, 2] * 3, [1, 2, 0] * 3, 3, sure=1.0),
    "nothing right, float32": said([0, 1] * 4, [1, 0] * 4, 2, dtype=np.float32),
    "everything right": drawn(30, 3, right=True),
    "everything right, surely": said([0, 1, 2] * 3, [0, 1, 2] * 3, 3, sure=1.0),
    "one class only, always right": said([1] * 12, [1] * 12, 3),
    "one class only, never right": said([1] * 9, [0] * 9, 3),
    "one class of two, never right": said([1] * 9, [0] * 9, 2),
    "one row, right": said([1], [1], 2),
    "one row, wrong": said([0], [1], 2),
    "two rows": said([0, 1], [0, 0], 2),
    "two rows, wrong": said([0, 1], [1, 0], 2),
    "classes without rows": said([0, 3] * 4, [0, 3, 3, 0] * 2, 9),
    "a class never predicted": said([0, 1, 2] * 3, [0, 1, 1] * 3, 3),
    "one label among many rows": said([-1] * 8 + [1], [0] * 9, 2),
    "no opinion": said([0, 1, 2] * 3, [0] * 9, 3, sure=1 / 3),
    "ten thousand classes": drawn(12, 10_000, right=False),
}
PLAIN = (bool, int, float, str, type(None))


def impossible(constant: str) -> None:
    raise AssertionError(f"{constant} is not JSON")


def strangers(value: object, place: str = "") -> list[str]:
    """Names every value that is of no type of Python's own, or not a finite number."""
    if isinstance(value, dict):
        return [one for key, part in value.items() for one in strangers(part, f"{place}.{key}")]
    if isinstance(value, list | tuple):
        return [one for i, part in enumerate(value) for one in strangers(part, f"{place}[{i}]")]
    sound = type(value) in PLAIN and (not isinstance(value, float) or np.isfinite(value))
    return [] if sound else [f"{place}: {value!r} of {type(value).__name__}"]


@pytest.mark.parametrize("name", CASES)
def test_every_output_of_an_evaluation_is_sound(make_case: Callable[..., object], name: str) -> None:
    labels, probabilities = CASES[name]
    k = probabilities.shape[1]
    case = make_case([f"c{i}" for i in range(k)], answers=(labels.copy(), probabilities))
    report = case.report

    figures = dataclasses.asdict(report.figures)
    assert figures.pop("pairs").sum(axis=0)[2] == report.figures.n
    assert strangers(figures) == []
    assert strangers(report.to_json()) == []
    assert all(type(one.support) is int and type(one.predicted) is int for one in report.figures.per_class)
    assert all(np.isfinite(value) for value in scalars(report).values())

    page = case.write()
    folder = report.write(page=lambda path: path.write_text(page, encoding="utf-8"))
    record = json.loads((folder / "metrics.json").read_text(), parse_constant=impossible)
    assert [one["support"] for one in record["per_class"]] == np.bincount(
        labels[labels >= 0], minlength=k
    ).tolist()
    with (folder / "predictions.csv").open(newline="") as file:
        assert len(list(csv.reader(file))) == len(labels) + 1

    text = io.StringIO()
    print_report(report, console=Console(file=text, width=120))
    for shown in (text.getvalue(), re.sub(r"<(script|style).*?</\1>", "", page, flags=re.DOTALL)):
        assert not re.search(r"[>\s]\d+\.0[<\s]*$", shown, re.MULTILINE), "a count with a decimal point"
        assert not re.search(r"\b(nan|inf)\b", shown, re.IGNORECASE)


@pytest.mark.parametrize("name", CASES)
def test_heads_can_be_compared(
    make_features: Callable[..., object],
    make_head: Callable[..., object],
    tmp_path: Path,
    name: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    labels, probabilities = CASES[name]
    classes = tuple(f"c{i}" for i in range(probabilities.shape[1]))
    features = make_features(probabilities, labels, split="test", classes=classes)
    folders = [tmp_path / "runs" / head for head in ("one", "other")]
    monkeypatch.setattr(
        comparison_module, "load_head", lambda folder: make_head(classes, folder=folder, name=folder.name)
    )
    comparison = compare_heads(folders, features)
    json.loads(json_text(comparison.to_json()), parse_constant=impossible)
    assert strangers(comparison.to_json()) == []
    text = io.StringIO()
    print_comparison(comparison, console=Console(file=text, width=160))
    assert "nan" not in text.getvalue()
    assert {file.suffix for file in comparison.write().iterdir()} == {".csv", ".json"}


def test_a_split_without_labels_is_one_clear_line(make_case: Callable[..., object]) -> None:
    with pytest.raises(UsageError, match="none of the 12 rows has a label"):
        make_case(["a", "b"], answers=said([-1] * 12, [0] * 12, 2))
