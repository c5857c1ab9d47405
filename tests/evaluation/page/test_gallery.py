from __future__ import annotations

import numpy as np

from pipeline.evaluation.page import gallery as module
from pipeline.evaluation.page.gallery import gallery


def test_every_mistake_is_shown_where_there_is_room(make_case):
    report = make_case(tuple("abc"), n=80, unlabelled=5).report
    found = gallery(report)
    wrong = (report.rows.labels >= 0) & (report.rows.labels != report.probabilities.argmax(axis=1))
    ids = np.array(report.rows.ids)
    assert {one.id for one in found.mistakes} == set(ids[wrong])
    assert found.groups[0].note == f"All {wrong.sum()} mistakes."
    assert len(found.ids) == len(set(found.ids))
    assert all(one.right for one in found.right)


def test_of_many_mistakes_those_of_every_class_are_shown_and_the_rest_is_counted(make_case, monkeypatch):
    monkeypatch.setattr(module, "MOST_MISTAKES", 3)
    labels = np.repeat(np.arange(5), 8).astype(np.int32)
    probabilities = np.full((40, 5), 0.01)
    probabilities[np.arange(40), (labels + 1) % 5] = np.linspace(0.96, 0.5, 40)  # the surest are of class 0
    report = make_case(tuple("abcde"), answers=(labels, probabilities)).report
    found = gallery(report)
    assert [one.truth for one in found.mistakes] == ["a", "a", "a", "b", "c", "d", "e"]
    assert found.groups[0].note.startswith("7 of 40: the surest")
    assert found.right == ()


def test_a_row_stands_in_one_group_only(make_case):
    found = gallery(make_case(tuple("ab"), n=30).report)
    assert len(found.ids) == len(set(found.ids)) == 30


def test_right_answers_are_of_all_classes(make_case):
    found = gallery(make_case(tuple("abcd"), n=400).report)
    assert {one.truth for one in found.right} == set("abcd")
    assert [one.guesses[0][1] for one in found.right] == sorted(
        (one.guesses[0][1] for one in found.right), reverse=True
    )
