"""What a notebook shows, and tables of pandas: of every object that the library hands out."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from photos import Photos

import pipeline
from pipeline import progress
from pipeline.notebook import MOST_LINES, facts_html, table_html


def test_what_the_library_hands_out_shows_itself(photos: Photos, tmp_path: Path) -> None:
    for split, count in (("train", 6), ("val", 3), ("test", 3)):
        for label in ("<b>cats", "dogs"):
            photos.add(f"{split}/{label}", count)
    request = pipeline.FeatureRequest(backbone="pixels", image_size=8)
    (made,) = pipeline.extract(photos.root, request, cache=tmp_path / "cache")
    train, val, test = (pipeline.open_features(made.entry, split) for split in ("train", "val", "test"))
    board = pipeline.sweep(["ridge", "knn"], train, val, runs=tmp_path / "runs")
    report = pipeline.evaluate(board.winner, test)
    shown = {
        name: one._repr_html_()
        for name, one in (
            ("entry", made.entry),
            ("train", train),
            ("board", board),
            ("head", board.winner),
            ("report", report),
        )
    }
    assert not any("<b>" in html for html in shown.values())
    assert "&lt;b&gt;cats" in shown["train"]
    assert "95% interval" in shown["report"]
    assert all(one in shown["board"] for one in ("ridge", "knn"))
    assert "pixels" in shown["entry"]
    assert board.winner.name in shown["head"]
    assert list(board.to_frame()["rank"]) == [1, 2]


def test_every_text_is_only_text() -> None:
    html = facts_html("<i>", {"<a>": "<script>"}, ["<img>"]) + table_html(["<u>"], [["<s>"], [""]])
    assert not re.search(r"<(i|a|script|img|u|s)>", html)
    assert "<td></td>" in html


def test_of_a_long_table_the_first_lines_are_shown() -> None:
    html = table_html(["n"], [[n] for n in range(1000)])
    assert html.count("<td>") == MOST_LINES
    assert "of 1,000" in html


@pytest.mark.parametrize(
    ("shell", "widget"), [("ZMQInteractiveShell", True), ("TerminalInteractiveShell", False)]
)
def test_a_notebook_gets_a_widget(
    shell: str, widget: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    kernel = type(shell, (), {})()
    monkeypatch.setitem(sys.modules, "IPython", SimpleNamespace(get_ipython=lambda: kernel))
    monkeypatch.setattr(progress, "find_spec", lambda name: object())
    assert progress._shows_widgets() is widget
    monkeypatch.setattr(progress, "find_spec", lambda name: None)
    assert not progress._shows_widgets()
