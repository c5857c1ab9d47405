"""Exports take the place of older ones, and of nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from pipeline.errors import ForeignFileError
from pipeline.serving.export._placing import replacing


def write_folder(target: Path, text: str, **options: object) -> None:
    with replacing(target, **options) as draft:
        (draft / "variables").mkdir(parents=True)
        (draft / "saved_model.pb").write_text(text)
        (draft / "variables" / "variables.index").write_text(text)


def write_file(target: Path, text: str, **options: object) -> None:
    with replacing(target, **options) as draft:
        draft.write_bytes(b"PK\3\4" + text.encode())


def test_a_folder_keeps_what_others_have_put_into_it(tmp_path: Path) -> None:
    target = tmp_path / "model"
    write_folder(target, "older")
    (target / "variables" / "older.shard").write_text("goes with the older model")
    (target / "notes.txt").write_text("mine")
    (target / "papers").mkdir()
    (target / "papers" / "thesis.txt").write_text("mine, too")
    write_folder(target, "newer")
    left = {str(path.relative_to(target)): path.read_text() for path in target.rglob("*") if path.is_file()}
    assert left == {
        "saved_model.pb": "newer",
        "variables/variables.index": "newer",
        "notes.txt": "mine",
        "papers/thesis.txt": "mine, too",
    }
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_a_file_of_another_kind_is_not_replaced(tmp_path: Path) -> None:
    target = tmp_path / "model.keras"
    write_file(target, "older")
    write_file(target, "newer")
    assert target.read_bytes() == b"PK\3\4newer"
    target.write_text("thesis")
    with pytest.raises(ForeignFileError, match=r"model\.keras was not made by this package"):
        write_file(target, "newest")
    assert target.read_text() == "thesis"
    assert [path.name for path in tmp_path.iterdir()] == ["model.keras"]


@pytest.mark.parametrize("write", [write_file, write_folder])
def test_a_link_that_the_user_names_is_written_through(write: object, tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    target = tmp_path / "model.keras"
    target.symlink_to(tmp_path / "disk" / "model.keras")
    write(target, "first")
    write(target, "second")
    assert target.is_symlink()
    assert (tmp_path / "disk" / "model.keras").exists()


@pytest.mark.parametrize("place", ["export/model.keras", "export"])
def test_a_link_below_the_runs_is_refused(place: str, tmp_path: Path) -> None:
    (tmp_path / "runs").mkdir()
    (tmp_path / "theirs").mkdir()
    link = tmp_path / "runs" / place
    link.parent.mkdir(exist_ok=True)
    link.symlink_to(tmp_path / "theirs")
    with pytest.raises(ForeignFileError, match="is a link to"):
        write_file(tmp_path / "runs" / "export" / "model.keras", "mine", root=tmp_path / "runs")
    assert list((tmp_path / "theirs").iterdir()) == []
