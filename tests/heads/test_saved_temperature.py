"""A temperature is saved with its head, in one step, and never with another."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from sealed_records import unseal

from pipeline import publishing
from pipeline.cache import FeatureSet
from pipeline.errors import CacheMismatchError, PipelineError
from pipeline.heads import Temperature, TrainedHead, load_head, save_head, save_temperature, train_head

T = Temperature(value=2.0, low=1.5, high=2.5, rows=300)
QUICK = {"dense": {"epochs": 1}, "finetune": {"epochs": 1, "head_epochs": 1, "weights": "random:0"}}
TOGGLE = """
import sys
from pathlib import Path
from pipeline.heads import Temperature, load_head, save_temperature
folder = Path(sys.argv[1])
temperature = Temperature(value=2.0, low=1.5, high=2.5, rows=300)
print("begun", flush=True)
for _ in range(int(sys.argv[2])):
    save_temperature(load_head(folder), temperature)
    save_temperature(load_head(folder), None)
"""

pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept:DeprecationWarning")


@pytest.fixture
def saved(train: FeatureSet, tmp_path: Path) -> TrainedHead:
    return train_head("prototype", train, None, runs=tmp_path)


@pytest.mark.parametrize("name", ["logreg", "knn", "dense", "finetune"])
def test_a_saved_temperature_is_that_of_every_answer(name: str, train: FeatureSet, tmp_path: Path) -> None:
    trained = train_head(name, train, None, options=QUICK.get(name, {}), runs=tmp_path)
    plain = load_head(trained.folder).predict_proba(train)
    names = {path.name for path in trained.folder.iterdir()}

    save_temperature(trained, T)

    again = load_head(trained.folder)
    assert again.temperature == T
    np.testing.assert_array_equal(again.uncalibrated_proba(train), plain)
    answers = again.predict_proba(train)
    np.testing.assert_array_equal(answers, T.apply(plain, np.ones(3, bool)))
    np.testing.assert_array_equal(answers.argmax(axis=1), plain.argmax(axis=1))
    assert not np.array_equal(answers, plain)
    assert {path.name for path in trained.folder.iterdir()} == names
    assert again.seen.counts == (60, 0)

    assert save_temperature(again, None).temperature is None
    np.testing.assert_array_equal(load_head(trained.folder).predict_proba(train), plain)


def test_reports_and_exports_in_the_folder_stay(saved: TrainedHead) -> None:
    (saved.folder / "test").mkdir()
    (saved.folder / "test" / "metrics.json").write_text("{}")
    save_temperature(saved, T)
    assert (saved.folder / "test" / "metrics.json").read_text() == "{}"


def test_training_again_drops_it_and_says_so(
    saved: TrainedHead, train: FeatureSet, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    save_temperature(saved, T)
    assert train_head("prototype", train, None, runs=tmp_path).temperature is None
    assert load_head(saved.folder).temperature is None
    assert "note: the head before was calibrated (temperature 2.000" in capsys.readouterr().err


def test_a_head_of_the_version_before_can_be_calibrated(saved: TrainedHead) -> None:
    unseal(saved.folder / "head.json", "seen", "temperature", "familiarity")
    (saved.folder / "seen.bin").unlink()
    save_temperature(load_head(saved.folder), T)
    again = load_head(saved.folder)
    assert (again.temperature, again.seen) == (T, None)
    assert json.loads((saved.folder / "head.json").read_text())["schema"] == 2


def test_a_temperature_without_a_seal_is_refused(saved: TrainedHead) -> None:
    save_temperature(saved, T)
    unseal(saved.folder / "head.json", "seen")
    with pytest.raises(CacheMismatchError, match="its seal is missing"):
        load_head(saved.folder)


def test_a_head_that_was_trained_again_meanwhile_keeps_its_own(
    saved: TrainedHead, make_toy: Callable[..., FeatureSet], tmp_path: Path
) -> None:
    other = train_head("prototype", make_toy("train", seed=1), None, runs=tmp_path)
    with pytest.raises(PipelineError, match=r"was trained again meanwhile.*run the same command again"):
        save_temperature(saved, T)
    assert load_head(saved.folder).checksum == other.checksum
    assert load_head(saved.folder).temperature is None


def test_a_head_that_is_trained_again_at_this_moment_keeps_its_own(
    saved: TrainedHead, make_toy: Callable[..., FeatureSet], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    replace, others = publishing.replace_within, []

    def late(*arguments: object) -> None:
        others.append(train_head("prototype", make_toy("train", seed=1), None, runs=tmp_path))
        replace(*arguments)

    monkeypatch.setattr("pipeline.heads._core.saving.replace_within", late)
    with pytest.raises(PipelineError, match=r"trained again meanwhile|cannot save the temperature"):
        save_temperature(saved, T)
    assert load_head(saved.folder).checksum == others[0].checksum
    assert load_head(saved.folder).temperature is None


def test_a_failed_save_leaves_the_head(saved: TrainedHead, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    before = (saved.folder / "head.json").read_bytes()
    with pytest.raises(PipelineError, match=r"cannot save the temperature .*No space left on device"):
        save_temperature(saved, T)
    assert (saved.folder / "head.json").read_bytes() == before
    assert sorted(path.name for path in saved.folder.iterdir()) == ["head.json", "model.skops", "seen.bin"]


def test_no_link_is_written_through(saved: TrainedHead, tmp_path: Path) -> None:
    thesis = tmp_path / "thesis.txt"
    thesis.write_text("three years")
    (saved.folder / ".head.json.draft").symlink_to(thesis)
    save_temperature(saved, T)
    assert load_head(saved.folder).temperature == T
    (saved.folder / "head.json").rename(tmp_path / "head.json")
    (saved.folder / "head.json").symlink_to(tmp_path / "head.json")
    content = (tmp_path / "head.json").read_bytes()
    with pytest.raises(PipelineError):
        save_temperature(saved, None)
    assert thesis.read_text() == "three years"
    assert (tmp_path / "head.json").read_bytes() == content


def test_a_reader_finds_one_version_or_the_next(saved: TrainedHead, train: FeatureSet) -> None:
    plain = saved.predict_proba(train)
    answers = {None: plain, T: T.apply(plain, np.ones(3, bool))}
    words = [sys.executable, "-c", TOGGLE, str(saved.folder), "30"]
    found = set()
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "begun\n"
        while process.poll() is None:
            head = load_head(saved.folder)
            np.testing.assert_array_equal(head.predict_proba(train), answers[head.temperature])
            found.add(head.temperature)
    assert process.returncode == 0
    assert found == {None, T}


def test_a_reader_never_mixes_a_head_with_the_one_that_takes_its_place(
    saved: TrainedHead, make_toy: Callable[..., FeatureSet], tmp_path: Path
) -> None:
    train = make_toy("train")
    heads = [saved, train_head("prototype", make_toy("train", seed=1), None, runs=tmp_path / "other")]
    answers = [one.predict_proba(train) for one in heads]
    program = """
import sys
from pathlib import Path
from pipeline.heads import load_head, save_head
heads = [load_head(Path(folder)) for folder in sys.argv[2:]]
print("begun", flush=True)
for number in range(60):
    save_head(heads[number % 2], runs=Path(sys.argv[1]))
"""
    copy = save_head(saved, runs=tmp_path / "copy").folder
    words = [sys.executable, "-c", program, str(tmp_path), str(copy), str(heads[1].folder)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "begun\n"
        while process.poll() is None:
            found = load_head(saved.folder).predict_proba(train)
            assert any(np.array_equal(found, one) for one in answers)
    assert process.returncode == 0
