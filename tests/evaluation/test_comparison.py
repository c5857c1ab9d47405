from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import numpy as np
import pytest
from rich.console import Console
from scipy import stats

from pipeline.errors import CacheMismatchError, UsageError
from pipeline.evaluation import comparison
from pipeline.evaluation.comparison import compare_heads, head_folders, holm, mcnemar
from pipeline.evaluation.tables import print_comparison

NAMES = ("cats", "dogs")


@pytest.fixture
def entry(tmp_path):
    """An entry with three heads, each of which has a number of rows wrong; see ``load``."""
    folder = tmp_path / "runs" / "toy" / "entry"
    for name in ("weak", "strong", "double"):
        (folder / name).mkdir(parents=True)
        (folder / name / "head.json").write_text("{}")
    (folder / "sweep").mkdir()
    (folder / ".draft").mkdir()
    (folder / ".draft" / "head.json").write_text("{}")
    return folder


@pytest.fixture
def rows(make_features):
    labels = np.arange(200) % 2
    return make_features(np.zeros((200, 2)), labels, split="test", classes=NAMES)


@pytest.fixture
def load(make_head, monkeypatch):
    """Makes heads that have rows wrong: weak 40 (8 of strong's 10 among them), double strong's own.

    Double, whose name comes first, is less sure of what is right.
    """
    wrong = {"strong": range(10), "double": range(10), "weak": range(2, 42)}

    def load(folder: Path):
        if folder.name not in wrong:
            raise CacheMismatchError(f"{folder} is damaged")
        head = make_head(NAMES, name=folder.name, folder=folder)
        labels = np.arange(200) % 2
        labels[list(wrong[folder.name])] ^= 1
        confidence = 0.9 if folder.name == "strong" else 0.8
        head.uncalibrated_proba = lambda features: np.eye(2)[labels] * (2 * confidence - 1) + 1 - confidence
        return head

    monkeypatch.setattr(comparison, "load_head", load)
    return load


def test_only_trained_heads_are_listed(entry):
    assert [folder.name for folder in head_folders(entry)] == ["double", "strong", "weak"]


def test_an_entry_without_heads_names_the_command(tmp_path):
    with pytest.raises(UsageError, match=r"no head is trained in .*train-head"):
        head_folders(tmp_path / "nowhere")


def test_heads_are_sorted_and_tested_against_the_best(entry, rows, load):
    result = compare_heads(head_folders(entry), rows)
    assert [report.head for report in result.reports] == ["strong", "double", "weak"]
    first, double, weak = result.differences
    assert first is None
    assert (double.only_best, double.only_this, double.p, double.p_holm) == (0, 0, 1, 1)
    assert (weak.only_best, weak.only_this) == (32, 2)
    p = stats.binomtest(2, 34).pvalue
    assert weak.p == pytest.approx(p)
    assert weak.p_holm == pytest.approx(2 * p)
    assert weak.is_significant
    assert not double.is_significant
    assert result.looks.evaluations == 3


def test_what_is_rare_for_one_pair_is_not_among_several(entry, rows, load, monkeypatch):
    def load_near(folder):
        head = load(folder)
        if folder.name != "strong":
            labels = np.arange(200) % 2
            labels[4:24] ^= 1
            head.uncalibrated_proba = lambda features: np.eye(2)[labels] * 0.8 + 0.1
        return head

    monkeypatch.setattr(comparison, "load_head", load_near)
    _, *others = compare_heads(head_folders(entry), rows).differences
    assert [(one.only_best, one.only_this) for one in others] == [(14, 4)] * 2
    assert [one.p for one in others] == pytest.approx([stats.binomtest(4, 18).pvalue] * 2)
    assert all(one.p < 0.05 < one.p_holm and not one.is_significant for one in others)


def test_unlabelled_rows_take_no_part(entry, make_features, load):
    labels = np.arange(200) % 2
    labels[:10] = -1
    rows = make_features(np.zeros((200, 2)), labels, split="test", classes=NAMES)
    result = compare_heads(head_folders(entry), rows)
    assert (result.differences[2].only_best, result.differences[2].only_this) == (32, 0)


def test_files_hold_every_head_and_replace_older_ones(entry, rows, load):
    result = compare_heads(head_folders(entry), rows)
    folder = result.write()
    assert folder == entry / "comparison" / "test"
    assert folder == result.write()
    record = json.loads((folder / "comparison.json").read_text())
    assert record.items() >= json.loads(json.dumps(result.to_json())).items()
    with (folder / "comparison.csv").open(newline="") as file:
        table = list(csv.DictReader(file))
    assert [row["head"] for row in table] == ["strong", "double", "weak"]
    assert [float(row["accuracy"]) for row in table] == [0.95, 0.95, 0.8]
    assert [row["only_best"] for row in table] == ["", "0", "32"]
    assert [float(table[2][name]) for name in ("p", "p_holm")] == [
        record["heads"][2][n] for n in ("p", "p_holm")
    ]


def test_a_folder_that_is_no_comparison_is_not_replaced(entry, rows, load):
    precious = entry / "comparison" / "test" / "thesis.tex"
    precious.parent.mkdir(parents=True)
    precious.write_text("three years")
    with pytest.raises(UsageError, match="will not be replaced"):
        compare_heads(head_folders(entry), rows).write()
    assert precious.read_text() == "three years"


def test_a_damaged_head_is_left_out_and_named(entry, rows, load):
    (entry / "broken").mkdir()
    (entry / "broken" / "head.json").write_text("{}")
    result = compare_heads(head_folders(entry), rows)
    assert len(result.reports) == 3
    assert "is damaged" in result.skipped["broken"]
    assert "broken left out: " in printed(result)


def test_nothing_but_damaged_heads_is_an_error(entry, rows, load):
    with pytest.raises(CacheMismatchError, match="is damaged"):
        compare_heads([entry / "broken"], rows)


def test_a_winner_on_test_comes_with_a_note_and_one_on_val_with_none(entry, make_features, load):
    for split, count in (("test", 1), ("val", 0)):
        rows = make_features(np.zeros((200, 2)), np.arange(200) % 2, split=split, classes=NAMES)
        notes = compare_heads(head_folders(entry), rows).notes
        assert sum("was chosen on test" in note for note in notes) == count
        assert len(set(notes)) == len(notes)


def test_of_one_head_there_is_nothing_to_choose(entry, rows, load):
    result = compare_heads([entry / "strong"], rows)
    assert not any("was chosen on test" in note for note in result.notes)
    assert [row["rank"] for row in result.rows()] == [1]


def test_heads_that_are_not_saved_were_never_looked_at(entry, rows, load, monkeypatch):
    def load_unsaved(folder):
        head = load(folder)
        head.folder = None
        return head

    monkeypatch.setattr(comparison, "load_head", load_unsaved)
    assert compare_heads(head_folders(entry), rows).looks is None


@pytest.mark.parametrize("width", [40, 80, 200])
def test_the_table_is_printed_at_any_width(entry, rows, load, width):
    text = printed(compare_heads(head_folders(entry), rows), width=width)
    assert "evaluation 3 on the test" in " ".join(text.split())
    if width >= 80:
        (line,) = (line.split() for line in text.splitlines() if line.strip().startswith("weak"))
        assert line[:2] == ["weak", "80.00%"]
        assert line[-2:] == ["+2/-32", "<0.0001"]


def test_the_table_of_classes_has_the_room_between_columns_that_it_has_ever_had(entry, rows, load):
    text = printed(compare_heads(head_folders(entry), rows))
    (heading,) = (line for line in text.splitlines() if line.split()[:2] == ["head", "accuracy"])
    assert heading.startswith("  head")
    assert "  accuracy     95% interval  " in heading


def printed(result, *, width: int = 200) -> str:
    file = io.StringIO()
    print_comparison(result, console=Console(file=file, width=width))
    return file.getvalue()


@pytest.mark.parametrize(
    ("first", "second", "p"), [(0, 0, 1), (5, 5, 1), (1, 9, 22 / 1024), (9, 1, 22 / 1024), (0, 6, 2 / 64)]
)
def test_mcnemar_by_hand(first, second, p):
    assert mcnemar(first, second) == pytest.approx(p)


@pytest.mark.parametrize(
    ("p", "corrected"),
    [
        ([], []),
        ([0.03], [0.03]),
        ([0.01, 0.04, 0.03], [0.03, 0.06, 0.06]),
        ([0.6, 0.9], [1, 1]),
        ([0.02, 0.02], [0.04, 0.04]),
    ],
)
def test_holm_by_hand(p, corrected):
    assert holm(p) == pytest.approx(corrected)


def test_what_is_said_of_some_heads_only_names_them(entry, rows, load, monkeypatch):
    def load_blind(folder):
        head = load(folder)
        if folder.name != "strong":
            head.uncalibrated_proba = lambda features: np.tile([0.9, 0.1], (len(features), 1))
        return head

    monkeypatch.setattr(comparison, "load_head", load_blind)
    result = compare_heads(head_folders(entry), rows)
    (note,) = [one for one in result.notes if "nothing was found" in one]
    assert note.startswith(
        "double, weak: nothing was found of dogs (100 rows); always answering cats gives an"
    )
    described = result.to_json()
    assert described["classes_not_found"] == {"strong": [], "double": ["dogs"], "weak": ["dogs"]}
    majority = described["unlabelled"], described["majority_class"], described["majority_accuracy"]
    assert majority == (0, "cats", 0.5)
