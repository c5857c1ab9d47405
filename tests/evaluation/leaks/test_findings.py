from __future__ import annotations

import json

import pytest

from pipeline.evaluation.leaks import DOUBTFUL, KINDS, Finding, Leaks, Place

TRAIN, VAL, TEST = (Place(split, f"{split}.jpg") for split in ("train", "val", "test"))


@pytest.mark.parametrize("kind", KINDS)
def test_what_stands_in_training_is_masked_unless_it_is_only_a_reason_to_look(kind: str) -> None:
    leaks = Leaks((Finding(kind, TRAIN, TEST),))
    assert leaks.mask("test", ["a", "test.jpg", "test.jpg"]).tolist() == [False] + [kind not in DOUBTFUL] * 2
    assert leaks.mask("val", ["test.jpg"]).tolist() == [False]
    assert len(leaks.certain) == (kind not in DOUBTFUL)
    assert leaks.counts == {other: int(other == kind) for other in KINDS}


def test_the_user_says_what_the_head_has_seen() -> None:
    leaks = Leaks((Finding("exact", VAL, TEST),))
    assert leaks.mask("test", ["test.jpg"]).tolist() == [False]
    assert leaks.mask("test", ["test.jpg"], seen=("train", "val")).tolist() == [True]
    assert leaks.mask("val", ["val.jpg"], seen=("test",)).tolist() == [True]


def test_two_labels_inside_the_split_do_not_mask() -> None:
    leaks = Leaks((Finding("conflict", TEST, Place("test", "copy.jpg")),))
    assert leaks.mask("test", ["test.jpg", "copy.jpg"], seen=("train", "test")).tolist() == [False, False]


def test_no_rows_give_no_mask() -> None:
    mask = Leaks().mask("test", [])
    assert (mask.shape, mask.dtype) == ((0,), bool)


def test_a_name_alone_and_likeness_alone_are_no_leak() -> None:
    assert DOUBTFUL == ("named", "near")


def test_the_object_can_be_written() -> None:
    described = Leaks((Finding("near", TRAIN, TEST, 0.9),), ("a note",), {"train": 3}, {"train": 1}).to_json()
    assert json.loads(json.dumps(described)) == described
    assert (described["leaks"], described["counts"]["near"]) == (0, 1)
    assert described["findings"][0]["second"] == {"split": "test", "id": "test.jpg", "label": ""}
