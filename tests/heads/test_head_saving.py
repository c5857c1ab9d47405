"""A saved head is whole or absent, and whatever is wrong with it is said in one line."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path, PurePath

import numpy as np
import pytest
from sealed_records import rewrite

from pipeline import publishing
from pipeline.cache import FeatureSet
from pipeline.errors import CacheMismatchError, PipelineError, UsageError
from pipeline.heads import TrainedHead, fit_head, load_head, save_head, train_head
from pipeline.publishing import published
from pipeline.serving.export._placing import replacing

RETRAIN = "`pipeline train-head --head logreg` trains it again"


@pytest.fixture
def saved(saved_copy: Callable[..., TrainedHead]) -> TrainedHead:
    return saved_copy("logreg")


def edit(folder: Path, **changes: object) -> None:
    rewrite(folder / "head.json", **changes)


def test_folder_holds_a_record_and_a_model_and_nothing_else(saved: TrainedHead) -> None:
    assert sorted(path.name for path in saved.folder.iterdir()) == ["head.json", "model.skops", "seen.bin"]
    assert [path.name for path in saved.folder.parent.iterdir()] == ["logreg"]
    record = json.loads((saved.folder / "head.json").read_text())
    assert record["schema"] == 2
    assert record["spec"]["layer"] == "block5_pool"
    assert record["train_rows"] == 60
    assert record["class_counts"] == [20, 20, 20]


def test_newer_head_replaces_the_older_one(saved: TrainedHead, train: FeatureSet, tmp_path: Path) -> None:
    for name, text in (("test/metrics.json", "{}"), ("test/notes.txt", "mine"), ("todo.txt", "mine, too")):
        (saved.folder / name).parent.mkdir(exist_ok=True)
        (saved.folder / name).write_text(text)

    newer = train_head("logreg", train, None, options={"C": "2"}, runs=tmp_path)

    assert newer.folder == saved.folder
    assert load_head(saved.folder).options["C"] == 2
    assert not (saved.folder / "test/metrics.json").exists()  # of the older head
    assert (saved.folder / "test/notes.txt").read_text() == "mine"
    assert (saved.folder / "todo.txt").read_text() == "mine, too"
    assert [path.name for path in saved.folder.parent.iterdir()] == ["logreg"]


def test_failed_save_leaves_the_older_head(saved: TrainedHead, train: FeatureSet, tmp_path: Path) -> None:
    class Unwritable:
        def save(self, path: Path) -> None:
            path.write_bytes(b"half")
            raise OSError(28, "No space left on device")

    broken = fit_head("logreg", train)
    object.__setattr__(broken, "model", Unwritable())

    with pytest.raises(PipelineError, match=r"cannot save .*logreg: No space left on device.*--runs"):
        save_head(broken, runs=tmp_path)
    assert [path.name for path in saved.folder.parent.iterdir()] == ["logreg"]
    assert load_head(saved.folder).options == saved.options


def test_unwritable_place_is_one_clear_line(train: FeatureSet, tmp_path: Path) -> None:
    (tmp_path / "runs").write_text("a file, not a folder")

    with pytest.raises(PipelineError, match=r"cannot save the trained head in .*--runs"):
        train_head("logreg", train, None, runs=tmp_path / "runs")


def test_failed_rename_puts_the_older_folder_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publishing, "_exchange", lambda draft, folder: False)  # as on macOS
    folder = tmp_path / "logreg"
    with published(folder, root=tmp_path, known=lambda *_: True) as draft:
        (draft / "a").write_text("older")
    rename = Path.rename

    def fails_for_drafts(path: Path, target: Path) -> Path:
        if target == folder and not path.name.endswith("-older"):
            raise OSError(5, "Input/output error")
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", fails_for_drafts)
    with (
        pytest.raises(OSError, match="Input/output error"),
        published(folder, root=tmp_path, known=lambda *_: True) as draft,
    ):
        (draft / "a").write_text("newer")

    assert (folder / "a").read_text() == "older"
    assert list(tmp_path.iterdir()) == [folder]


@pytest.mark.parametrize("in_one_step", [True, False])
def test_files_of_others_survive_a_stop_while_folders_are_exchanged(
    in_one_step: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not in_one_step:
        monkeypatch.setattr(publishing, "_exchange", lambda draft, folder: False)
    for name, replacing_it in (
        ("head", lambda folder: published(folder, root=tmp_path, known=is_ours)),
        ("model", lambda folder: replacing(folder, root=tmp_path)),
    ):
        folder = tmp_path / name
        (folder / "variables").mkdir(parents=True)
        (folder / "thesis.txt").write_text("mine")

        def stop(path: Path, other: Path, *, root: Path) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr(publishing, "rename", stop)
        with suppress(KeyboardInterrupt), replacing_it(folder) as draft:
            draft.mkdir(exist_ok=True)
            (draft / "saved_model.pb").write_text("newer")

        assert [path.read_text() for path in tmp_path.rglob("thesis.txt") if name in str(path)] == ["mine"]


def is_ours(name: PurePath, head: bytes) -> bool:
    return name.name != "thesis.txt"


def test_missing_folder_says_how_to_train(tmp_path: Path) -> None:
    with pytest.raises(
        UsageError, match=r"no trained head at .*: `pipeline train-head --head logreg` trains one"
    ):
        load_head(tmp_path / "logreg")
    with pytest.raises(UsageError, match=r"unknown head 'logrek' \(did you mean 'logreg'\?\)"):
        load_head(tmp_path / "logrek")


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda folder: (folder / "head.json").unlink(), "head.json is damaged or foreign: .*No such file"),
        (lambda folder: (folder / "head.json").write_text("{"), "head.json is damaged or foreign"),
        (lambda folder: (folder / "head.json").write_text("[]"), "head.json is damaged or foreign"),
        (
            lambda folder: (folder / "head.json").write_text("{}"),
            "head.json is damaged or foreign: no 'name'",
        ),
        (lambda folder: edit(folder, schema=3), "schema 3, this version reads 1 and 2"),
        (lambda folder: edit(folder, name="os"), "head.json .* unknown head 'os'"),
        (lambda folder: edit(folder, options={"C": "x"}), "head.json .* C=x .* must be float"),
        (lambda folder: edit(folder, options={"D": 1}), "head.json .* unknown option of head 'logreg', 'D'"),
        (lambda folder: edit(folder, spec={"layer": "x"}), "head.json .* not a feature spec"),
        (lambda folder: edit(folder, history=[1]), "head.json is damaged or foreign"),
        (lambda folder: edit(folder, classes=["ant"]), "head.json .* 3 counts for 1 class"),
        (lambda folder: (folder / "model.skops").unlink(), "model.skops is damaged .*No such file"),
        (lambda folder: (folder / "model.skops").write_bytes(b"PK"), "model.skops is damaged .*SHA-256"),
    ],
)
def test_damage_names_the_file_and_the_remedy(
    damage: Callable[[Path], None], message: str, saved: TrainedHead
) -> None:
    damage(saved.folder)

    with pytest.raises(CacheMismatchError, match=message) as caught:
        load_head(saved.folder)
    assert str(saved.folder) in str(caught.value)
    assert RETRAIN in str(caught.value)
    assert "\n" not in str(caught.value)


def test_damaged_head_can_be_trained_again(saved: TrainedHead, train: FeatureSet, tmp_path: Path) -> None:
    (saved.folder / "head.json").unlink()

    train_head("logreg", train, None, runs=tmp_path)

    assert np.array_equal(load_head(saved.folder).predict_proba(train), saved.predict_proba(train))


def test_moved_head_still_answers(saved: TrainedHead, train: FeatureSet, tmp_path: Path) -> None:
    shutil.move(saved.folder, tmp_path / "elsewhere")

    assert load_head(tmp_path / "elsewhere").val_accuracy == saved.val_accuracy


def test_other_version_of_the_library_is_said(saved: TrainedHead, capsys: pytest.CaptureFixture[str]) -> None:
    edit(saved.folder, versions={"scikit-learn": "1.2.3"})

    load_head(saved.folder)

    assert "note: the head was trained with scikit-learn 1.2.3 and runs with" in capsys.readouterr().err
