"""Choosing where images have several labels, or numbers: the same search, by the figure of the kind."""

from __future__ import annotations

import json
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from sklearn.datasets import load_digits

from pipeline.backbones.at_hand import BaseAtHand
from pipeline.cache import open_features
from pipeline.choosing import Choice, chooser, ensembles
from pipeline.cli import main
from pipeline.errors import UsageError
from pipeline.heads import load_head
from pipeline.heads._core.target_figures import FIGURES, IN_WORDS, LOSSES, score
from pipeline.images.source_options import SourceOptions
from pipeline.images.targets import LABELS, NUMBER, described
from pipeline.plain_json import read_sealed
from pipeline.recipe import read_recipe
from pipeline.sweeps import Candidate

Choose = Callable[..., Choice]

TARGETS = (LABELS, NUMBER)
HEADS = [Candidate("ridge"), Candidate("knn", {"k": "3"}), Candidate("prototype")]
ROWS = 240


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Writes two digits side by side, with which they are as marks or with their sum; some are unknown."""
    folder = tmp_path_factory.mktemp("pairs")
    digits, random = load_digits(n_class=4), np.random.default_rng(0)
    chosen = random.integers(0, len(digits.images), (ROWS, 2))
    pictures = (
        15 * np.concatenate([digits.images[chosen[:, 0]], digits.images[chosen[:, 1]]], axis=2)
    ).astype(np.uint8)
    marks = (digits.target[chosen][:, :, None] == np.arange(4)).any(axis=1).astype(np.float32)
    sums = digits.target[chosen].sum(axis=1)[:, None] + np.array([0.5, 100.0])
    for target, values in ((LABELS, marks), (NUMBER, sums.astype(np.float32))):
        values[::11, 1] = np.nan
        values[5] = np.nan
        names = np.array(["zero", "one", "two", "three"][: values.shape[1]])
        np.savez(folder / f"{target}.npz", x=pictures, y=values, classes=names)
    return lambda target: folder / f"{target}.npz"


@pytest.fixture(scope="session")
def chosen_for(run_in: Choose, data: Callable[[str], Path]) -> Choose:
    """Chooses for a kind of target, in a folder."""

    def chosen(target: str, folder: Path, **changes: Any) -> Choice:
        given = {"candidates": HEADS, "source_options": SourceOptions(target=target)} | changes
        return run_in(folder, str(data(target)), **given)

    return chosen


@pytest.fixture(scope="session", params=TARGETS)
def by_target(
    request: pytest.FixtureRequest,
    chosen_for: Choose,
    tmp_path_factory: pytest.TempPathFactory,
) -> Choice:
    """A choice for each kind of target that the tests of this file look at."""
    return chosen_for(request.param, tmp_path_factory.mktemp(request.param))


def test_the_best_by_the_figure_of_the_kind_is_left_trained(by_target: Choice) -> None:
    target = by_target.trained.task.target
    heads = [one for one in by_target.tried if one.head and one.score is not None]
    best = max(heads, key=lambda one: (one.score or 0.0, -(one.loss or 0.0)))

    again = load_head(by_target.trained.folder)

    assert again.name == by_target.trained.name == best.head
    assert again.val_score == (FIGURES[target], best.score)
    assert (again.task.target, len(again.thresholds)) == (target, 4 if target == LABELS else 0)
    valid = by_target.found.selection(by_target.positions).open("val")
    answers = again.predict_targets(valid)[valid.known]
    assert score(target, valid.targets[valid.known], answers) == pytest.approx(best.score, abs=1e-6)
    assert best.score > 0.3
    assert {one.target for one in by_target.tried} == {target}
    assert {one.accuracy for one in by_target.tried} == {None}
    assert {one.image_size for one in by_target.tried if one.score is not None} == {4, 8}


def test_what_is_told_has_the_names_of_the_kind(by_target: Choice) -> None:
    target = by_target.trained.task.target
    figure = FIGURES[target]

    told = by_target.to_json()

    assert told["chosen"][f"val_{figure}"] == by_target.trained.val_score[1]
    assert not any("accuracy" in key for one in (told["chosen"], *told["tried"]) for key in one)
    quick, fits = ([one for one in told["tried"] if bool(one["head"]) == there] for there in (False, True))
    assert any(one[f"sample_{figure}"] is not None for one in quick)
    assert all(one[f"val_{figure}"] is not None and one[LOSSES[target]] is not None for one in fits)
    assert read_recipe(by_target.folder / "recipe.toml").experiment.head == by_target.trained.name
    record = read_sealed(by_target.folder / "choice.json")
    assert record["chosen"] == told["chosen"]
    assert (by_target.folder / "choice.png").read_bytes().startswith(b"\x89PNG")
    assert IN_WORDS[figure] in by_target._repr_html_()


def test_the_commands_make_the_same_head_of_targets(by_target: Choice) -> None:
    before = load_head(by_target.trained.folder)
    for line in by_target.commands:
        done = CliRunner().invoke(main, shlex.split(line)[1:])
        assert done.exit_code == 0, done.output
    again = load_head(by_target.trained.folder)
    rows = by_target.found.selection(by_target.positions).open("val")
    assert again.options == before.options
    assert again.thresholds == before.thresholds
    assert np.array_equal(again.predict_targets(rows), before.predict_targets(rows))


def test_no_head_has_seen_test_images_with_targets(by_target: Choice) -> None:
    trained = by_target.trained
    test = open_features(by_target.found.entries[0], "test").rows.digests
    assert trained.seen is not None
    assert not (trained.seen.trained_on(test) | trained.seen.validated_on(test)).any()


def test_where_no_head_learns_numbers_those_that_do_are_named(chosen_for: Choose, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"learns numbers: choose from .*knn.*ridge"):
        chosen_for(NUMBER, tmp_path, candidates=[Candidate("prototype"), Candidate("lda")])


@pytest.mark.parametrize("target", TARGETS)
def test_an_ensemble_answers_with_targets(
    target: str, chosen_for: Choose, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Takes an ensemble whatever it gains."""
    monkeypatch.setattr(ensembles.TargetGain, "is_more_than_noise", property(lambda gain: True))
    monkeypatch.setattr(
        chooser.Fit, "rank", property(lambda fit: (float(fit.result.head != "ensemble"), 0.0))
    )
    monkeypatch.setattr(
        "pipeline.choosing.joining.select_members", lambda answers, *_: np.arange(1, len(answers) + 1)
    )

    choice = chosen_for(target, tmp_path, bases=[BaseAtHand("pixels", "", (4,))], candidates=HEADS[:2])

    assert choice.trained.name == "ensemble"
    again = load_head(choice.trained.folder)
    assert again.val_score == choice.trained.val_score
    (tried,) = [one for one in choice.tried if one.head == "ensemble"]
    assert choice.trained.val_score[1] == pytest.approx(tried.score, abs=1e-5)


@pytest.mark.parametrize(("target", "left_out"), [(LABELS, "finetune"), (NUMBER, "prototype, lda")])
def test_the_command_names_the_figure_and_the_heads_that_are_left_out(
    target: str,
    left_out: str,
    data: Callable[[str], Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    words = ["choose", "--data", str(data(target)), "--target", target, "--backbone", "pixels"]
    words += ["--image-size", "4", "--cache", str(tmp_path / "c"), "--runs", str(tmp_path / "r")]
    heads = [Candidate(name) for name in ("ridge", *left_out.split(", "))]
    monkeypatch.setattr("pipeline.sweeps.preset", lambda name: heads)

    done = CliRunner().invoke(main, [*words, "--json"])
    told = CliRunner().invoke(main, words)

    assert done.exit_code == told.exit_code == 0, done.output
    assert list(json.loads(done.stdout)["chosen"])[-1] == f"val_{FIGURES[target]}"
    (line,) = [line for line in told.stderr.splitlines() if f"not learn {described(target)}" in line]
    assert f" {left_out}:" in line
    assert f": val {IN_WORDS[FIGURES[target]]} 0." in told.stdout
    assert "accuracy" not in told.stdout
