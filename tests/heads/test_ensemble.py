"""Ensembles: each member is what it would be alone, and together they are saved and answer like a head."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pytest

from pipeline.cache import FeatureSet
from pipeline.cache.features import join_features
from pipeline.errors import UsageError
from pipeline.evaluation.evidence import Evidence
from pipeline.heads import fit_head, load_head, make_head, train_head
from pipeline.heads._core.member_files import SHAPES, read_archive
from pipeline.heads._core.members import Member, read_members, write_members
from pipeline.heads._core.voting import EnsembleModel
from pipeline.images.targets import LABELS, NUMBER

# Keras 3.15 converts its variables in a way that NumPy 2.4 has deprecated.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept:DeprecationWarning")

TWO_CUTS = "2*logreg C=0.1@late:avg + ridge@early + knn k=3@late:avg"

Cuts = tuple[FeatureSet, FeatureSet]


@pytest.fixture
def cuts(make_toy: Callable[..., FeatureSet]) -> Callable[[str], Cuts]:
    """Makes the same rows at two cuts: maps, and vectors."""

    def make(split: str) -> Cuts:
        early = make_toy(split, rows=60 if split == "train" else 30)
        late = make_toy(split, rows=len(early), seed=1)
        return (
            replace(early, spec=replace(early.spec, layer="early")),
            replace(
                late.take(np.arange(len(late))),
                features=np.ascontiguousarray(late.to_memory().mean(axis=(1, 2))),
                rows=early.rows,
                spec=replace(late.spec, layer="late", pooling="avg"),
            ),
        )

    def checked(split: str) -> Cuts:
        from pipeline.cache.format import checksums

        early, late = make(split)
        return early, replace(late, crc32=checksums(late.features))

    return checked


def test_members_answer_as_they_would_alone(cuts: Callable[[str], Cuts], tmp_path: Path) -> None:
    train, valid = cuts("train"), cuts("val")
    together = train_head(
        "ensemble",
        join_features(train),
        join_features(valid),
        options={"members": TWO_CUTS},
        seed=3,
        runs=tmp_path,
    )

    alone = [
        (2, fit_head("logreg", train[1], options={"C": "0.1"}, seed=3).predict_proba(valid[1])),
        (1, fit_head("ridge", train[0], seed=3).predict_proba(valid[0])),
        (1, fit_head("knn", train[1], options={"k": "3"}, seed=3).predict_proba(valid[1])),
    ]
    joined = join_features(valid)
    expected = sum(votes * answers for votes, answers in alone) / 4
    np.testing.assert_allclose(together.predict_proba(joined), expected, atol=1e-7)
    assert np.array_equal(load_head(together.folder).predict_proba(joined), together.predict_proba(joined))
    kept = {"head.json", "model.zip", "seen.bin", "familiar.bin"}
    assert {path.name for path in together.folder.iterdir()} == kept


@dataclass(frozen=True)
class Fixed:
    """Answers with the same probabilities whatever it is asked."""

    answers: np.ndarray

    def predict_proba(self, features: np.ndarray) -> np.ndarray:
        return self.answers

    def save(self, path: Path) -> None:
        raise NotImplementedError


def test_saved_ensembles_of_classes_answer_with_the_same_bits_as_ever() -> None:
    features = np.zeros((500, 4))
    first, second = np.random.default_rng(0).random((2, 500, 3), np.float32)
    model = EnsembleModel((Fixed(first), Fixed(second)), (3, 7), ("a", "b"), (None, None), ((4,),))

    found = model.predict_proba(features)

    wide, other = first.astype(float), second.astype(float)
    votes = 3 * wide / wide.sum(axis=1, keepdims=True) + 7 * other / other.sum(axis=1, keepdims=True)
    assert np.array_equal(found, votes / 10)


def test_what_is_unlike_the_training_is_known_of_several_cuts(
    cuts: Callable[[str], Cuts], tmp_path: Path
) -> None:
    train, valid = join_features(cuts("train")), join_features(cuts("val"))
    trained = train_head("ensemble", train, valid, options={"members": TWO_CUTS}, runs=tmp_path)

    known = load_head(trained.folder).familiarity

    rows = train.to_memory()
    assert (known.measure(rows[:5]) >= known.threshold).all()
    assert (known.measure(-rows[:5]) < known.threshold).all()
    with pytest.raises(UsageError, match=r"several cuts.*--layer"):
        Evidence.of(trained, train)


@pytest.mark.parametrize(
    ("target", "members"),
    [
        (LABELS, "2*logreg@late:avg + ridge@early + knn k=3@late:avg"),
        (NUMBER, "2*knn k=3@late:avg + ridge@early"),
    ],
)
def test_members_answer_with_targets_as_they_would_alone(
    target: str, members: str, cuts: Callable[[str], Cuts], tmp_path: Path
) -> None:
    train, valid = (_with_targets(cuts(split), target) for split in ("train", "val"))
    joined = join_features(valid)

    together = train_head(
        "ensemble", join_features(train), joined, options={"members": members}, seed=3, runs=tmp_path
    )

    total, votes = np.zeros((len(joined), 2)), 0
    for member in read_members(members):
        place = 0 if member.cut == "early" else 1
        alone = fit_head(member.head, train[place], valid[place], options=member.options, seed=3)
        total += member.count * alone.predict_targets(valid[place])
        votes += member.count
    np.testing.assert_allclose(together.predict_targets(joined), total / votes, atol=1e-6)
    again = load_head(together.folder)
    assert np.array_equal(again.predict_targets(joined), together.predict_targets(joined))
    assert (again.val_score, again.thresholds) == (together.val_score, together.thresholds)
    assert len(together.thresholds) == (2 if target == LABELS else 0)


def _with_targets(cuts: Cuts, target: str) -> Cuts:
    """Gives rows the same two labels or numbers at both cuts, one of them unknown of some rows."""
    random = np.random.default_rng(len(cuts[0]))
    values = random.integers(0, 2, (len(cuts[0]), 2)) + (0.0 if target == LABELS else 0.5)
    values[::7, 1] = np.nan
    rows = replace(cuts[0].rows, labels=np.full(len(values), -1, np.int32), targets=values.astype(np.float32))
    early, late = (replace(one, rows=rows, target=target, classes=("red", "big")) for one in cuts)
    return early, late


def test_a_member_that_does_not_learn_numbers_is_told_with_those_that_do(cuts: Callable[[str], Cuts]) -> None:
    train = join_features(_with_targets(cuts("train"), NUMBER))
    with pytest.raises(UsageError, match=r"'logreg \+ ridge' does not learn numbers: .*knn.*--set 'members="):
        fit_head("ensemble", train)


def test_a_network_answers_the_same(cuts: Callable[[str], Cuts]) -> None:
    members = "2*logreg@late:avg + ridge@early + gap-softmax epochs=1@early"
    trained = fit_head(
        "ensemble", join_features(cuts("train")), join_features(cuts("val")), options={"members": members}
    )
    rows = join_features(cuts("test"))

    network = trained.head.to_network(trained.model, trained.task)

    answers = np.asarray(network(rows.to_memory().astype(np.float32), training=False))
    np.testing.assert_allclose(answers, trained.predict_proba(rows), atol=2e-5)


def test_members_that_are_no_layers_cannot_be_exported(cuts: Callable[[str], Cuts]) -> None:
    trained = fit_head("ensemble", join_features(cuts("train")), options={"members": TWO_CUTS})

    with pytest.raises(UsageError, match=r"'knn'.*--set members="):
        trained.head.to_network(trained.model, trained.task)


def test_a_cut_that_is_not_there_is_refused(cuts: Callable[[str], Cuts]) -> None:
    with pytest.raises(UsageError, match=r"deep:max.*early, late:avg.*--layer deep:max"):
        fit_head("ensemble", join_features(cuts("train")), options={"members": "ridge@deep:max"})


@pytest.mark.parametrize(
    "text", ["logreg", "3*logreg C=0.1@block5_pool:avg + knn k=5 weights=uniform + 2*ridge@block4_pool"]
)
def test_members_are_read_as_they_are_written(text: str) -> None:
    assert write_members(read_members(text)) == text


def test_what_a_member_says() -> None:
    assert read_members("2*logreg C=0.1@a:avg") == (Member("logreg", {"C": "0.1"}, "a:avg", 2),)


@pytest.mark.parametrize(
    "text",
    ["", " + ", "logreg +", "0*logreg", "two*logreg", "logreg C", "logreg@", "@a", "log reg", "1e9*logreg"],
)
def test_other_members_are_refused(text: str) -> None:
    with pytest.raises(UsageError):
        make_head("ensemble", {"members": text})


@pytest.mark.parametrize(
    ("members", "named"),
    [("logregg", "logreg"), ("logreg D=1", "C"), ("logreg C=-1", "above 0"), ("ensemble", "its members")],
)
def test_members_that_cannot_be_made_are_refused(members: str, named: str) -> None:
    with pytest.raises(UsageError, match=named):
        make_head("ensemble", {"members": members})


@pytest.mark.parametrize(
    "files",
    [
        {SHAPES: "[[2]]"},
        {SHAPES: "[[2]]", "0-a": "x", "../1-a": "y"},
        {SHAPES: "[[0]]", "0-a": "x"},
        {SHAPES: "[[1.5]]", "0-a": "x"},
        {SHAPES: '{"a": [2]}', "0-a": "x"},
        {SHAPES: json.dumps([[2]] * 100_000), "0-a": "x"},
    ],
)
def test_foreign_archives_are_refused(files: dict[str, str], tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "model.zip", "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text)

    with pytest.raises(ValueError, match=r"^(it holds|its shapes)"):
        read_archive(tmp_path / "model.zip", {"0-a": lambda path, shapes: path.read_text()})


def test_what_is_compressed_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "model.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(SHAPES, "[[2]]")
        archive.writestr("0-a", "0" * 1_000_000)

    with pytest.raises(ValueError, match="compressed"):
        read_archive(tmp_path / "model.zip", {"0-a": lambda path, shapes: path.read_text()})
