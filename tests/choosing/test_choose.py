"""Choosing: a head is left trained, test is not looked at, and what was computed is used again."""

from __future__ import annotations

import json
import shlex
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx
import pytest
from click.testing import CliRunner
from onnx_files import TOML, convnet, save, transformer

from pipeline.backbones.at_hand import BaseAtHand
from pipeline.cache import find_entries, open_features
from pipeline.choosing import Choice, chooser, contender, ensembles, fits
from pipeline.choosing.results import recipe_text
from pipeline.cli import main
from pipeline.errors import UsageError
from pipeline.evaluation.ledger import LEDGER
from pipeline.extraction import FeatureRequest
from pipeline.heads import load_head, save_head
from pipeline.images import open_images
from pipeline.images.source_options import SourceOptions
from pipeline.plain_json import read_sealed
from pipeline.recipe import read_recipe, run_recipe
from pipeline.serving import Predictor
from pipeline.sweeps import Candidate
from pipeline.sweeps.fitting import SweepData, fit_and_answer

Choose = Callable[..., Choice]


def test_the_best_head_is_left_trained(choice: Choice) -> None:
    heads = [one for one in choice.tried if one.head]
    best = max(heads, key=lambda one: (one.accuracy, -one.log_loss))
    assert load_head(choice.trained.folder).name == choice.trained.name == best.head
    assert choice.trained.val_accuracy == best.accuracy
    assert choice.to_json()["chosen"] == {
        "backbone": "pixels",
        "image_size": best.image_size,
        "layer": "pixels",
        "head": best.head,
        "val_accuracy": best.accuracy,
    }
    assert {one.head for one in choice.tried} == {"", "prototype", "knn"}
    assert {one.image_size for one in choice.tried} == {4, 8}


def test_no_answer_is_asked_for_test_images(chosen: Choose, monkeypatch: pytest.MonkeyPatch) -> None:
    def opened(entry: Any, split: str) -> Any:
        assert split in ("train", "val")
        return open_features(entry, split)

    monkeypatch.setattr(contender, "open_features", opened)
    choice = chosen()

    assert not list(choice.trained.folder.parent.glob(LEDGER))
    assert choice.trained.seen is not None
    assert "test" in choice.found.entries[0].splits
    test = open_features(choice.found.entries[0], "test")
    assert not choice.trained.seen.trained_on(test.rows.digests).any()
    assert not choice.trained.seen.validated_on(test.rows.digests).any()


def test_rows_of_samples_are_not_computed_again(chosen: Choose, monkeypatch: pytest.MonkeyPatch) -> None:
    computed: dict[int, list[int]] = {4: [], 8: []}
    ours = contender.extract

    def counted(data: str, request: FeatureRequest, **named: Any) -> Any:
        reports = ours(data, request, **named)
        computed[request.image_size].append(reports[0].computed)
        return reports

    monkeypatch.setattr(contender, "extract", counted)
    choice = chosen()

    assert sum(computed[choice.found.contender.image_size]) == 300
    assert len(computed[choice.found.contender.image_size]) > 1
    computed |= {4: [], 8: []}
    chosen()
    assert {*computed[4], *computed[8]} == {0}


def test_entries_of_samples_are_not_mistaken_for_those_of_all_images(choice: Choice) -> None:
    source = choice.found.entries[0].source
    same = find_entries(choice.found.entries[0].cache, lambda entry: entry.source == source)
    assert {entry.dataset for entry in same} == {choice.trained.dataset}


def test_the_commands_make_the_same_head(choice: Choice) -> None:
    before = load_head(choice.trained.folder)

    extract, train, evaluate = map(shlex.split, choice.commands)
    for words in (extract, train):
        done = CliRunner().invoke(main, words[1:])
        assert done.exit_code == 0, done.output
    again = load_head(choice.trained.folder)
    assert again.options == before.options
    valid = choice.found.open(0, "val")
    assert np.array_equal(again.predict_proba(valid), before.predict_proba(valid))
    assert evaluate[:2] == ["pipeline", "evaluate"]
    assert evaluate[-2:] == ["--split", "test"]


def test_the_recipe_makes_the_same_head(choice: Choice, tmp_path: Path) -> None:
    recipe = read_recipe(choice.folder / "recipe.toml")

    assert recipe.experiment.head == choice.trained.name
    assert recipe.request.image_size == choice.found.contender.image_size
    outcome = run_recipe(recipe, cache=choice.found.entries[0].cache, runs=tmp_path)
    assert outcome.trained.val_accuracy == choice.trained.val_accuracy
    assert outcome.trained.options == choice.trained.options


@pytest.mark.parametrize(
    "reading",
    [
        SourceOptions(),
        SourceOptions(label_column="kind", leave_out=("*.png", 'a "b"')),
        SourceOptions(target_column=("width", "height")),
    ],
)
def test_the_recipe_says_how_the_source_is_read(
    reading: SourceOptions, choice: Choice, tmp_path: Path
) -> None:
    entries = [replace(entry, source_options=reading) for entry in choice.found.entries]
    path = tmp_path / "recipe.toml"
    path.write_text(recipe_text(replace(choice, found=replace(choice.found, entries=entries))))
    assert read_recipe(path).source_options == reading


def test_what_is_left_behind(choice: Choice) -> None:
    record = read_sealed(choice.folder / "choice.json")
    assert choice.folder.parts[-3:] == ("runs", "digits-sample-300", "choose")
    assert record["chosen"] == choice.to_json()["chosen"]
    assert record["commands"] == choice.commands
    assert record["run"] == str(choice.trained.folder)
    assert (choice.folder / "choice.png").read_bytes().startswith(b"\x89PNG")


def test_one_object_is_printed_as_promised(
    chosen: Choose, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["choose", "--data", "sample:200:builtin:digits", "--backbone", "pixels", "--image-size", "4"]
    places = ["--cache", str(tmp_path / "c"), "--runs", str(tmp_path / "r"), "--minutes", "5"]
    monkeypatch.setattr("pipeline.sweeps.preset", lambda name: [Candidate("prototype")])

    done = CliRunner().invoke(main, [*words, *places, "--json"])
    told = CliRunner().invoke(main, [*words, *places])

    found = json.loads(done.stdout)
    assert list(found) == ["chosen", "tried", "seconds"]
    assert list(found["chosen"]) == ["backbone", "image_size", "layer", "head", "val_accuracy"]
    assert found["chosen"]["head"] == "prototype"
    assert "pipeline train-head --entry digits-sample-200/pixels-4-" in told.stdout
    assert "pipeline run " in told.stdout


def test_more_images_than_fit_are_a_sample_and_said(
    chosen: Choose, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    ours = contender.extracted

    def slow(*arguments: Any) -> Any:
        found = ours(*arguments)
        vars(found)["image_s"] = 2.0  # of 300 seconds
        return found

    monkeypatch.setattr("pipeline.choosing.passes.extracted", slow)
    monkeypatch.setattr(chooser, "SAMPLES", (40, 80))
    choice = chosen("builtin:digits")

    words = capsys.readouterr().err
    assert "1,797 images would take" in words
    assert "the head learns from a sample of" in words
    assert choice.trained.dataset.startswith("digits-sample-")
    assert choice.commands[0].startswith("pipeline extract --data sample:")


def test_stopping_keeps_the_best_so_far(
    chosen: Choose, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    saved: list[Any] = []

    def save_it(*arguments: Any, **named: Any) -> Any:
        saved.append(save_head(*arguments, **named))
        return saved[-1]

    def joined(*_: Any, **__: Any) -> Any:
        raise KeyboardInterrupt

    monkeypatch.setattr(chooser, "save_head", save_it)
    monkeypatch.setattr(chooser, "joined_fits", joined)
    with pytest.raises(KeyboardInterrupt):
        chosen()

    assert load_head(saved[-1].folder).val_accuracy == saved[-1].val_accuracy
    assert f"the best so far is {saved[-1].name}" in capsys.readouterr().err
    record = read_sealed(saved[-1].folder.parents[1] / "choose" / "choice.json")
    assert record["run"] == str(saved[-1].folder)


@pytest.mark.parametrize("data", ["sample:300:builtin:digits", "sample:60:builtin:digits"])
def test_a_base_that_fails_is_left_out_and_told(
    data: str, chosen: Choose, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = contender.extract

    def failing(data: str, request: FeatureRequest, **named: Any) -> Any:
        if request.image_size == 8:
            raise UsageError("its filters do not fit")
        return ours(data, request, **named)

    monkeypatch.setattr(contender, "extract", failing)
    choice = chosen(data)

    assert choice.found.contender.image_size == 4
    assert [one.note for one in choice.tried if one.image_size == 8] == ["its filters do not fit"]


def test_where_every_base_fails_the_reason_is_given(chosen: Choose, monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(*_: Any, **__: Any) -> Any:
        raise UsageError("its filters do not fit")

    monkeypatch.setattr(contender, "extract", failing)
    with pytest.raises(UsageError, match="do not fit"):
        chosen()


def test_without_time_there_is_a_head_all_the_same(chosen: Choose) -> None:
    choice = chosen(minutes=1e-6)

    assert choice.trained.folder.is_dir()
    assert any("s are left" in one.note for one in choice.tried)


def test_time_that_is_left_goes_to_those_that_did_worse_on_the_sample(
    chosen: Choose, capsys: pytest.CaptureFixture[str]
) -> None:
    choice = chosen(bases=[BaseAtHand("pixels", "", (1, 8))])

    assert "pixels at 1 goes no further: it is clearly worse" in capsys.readouterr().err
    assert choice.found.contender.image_size == 8
    fitted = [one.image_size for one in choice.tried if one.head and one.accuracy is not None]
    assert fitted == sorted(fitted, reverse=True)
    assert {*fitted} == {1, 8}


def test_a_head_for_which_there_is_no_time_is_passed_over_and_told(
    chosen: Choose, monkeypatch: pytest.MonkeyPatch
) -> None:
    seconds = {"knn": 1e6, "prototype": 1e-3}
    monkeypatch.setattr(chooser.HeadPace, "predicted", lambda _, head, __: seconds[head])
    choice = chosen()

    assert {one.head for one in choice.tried if one.accuracy is not None and one.head} == {"prototype"}
    late = [(one.image_size, one.note) for one in choice.tried if "would take 1000000.0 s" in one.note]
    assert len(late) == len(set(late)) > 0
    assert late[0][1].startswith("knn k=1 on ")


def test_heads_are_timed_with_a_few_rows_and_the_quickest_goes_first(
    chosen: Choose, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rows: list[int] = []

    def slow_prototype(candidate: Candidate, data: SweepData, *, seed: int) -> Any:
        rows.append(len(data.scored))
        time.sleep(0.1 if candidate.head == "prototype" else 0)
        return fit_and_answer(candidate, data, seed=seed)

    monkeypatch.setattr(fits, "fit_and_answer", slow_prototype)
    for module in (fits, chooser):
        monkeypatch.setattr(module, "LOOK_ROWS", 20)
    choice = chosen()

    assert rows[:3] == [20, 20, 20]
    assert min(rows[3:]) > 20
    assert "3 heads: how fast are they? 20 rows" in capsys.readouterr().err
    assert [one.head for one in choice.tried if one.head][:3] == ["knn", "knn", "prototype"]


def test_a_head_that_cannot_be_fitted_is_told(chosen: Choose) -> None:
    impossible = Candidate("knn", {"k": "100000"})
    choice = chosen(candidates=[Candidate("prototype"), impossible])

    assert choice.trained.name in ("prototype", "knn")


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"minutes": 0}, "--minutes 0"),
        ({"minutes": float("nan")}, "--minutes nan"),
        ({"bases": []}, "--weights FILE"),
    ],
)
def test_what_cannot_be_done_is_refused(changes: dict[str, Any], words: str, chosen: Choose) -> None:
    with pytest.raises(UsageError, match=words):
        chosen(**changes)


def test_images_without_labels_are_refused(chosen: Choose, tmp_path: Path) -> None:
    np.savez(tmp_path / "toy.npz", x=np.zeros((9, 6, 5, 3), np.uint8))

    with pytest.raises(UsageError, match="no labelled image"):
        chosen(str(tmp_path / "toy.npz"))


def test_a_budget_is_what_is_left_of_it() -> None:
    from pipeline.choosing.budget import Budget

    now = SimpleNamespace(s=10.0)
    budget = Budget(60.0, clock=lambda: now.s)
    now.s += 45.0
    assert (budget.spent, budget.left) == (45.0, 15.0)


@pytest.mark.parametrize("make", [convnet, transformer])
def test_a_network_in_a_file_is_tried_cut_and_joined(
    make: Callable[[], onnx.ModelProto],
    chosen: Choose,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Takes an ensemble whatever it gains, and asks it for new images."""
    network = save(make(), tmp_path / "mine.onnx", config=TOML)
    monkeypatch.setattr(ensembles.Gain, "is_more_than_noise", property(lambda gain: True))
    monkeypatch.setattr(
        chooser.Fit, "rank", property(lambda fit: (float(fit.result.head != "ensemble"), 0.0))
    )
    candidates = [Candidate("logreg"), Candidate("ridge")]

    choice = chosen(
        "sample:200:builtin:digits", bases=[BaseAtHand(str(network), "", (16,))], candidates=candidates
    )

    assert choice.trained.name == "ensemble"
    assert load_head(choice.trained.folder).options == choice.trained.options
    source = open_images("sample:7:builtin:digits")
    answers = Predictor(choice.found.selection(choice.positions), choice.trained).predict(source)
    assert answers.probabilities.shape == (7, 10)
    outcome = run_recipe(
        read_recipe(choice.folder / "recipe.toml"), cache=tmp_path / "cache", runs=tmp_path / "2"
    )
    assert outcome.trained.val_accuracy == choice.trained.val_accuracy
