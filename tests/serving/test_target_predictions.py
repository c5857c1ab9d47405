"""Answers of labels and numbers for raw images: those of the cached features, with what is known of them."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from photos import Photos
from PIL import Image
from target_photos import NAMES, target_photos

import pipeline
from pipeline.cache.features import Selection
from pipeline.errors import CacheMismatchError, UsageError
from pipeline.heads import TrainedHead, train_head
from pipeline.images.targets import KINDS
from pipeline.serving import Predictor, gather_images, sets_of
from pipeline.serving.evidence_files import EvidenceFolder
from pipeline.serving.kinds import KINDS as ANSWERS
from pipeline.serving.web.kinds import WEB_KINDS

Trained = Callable[..., tuple[Selection, TrainedHead]]
BOTH = ("labels", "number")
UNKNOWN = "whether images are like those of the training is not known of this head"


@pytest.fixture
def trained(photos: Photos, cache: Path, tmp_path: Path) -> Trained:
    def train(target: str, *, val: bool = True) -> tuple[Selection, TrainedHead]:
        selection = target_photos(photos, target, cache)
        valid = selection.open("val") if val else None
        return selection, train_head("ridge", selection.open("train"), valid, runs=tmp_path / "runs")

    return train


def table_of(answers: object) -> list[dict[str, str]]:
    text = io.StringIO()
    answers.write_csv(text)
    return list(csv.DictReader(io.StringIO(text.getvalue())))


def test_every_kind_of_target_has_its_answers() -> None:
    assert set(ANSWERS) == set(WEB_KINDS) == set(KINDS)


@pytest.mark.parametrize("target", BOTH)
def test_raw_images_have_the_answers_of_their_cached_features(
    target: str, trained: Trained, photos: Photos, cache: Path
) -> None:
    selection, head = trained(target)
    broken = photos.root / "text.png"
    broken.write_text("no image")
    answers = pipeline.predict(head, [*photos.files("test"), broken, photos.files("train")[0]], cache=cache)
    expected = [head.predict_targets(selection.open(split)) for split in ("test", "train")]
    np.testing.assert_allclose(answers.answers, np.concatenate([expected[0], expected[1][:1]]), rtol=1e-5)
    assert [one.id for one in answers.failures] == [str(broken)]
    # Nothing is known of the first training image, so that the head has not learnt from it.
    assert answers.seen == [False] * 4
    assert answers.familiar[-1] is not None
    assert len(answers.familiarity) == 4
    known = pipeline.predict(head, photos.files("train")[1], cache=cache)
    assert known.seen == [True]
    assert any("so it knows their answers" in note for note in known.notes)
    json.dumps(answers.to_json(), allow_nan=False)


@pytest.mark.parametrize("target", BOTH)
def test_where_familiarity_is_not_known_a_note_says_so(
    target: str, trained: Trained, photos: Photos, cache: Path
) -> None:
    _, head = trained(target, val=False)
    answers = pipeline.predict(head, photos.files("test"), cache=cache)
    assert any(note.startswith(UNKNOWN) for note in answers.notes)
    (first, *_) = answers.to_json()["images"]
    assert first["familiar"] is first["familiarity"] is None
    assert table_of(answers)[0]["familiar"] == ""


@pytest.mark.parametrize("target", BOTH)
def test_strange_images_are_marked(target: str, trained: Trained, photos: Photos, cache: Path) -> None:
    _, head = trained(target)
    head = replace(head, familiarity=replace(head.familiarity, threshold=1.0))
    answers = pipeline.predict(head, photos.files("test"), cache=cache)
    assert any("the answers mean nothing" in note for note in answers.notes)
    assert answers.line(0).endswith("unlike anything seen")
    assert {row["familiar"] for row in table_of(answers)} == {"no"}


@pytest.mark.parametrize("name", ["id", "familiar", "familiarity"])
def test_a_number_called_like_another_column_takes_its_place_from_none(
    name: str, trained: Trained, photos: Photos, cache: Path
) -> None:
    _, head = trained("number")
    answers = pipeline.predict(head, photos.files("test"), cache=cache)
    renamed = replace(answers, classes=(name, *answers.classes[1:]))
    text = io.StringIO()
    renamed.write_csv(text)
    head_row, *rows = csv.reader(io.StringIO(text.getvalue()))
    assert head_row[:2] == ["id", name]
    assert head_row[-2:] == ["familiar", "familiarity"]
    assert len(head_row) == len(answers.classes) + 3
    assert [row[0] for row in rows] == answers.ids
    assert [float(row[1]) for row in rows] == answers.answers[:, 0].tolist()


def test_labels_are_those_that_reach_their_thresholds(trained: Trained, photos: Photos, cache: Path) -> None:
    _, head = trained("labels")
    head = replace(head, thresholds=(0.0, 1.0, 0.0))
    answers = pipeline.predict(head, photos.files("test"), cache=cache)
    for image, row in zip(answers.to_json()["images"], table_of(answers), strict=True):
        shares = image["probabilities"]
        assert image["labels"] == sorted((NAMES["labels"][0], "round"), key=lambda name: -shares[name])
        assert row["labels"].lstrip("'") == "|".join(image["labels"])
        assert float(row["p(=red)"]) == shares["=red"]
    assert answers.predicted[0] == answers.labels_of(0)
    head = replace(head, thresholds=(2.0, 2.0, 2.0))
    assert pipeline.predict(head, photos.files("test"), cache=cache).line(0) == "none of the labels"


def test_intervals_hold_as_many_true_numbers_as_they_promise(
    trained: Trained, photos: Photos, cache: Path
) -> None:
    selection, head = trained("number")
    answers = pipeline.predict(head, photos.files("val"), cache=cache, coverage=0.9)
    truth = selection.open("val").targets
    told = answers.to_json()
    for place, name in enumerate(NAMES["number"]):
        ends = np.array([image["interval"][name] for image in told["images"]])
        # 19 images of val are known, of which ceil(20 * 0.9) are no further off.
        inside = (ends[:, 0] - 1e-6 <= truth[:, place]) & (truth[:, place] <= ends[:, 1] + 1e-6)
        assert inside.sum() == 18
        assert told["intervals"]["numbers"][name]["val_rows"] == 19
    (row, *_) = table_of(answers)
    low, high = told["images"][0]["interval"]["=size"]
    assert (float(row["low(=size)"]), float(row["high(=size)"])) == (low, high)
    assert " ± " in answers.line(0)
    assert any(note.startswith("intervals hold the true number of 90.0% of images") for note in answers.notes)


def test_what_a_kind_cannot_promise_is_refused(trained: Trained, photos: Photos, cache: Path) -> None:
    selection, head = trained("number")
    for coverage, message in ((0.99, "needs 99 val images"), (1.5, "a coverage of 1.5 cannot be")):
        with pytest.raises(UsageError, match=message):
            sets_of(selection, head, coverage)
    with pytest.raises(UsageError, match="--per-class is for heads of classes"):
        sets_of(selection, head, 0.9, per_class=True)


@pytest.mark.parametrize("target", BOTH)
def test_evidence_is_drawn_for_every_answer(
    target: str, trained: Trained, photos: Photos, tmp_path: Path
) -> None:
    selection, head = trained(target)
    source = gather_images(photos.files("train")[1:3])
    folder = EvidenceFolder(tmp_path / "out", head, selection.open("train"), source)
    answers = Predictor(selection, head).predict(source, watch=folder.draw)
    for place, name in enumerate(answers.ids):
        answered = answers.said(place)[{"labels": "labels", "number": "numbers"}[target]]
        assert list(folder.files[name]) == list(answered)
        for path in folder.files[name].values():
            with Image.open(path) as picture:
                assert picture.size == (640, 320)
    written = sorted(path.name for path in (tmp_path / "out").iterdir())
    assert len(written) == folder.count > 2
    assert all(re.fullmatch(r"000[12]-\w+-\d\d-[\w.-]+\.png", name) for name in written)
    told = replace(answers, evidence=folder.files).to_json()["images"][0]["evidence"]
    assert told == folder.files[answers.ids[0]]


def test_a_head_that_learnt_from_other_features_is_refused(trained: Trained) -> None:
    selection, head = trained("number")
    other = replace(head, task=replace(head.task, spec=replace(head.spec, preprocessing="other")))
    with pytest.raises(CacheMismatchError, match="not what head 'ridge' was trained on: preprocessing"):
        Predictor(selection, other)
