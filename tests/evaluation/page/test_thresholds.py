from __future__ import annotations

import re

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, roc_auc_score

from pipeline.evaluation.page.curves import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH
from pipeline.evaluation.page.thresholds import MOST_POINTS, answers_kept_back, class_curves


def test_each_class_has_the_areas_of_its_own_curves(make_case):
    report = make_case(tuple("abc"), n=120, unlabelled=4).report
    found = {one.name: one for one in class_curves(report)}
    known = report.rows.labels >= 0
    for label, name in enumerate("abc"):
        own, scores = report.rows.labels[known] == label, report.probabilities[known, label]
        assert found[name].area == roc_auc_score(own, scores)
        assert found[name].average_precision == average_precision_score(own, scores)
        assert found[name].rows == own.sum()
    order = [one.average_precision for one in class_curves(report)]
    assert order == sorted(order)


def test_a_mark_is_what_its_threshold_brings(make_case):
    labels = np.array([0, 0, 0, 1, 1], np.int32)
    own = np.array([0.95, 0.8, 0.2, 0.75, 0.1])
    report = make_case(("a", "b"), answers=(labels, np.column_stack([own, 1 - own]))).report
    (curves,) = [one for one in class_curves(report) if one.name == "a"]
    marks = {one.threshold: one for one in curves.marks}
    assert (marks[0.7].taken, marks[0.7].precision, marks[0.7].recall) == (3, 2 / 3, 2 / 3)
    assert marks[0.7].false_alarms == 0.5
    assert (marks[0.9].precision, marks[0.9].false_alarms) == (1, 0)
    assert (marks[0.99].taken, marks[0.99].precision, marks[0.99].pr) == (0, None, None)


@pytest.mark.parametrize("n", [2, 30, 5000])
def test_curves_stay_in_their_frame_and_are_short_to_write(make_case, n):
    for one in class_curves(make_case(("a", "b"), n=n).report):
        for path in (one.roc, one.pr):
            assert len(re.findall("[MLH]", path)) <= MOST_POINTS
            assert "nan" not in path
        points = [tuple(map(float, pair.split())) for pair in one.roc[1:].split("L")]
        assert points[0] == (LEFT, HEIGHT - BOTTOM)
        assert points[-1] == (WIDTH - RIGHT, TOP)
        assert points == sorted(points, key=lambda point: (point[0], -point[1]))


def test_a_class_without_others_or_without_rows_has_no_curve(make_case):
    labels = np.ones(9, np.int32)
    assert class_curves(make_case(tuple("abc"), answers=(labels, np.full((9, 3), 1 / 3))).report) == []


def test_of_many_classes_those_with_the_lowest_f1_have_curves(make_case):
    report = make_case([f"c{i}" for i in range(30)], n=300).report
    found = class_curves(report, most=4)
    assert {one.name for one in found} == {one.name for one in report.figures.worst(4)}


def test_fewer_answers_are_given_the_surer_they_have_to_be(make_case):
    report = make_case(tuple("abc"), n=200, unlabelled=10).report
    everything, *others = answers_kept_back(report)
    assert (everything.rows, everything.share) == (190, 1)
    assert everything.accuracy == report.figures.accuracy
    assert everything.interval == report.figures.accuracy_ci
    assert [one.rows for one in others] == sorted((one.rows for one in others), reverse=True)
    known = report.rows.labels >= 0
    sure = report.probabilities[known].max(axis=1)
    assert [one.rows for one in others] == [int((sure >= one.threshold).sum()) for one in others]


def test_no_answer_has_no_accuracy(make_case):
    answers = np.array([0, 1], np.int32), np.full((2, 2), 0.5)
    assert answers_kept_back(make_case(("a", "b"), answers=answers).report)[-1].accuracy is None
