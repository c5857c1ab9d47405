from __future__ import annotations

import json
import os
import subprocess
import sys

import numpy as np
import pytest

from pipeline.errors import PipelineError
from pipeline.evaluation import evaluate
from pipeline.evaluation.ledger import LEDGER, MANY, _lines, record_look

LOOK = """
import sys
import numpy as np
from pathlib import Path
from pipeline.evaluation.ledger import record_look
for i in range(25):
    record_look(
        Path(sys.argv[1]), head=sys.argv[2], split="test", probabilities=np.array([float(i)]),
        digests=np.zeros((1, 32), np.uint8),
    )
"""


@pytest.fixture
def entry(tmp_path):
    return tmp_path / "runs" / "toy" / "entry"


def images(*numbers):
    return np.array([[number] * 32 for number in numbers], np.uint8)


def look(folder, *, head="logreg", split="test", answers=0.0, digests=None):
    digests = images(["train", "val", "test"].index(split)) if digests is None else digests
    return record_look(folder, head=head, split=split, probabilities=np.array([[answers]]), digests=digests)


def test_evaluations_of_a_split_are_counted_over_all_heads(entry):
    look(entry)
    look(entry, head="dense", answers=1.0)
    look(entry, split="val", answers=2.0)
    looks = look(entry)
    assert (looks.evaluations, looks.heads, looks.answers) == (3, 2, 2)
    assert looks.line == (
        "this is evaluation 3 on the test split of this entry, 2 heads; "
        "4 on held-out images of this entry in all"
    )
    assert look(entry, split="val").line == (
        "this is evaluation 2 on the val split of this entry, 1 head; "
        "5 on held-out images of this entry in all"
    )
    look(entry, split="train")
    assert look(entry).held_out == 6  # what was trained on is not held out


def test_val_and_then_test_are_both_told(entry):
    assert look(entry, split="val").line == "this is evaluation 1 on the val split of this entry, 1 head"
    assert look(entry).line == (
        "this is evaluation 1 on the test split of this entry, 1 head; "
        "2 on held-out images of this entry in all"
    )


def test_the_same_images_are_counted_under_every_name(entry):
    look(entry, split="val", digests=images(7, 8, 9), answers=1)
    looks = look(entry, split="test", digests=images(9, 7, 8), answers=2)
    assert (looks.evaluations, looks.answers, looks.renamed) == (2, 2, 1)
    assert "; 1 of them on the same images under another name" in looks.line
    assert look(entry, split="test", digests=images(7, 8)).renamed == 0


def test_choices_on_images_of_another_split_are_warned_of(entry):
    for number in range(MANY):
        assert look(entry, split="val", digests=images(1, 2), answers=number).note == ""
    assert "11 different heads or settings" in look(entry, digests=images(1, 2), answers=99).note


def test_other_features_of_the_same_images_count(entry):
    for number in range(MANY):
        look(entry.with_name(f"base{number}"), answers=number)
    looks = look(entry, answers=99)
    assert (looks.evaluations, looks.answers, looks.elsewhere) == (1, 1, MANY)
    assert "; 10 more heads or settings measured on the same images with other features" in looks.line
    assert "11 different heads or settings were measured on this test split" in looks.note
    assert look(entry, digests=images(200)).elsewhere == 0


@pytest.mark.parametrize("kind", ["link", "folder", "damaged", "pipe", "deep"])
def test_whatever_stands_in_another_entry_is_only_read(entry, kind):
    other = entry.with_name("other") / LEDGER
    other.parent.mkdir(parents=True)
    if kind == "link":
        (entry.parent.parent / "elsewhere.jsonl").write_text("x")
        other.symlink_to(entry.parent.parent / "elsewhere.jsonl")
    elif kind == "folder":
        other.mkdir()
    elif kind == "pipe":
        os.mkfifo(other)
    else:
        other.write_bytes(b"[" * 100_000 if kind == "deep" else b'\x00{"head": 3}\n[]\n')
    assert look(entry).elsewhere == 0


def test_lines_of_older_versions_still_count(entry):
    entry.mkdir(parents=True)
    line = {"at": "2026-01-01T00:00:00+00:00", "head": "dense", "split": "test", "answers": "0" * 16}
    (entry / LEDGER).write_text(json.dumps(line) + "\n")
    looks = look(entry)
    assert (looks.evaluations, looks.heads, looks.renamed, looks.held_out) == (2, 2, 0, 2)


def test_the_count_outlives_the_reports_and_heads(make_report):
    for number in range(1, 4):
        report = make_report(("a", "b"))
        folder = report.write()
        stored = json.loads((folder / "metrics.json").read_text())
        counts = {"split": "test", "evaluations": number, "heads": 1, "answers": 1, "damaged": 0}
        assert stored["looks"] == counts | {"renamed": 0, "held_out": number, "elsewhere": 0}
    assert (folder.parent.parent / LEDGER).is_file()


def test_a_head_that_is_not_saved_is_not_counted(make_features, make_head, predict, tmp_path):
    labels, probabilities = predict(2, 20)
    head = make_head(("a", "b"), folder=None)
    features = make_features(probabilities, labels, split="test", classes=("a", "b"))
    assert evaluate(head, features).looks is None
    assert not list(tmp_path.rglob(LEDGER))


def test_many_different_answers_on_test_come_with_a_note(entry):
    for number in range(MANY):
        assert look(entry, answers=number).note == ""
        assert look(entry, split="val", answers=number).note == ""
    assert look(entry, answers=0).note == ""  # the same head again is no further choice
    assert "11 different heads or settings were measured on this test split" in look(entry, answers=99).note
    assert look(entry, split="val", answers=99).note == ""


def test_the_note_is_one_of_the_report(make_features, make_head, predict):
    names = ("a", "b")
    for seed in range(MANY + 1):
        labels, probabilities = predict(2, 20, seed=seed)
        report = evaluate(make_head(names), make_features(probabilities, labels, split="test", classes=names))
    assert "chosen on these rows" in report.notes[-1]


@pytest.mark.parametrize(
    "damage",
    [
        b'{"schema": 2, "head": "x", "split": "test", "answers": "0"}\n',
        b"\x00\xff\n",
        b"{}\n",
        b"[1]\n",
        b"7\n",
        b"null\n",
        b'{"head": "x", "spl',
        b"\n\n",
        b'"\xe2\x80\xa8"\n',
    ],
)
def test_a_damaged_line_is_passed_over_and_swallows_no_other(entry, damage):
    look(entry)
    with (entry / LEDGER).open("ab") as file:
        file.write(damage)
    assert look(entry).evaluations == 2
    looks = look(entry)
    assert looks.evaluations == 3
    assert looks.damaged == (1 if damage.strip() else 0)
    assert ("without a damaged line of evaluations.jsonl" in looks.line) == bool(looks.damaged)


def test_every_bit_of_a_line_is_sealed(entry):
    look(entry)
    (line,) = (entry / LEDGER).read_bytes().splitlines()
    expected = list(_lines(line))
    for bit in range(8 * len(line)):
        flipped = bytearray(line)
        flipped[bit // 8] ^= 1 << bit % 8
        found = list(_lines(bytes(flipped)))
        assert found == expected or set(found) <= {None}, bit


def test_lines_from_before_there_were_seals_are_counted(entry):
    look(entry)
    old = {"at": "2026-01-01T00:00:00+00:00", "head": "dense", "split": "test", "answers": "0"}
    with (entry / LEDGER).open("a") as file:
        file.write(json.dumps(old) + "\n")
    looks = look(entry)
    assert (looks.evaluations, looks.heads, looks.damaged) == (3, 2, 0)


def test_two_processes_at_once_lose_no_line(entry):
    running = [subprocess.Popen([sys.executable, "-c", LOOK, str(entry), name]) for name in ("a", "b")]
    assert [process.wait(timeout=60) for process in running] == [0, 0]
    looks = look(entry, head="c")
    assert (looks.evaluations, looks.heads, looks.answers) == (51, 3, 25)
    lines = (entry / LEDGER).read_text().splitlines()
    assert all(json.loads(line)["split"] == "test" for line in lines)


def test_a_ledger_that_cannot_be_written_is_one_clear_line(entry):
    (entry / LEDGER).mkdir(parents=True)
    with pytest.raises(PipelineError, match=r"evaluations\.jsonl is a folder; nothing was written") as caught:
        look(entry)
    assert "\n" not in str(caught.value)


def test_a_ledger_with_another_name_goes_on_as_a_copy(entry, tmp_path):
    look(entry)
    kept = tmp_path / "backup.jsonl"
    os.link(entry / LEDGER, kept)
    before = kept.read_bytes()
    assert look(entry, answers=1.0).evaluations == 2
    assert look(entry, answers=2.0).evaluations == 3
    assert kept.read_bytes() == before
    assert (entry / LEDGER).read_bytes().startswith(before)
