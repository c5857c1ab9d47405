from __future__ import annotations

import json
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
    record_look(Path(sys.argv[1]), head=sys.argv[2], split="test", probabilities=np.array([float(i)]))
"""


def look(folder, *, head="logreg", split="test", answers=0.0):
    return record_look(folder, head=head, split=split, probabilities=np.array([[answers]]))


def test_evaluations_of_a_split_are_counted_over_all_heads(tmp_path):
    look(tmp_path)
    look(tmp_path, head="dense", answers=1.0)
    look(tmp_path, split="val", answers=2.0)
    looks = look(tmp_path)
    assert (looks.evaluations, looks.heads, looks.answers) == (3, 2, 2)
    assert looks.line == "this is evaluation 3 on the test split of this entry, 2 heads"
    assert look(tmp_path, split="val").line == "this is evaluation 2 on the val split of this entry, 1 head"


def test_the_count_outlives_the_reports_and_heads(make_report):
    for number in range(1, 4):
        report = make_report(("a", "b"))
        folder = report.write()
        stored = json.loads((folder / "metrics.json").read_text())
        looks = {"split": "test", "evaluations": number, "heads": 1, "answers": 1, "damaged": 0}
        assert stored["looks"] == looks
    assert (folder.parent.parent / LEDGER).is_file()


def test_a_head_that_is_not_saved_is_not_counted(make_features, make_head, predict, tmp_path):
    labels, probabilities = predict(2, 20)
    head = make_head(("a", "b"), folder=None)
    features = make_features(probabilities, labels, split="test", classes=("a", "b"))
    assert evaluate(head, features).looks is None
    assert not list(tmp_path.rglob(LEDGER))


def test_many_different_answers_on_test_come_with_a_note(tmp_path):
    for number in range(MANY):
        assert look(tmp_path, answers=number).note == ""
        assert look(tmp_path, split="val", answers=number).note == ""
    assert look(tmp_path, answers=0).note == ""  # the same head again is no further choice
    assert (
        "11 different heads or settings were measured on this test split" in look(tmp_path, answers=99).note
    )
    assert look(tmp_path, split="val", answers=99).note == ""


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
def test_a_damaged_line_is_passed_over_and_swallows_no_other(tmp_path, damage):
    look(tmp_path)
    with (tmp_path / LEDGER).open("ab") as file:
        file.write(damage)
    assert look(tmp_path).evaluations == 2
    looks = look(tmp_path)
    assert looks.evaluations == 3
    assert looks.damaged == (1 if damage.strip() else 0)
    assert ("without a damaged line of evaluations.jsonl" in looks.line) == bool(looks.damaged)


def test_every_bit_of_a_line_is_sealed(tmp_path):
    look(tmp_path)
    (line,) = (tmp_path / LEDGER).read_bytes().splitlines()
    expected = list(_lines(line))
    for bit in range(8 * len(line)):
        flipped = bytearray(line)
        flipped[bit // 8] ^= 1 << bit % 8
        found = list(_lines(bytes(flipped)))
        assert found == expected or set(found) <= {None}, bit


def test_lines_from_before_there_were_seals_are_counted(tmp_path):
    look(tmp_path)
    old = {"at": "2026-01-01T00:00:00+00:00", "head": "dense", "split": "test", "answers": "0"}
    with (tmp_path / LEDGER).open("a") as file:
        file.write(json.dumps(old) + "\n")
    looks = look(tmp_path)
    assert (looks.evaluations, looks.heads, looks.damaged) == (3, 2, 0)


def test_two_processes_at_once_lose_no_line(tmp_path):
    running = [subprocess.Popen([sys.executable, "-c", LOOK, str(tmp_path), name]) for name in ("a", "b")]
    assert [process.wait(timeout=60) for process in running] == [0, 0]
    looks = look(tmp_path, head="c")
    assert (looks.evaluations, looks.heads, looks.answers) == (51, 3, 25)
    lines = (tmp_path / LEDGER).read_text().splitlines()
    assert all(json.loads(line)["split"] == "test" for line in lines)


def test_a_ledger_that_cannot_be_written_is_one_clear_line(tmp_path):
    (tmp_path / LEDGER).mkdir()
    with pytest.raises(PipelineError, match=r"evaluations\.jsonl is a folder; nothing was written") as caught:
        look(tmp_path)
    assert "\n" not in str(caught.value)
