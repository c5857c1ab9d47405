"""Imported features: what another program wrote is what stage two learns from, and nothing is passed over."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from click.testing import CliRunner
from PIL import Image
from pyarrow import parquet

from pipeline import FeatureRequest, extract, find_entries, open_features, registry
from pipeline.cache.exchange import formats, given_table
from pipeline.cache.exchange.exporting import export_features
from pipeline.cache.features import Selection
from pipeline.cli import main
from pipeline.errors import PipelineError, UsageError
from pipeline.extraction.command import extract_command
from pipeline.extraction.importing import Copier, import_features
from pipeline.extraction.staleness import compare_with_source

FORMATS = registry.names(formats)
ROWS = 40
CLASSES = ["cats", "dogs"]


def made(dtype: str = "float32", shape: tuple[int, ...] = (6,)) -> tuple[np.ndarray, dict[str, list[str]]]:
    """Features of two classes that are easy to tell apart, and what is known of each row."""
    generator = np.random.default_rng(0)
    labels = [CLASSES[number % 2] for number in range(ROWS)]
    features = generator.normal(size=(ROWS, *shape))
    features[::2] += 4
    split = [["train", "train", "val", "test"][number // 2 % 4] for number in range(ROWS)]
    columns = {"id": [f"{n}.jpg" for n in range(ROWS)], "label": labels, "split": split}
    return features.astype(dtype), columns


def write(path: Path, features: np.ndarray, columns: dict[str, list[str]]) -> Path:
    """Writes a file as users of pandas, pyarrow and NumPy have it."""
    flat = features.reshape(len(features), -1)
    match path.suffix:
        case ".parquet":
            table = pa.table({**columns, "embedding": [row.tolist() for row in flat]})
            parquet.write_table(table, path, row_group_size=7)
        case ".npz":
            np.savez_compressed(path, embedding=features, **columns)
        case ".npy":
            np.save(path, features)
            _write_csv(path.with_suffix(".csv"), columns)
        case ".csv":
            _write_csv(path, columns | {f"x{n}": flat[:, n].tolist() for n in range(flat.shape[1])})
    return path


def _write_csv(path: Path, columns: dict[str, list[Any]]) -> None:
    with path.open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(columns)
        rows.writerows(zip(*columns.values(), strict=True))


@pytest.mark.parametrize("block_bytes", [1, 100, 1 << 20])
@pytest.mark.parametrize("format", FORMATS)
def test_every_row_is_taken_as_it_is_written(
    format: str, block_bytes: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(given_table, "BLOCK_BYTES", block_bytes)
    features, columns = made()
    report = import_features(write(tmp_path / f"a.{format}", features, columns), cache=tmp_path / "cache")
    seen = 0
    for split in ("train", "val", "test"):
        stored = open_features(report.entry, split)
        places = [columns["id"].index(name) for name in stored.rows.ids]
        assert places == [n for n in range(ROWS) if columns["split"][n] == split]
        assert np.array_equal(stored.to_memory(), features[places])
        assert [stored.classes[label] for label in stored.rows.labels] == [
            columns["label"][n] for n in places
        ]
        seen += len(stored)
    assert seen == ROWS == report.computed
    assert report.entry.dataset == "a"


@pytest.mark.parametrize("format", FORMATS)
def test_what_is_exported_can_be_imported(format: str, tmp_path: Path) -> None:
    request = FeatureRequest(backbone="pixels", image_size=4)
    (report,) = extract("builtin:digits", request, cache=tmp_path / "cache")
    stored = [open_features(report.entry, split) for split in report.entry.splits]
    written = export_features(stored, tmp_path / f"a.{format}")
    taken = import_features(written.files[0], cache=tmp_path / "cache")
    for one in stored:
        again = open_features(taken.entry, one.split)
        assert list(again.rows.ids) == list(one.rows.ids)
        assert np.array_equal(again.rows.labels, one.rows.labels)
        assert np.array_equal(again.to_memory(), one.to_memory().reshape(len(one), -1))


def test_a_second_time_nothing_is_written(tmp_path: Path) -> None:
    path = write(tmp_path / "a.parquet", *made())
    import_features(path, cache=tmp_path / "cache")
    again = import_features(path, cache=tmp_path / "cache")
    assert again.computed == 0
    assert {name: split.reused for name, split in again.splits.items()} == {
        "train": 20,
        "val": 10,
        "test": 10,
    }


@pytest.mark.parametrize("change", ["features", "labels"])
def test_a_changed_file_changes_the_entry(change: str, tmp_path: Path) -> None:
    features, columns = made()
    path = write(tmp_path / "a.parquet", features, columns)
    import_features(path, cache=tmp_path / "cache")
    if change == "features":
        features[3] += 1
    else:
        columns["label"][3] = "birds"
    report = import_features(write(path, features, columns), cache=tmp_path / "cache")
    stored = open_features(report.entry, columns["split"][3])
    row = list(stored.rows.ids).index("3.jpg")
    assert np.array_equal(stored.to_memory()[row], features[3])
    assert stored.classes[stored.rows.labels[row]] == columns["label"][3]


def test_an_import_that_is_killed_goes_on_with_the_rows_that_are_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(given_table, "BLOCK_BYTES", 10 * 6 * 4)
    path = write(tmp_path / "a.npz", *made())
    real = Copier._copy

    def dying(self: Copier, writer: Any, wanted: Any, title: str) -> None:
        commit, seen = writer.commit, []

        def once() -> None:
            commit()
            seen.append(1)
            if len(seen) == 2:
                raise PipelineError("killed")

        writer.commit = once
        real(self, writer, wanted, title)

    with monkeypatch.context() as patch:
        patch.setattr(Copier, "_copy", dying)
        with pytest.raises(PipelineError, match="killed"):
            import_features(path, cache=tmp_path / "cache")
    report = import_features(path, cache=tmp_path / "cache")
    assert report.computed == ROWS - 20
    assert np.array_equal(
        open_features(report.entry, "train").to_memory(),
        made()[0][[n for n in range(ROWS) if made()[1]["split"][n] == "train"]],
    )


@pytest.mark.parametrize("format", ["npz", "npy"])
def test_maps_keep_their_shape(format: str, tmp_path: Path) -> None:
    features, columns = made(shape=(2, 2, 3))
    report = import_features(write(tmp_path / f"a.{format}", features, columns), cache=tmp_path / "cache")
    assert open_features(report.entry, "train").feature_shape == (2, 2, 3)


@pytest.mark.parametrize(
    ("dtype", "store", "kept"),
    [
        ("float16", None, "float16"),
        ("float64", None, "float32"),
        ("uint8", None, "float32"),
        ("float32", "float16", "float16"),
    ],
)
def test_numbers_are_stored_as_written_or_it_is_said(
    dtype: str, store: str | None, kept: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    features, columns = made(dtype)
    report = import_features(
        write(tmp_path / "a.npz", features, columns), cache=tmp_path / "cache", store=store
    )
    assert report.entry.spec.store == kept
    assert (f"{dtype} is stored as {kept}" in capsys.readouterr().err) == (dtype != kept)


def test_splits_are_chosen_by_content_where_the_file_has_none(tmp_path: Path) -> None:
    features, columns = made()
    del columns["split"], columns["id"]
    report = import_features(write(tmp_path / "a.npz", features, columns), cache=tmp_path / "cache")
    ids = [name for split in report.entry.splits for name in open_features(report.entry, split).rows.ids]
    assert sorted(ids) == sorted(f"row[{number}]" for number in range(ROWS))
    assert report.understood is not None
    assert any("states no splits" in remark for remark in report.understood.remarks)


def test_views_of_an_export_are_left_out_and_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    features, columns = made()
    columns["view"] = ["0"] * (ROWS - 3) + ["1", "2", "3"]
    columns["id"][-3:] = ["0.jpg"] * 3
    report = import_features(write(tmp_path / "a.parquet", features, columns), cache=tmp_path / "cache")
    assert report.computed == ROWS - 3
    assert "3 rows of augmented views are left out" in capsys.readouterr().err


def remove(name: str) -> Callable[[np.ndarray, dict[str, list[str]]], None]:
    return lambda features, columns: columns.pop(name)  # type: ignore[return-value]


def put(row: int, value: float) -> Callable[[np.ndarray, dict[str, list[str]]], None]:
    return lambda features, columns: features.__setitem__((row, 2), value)


def name(column: str, row: int, value: str) -> Callable[[np.ndarray, dict[str, list[str]]], None]:
    return lambda features, columns: columns[column].__setitem__(row, value)


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize(
    ("change", "words"),
    [
        (remove("label"), "--label-column COLUMN"),
        (put(5, np.nan), r"'5.jpg' \(row 5\) are no finite float32"),
        (put(5, np.inf), r"'5.jpg' \(row 5\) are no finite float32"),
        (name("split", 4, "trian"), "unknown split 'trian'"),
        (name("id", 4, "3.jpg"), "'3.jpg' stands in row 3 already"),
    ],
)
def test_what_cannot_be_understood_is_refused_by_name(
    format: str, change: Callable[..., None], words: str, tmp_path: Path
) -> None:
    features, columns = made()
    change(features, columns)
    with pytest.raises(UsageError, match=words):
        import_features(write(tmp_path / f"a.{format}", features, columns), cache=tmp_path / "cache")
    assert not list((tmp_path / "cache").glob("*/*/*.h5*"))


@pytest.mark.parametrize("format", FORMATS)
def test_a_damaged_file_is_refused(format: str, tmp_path: Path) -> None:
    path = write(tmp_path / f"a.{format}", *made())
    path.write_bytes(path.read_bytes()[:-40] if format == "parquet" else b"\xff\xfe no such file")
    with pytest.raises(UsageError, match=f"a.{format}"):
        import_features(path, cache=tmp_path / "cache")


@pytest.mark.parametrize("format", FORMATS)
def test_a_file_without_features_is_refused(format: str, tmp_path: Path) -> None:
    path = write(tmp_path / f"a.{format}", np.zeros((3, 0)), {"id": list("abc"), "label": list("xyx")})
    with pytest.raises(UsageError, match=f"a.{format}"):
        import_features(path, cache=tmp_path / "cache")


@pytest.mark.parametrize("format", ["npz", "parquet", "csv"])
def test_of_several_features_one_has_to_be_named(format: str, tmp_path: Path) -> None:
    features, columns = made()
    path = tmp_path / f"a.{format}"
    if format == "npz":
        np.savez(path, clip=features, dino=features + 1, **columns)  # type: ignore[arg-type]
    elif format == "csv":
        both = {
            f"{kind}_{n}": features[:, n] + (kind == "dino") for n in range(6) for kind in ("clip", "dino")
        }
        _write_csv(path, columns | both)
    else:
        lists = {"clip": features.tolist(), "dino": (features + 1).tolist()}
        parquet.write_table(pa.table({**columns, **lists}), path)
    with pytest.raises(UsageError, match=r"2 could be the features.*--features-column clip"):
        import_features(path, cache=tmp_path / "cache")
    chosen = "dino_" if format == "csv" else "dino"
    report = import_features(path, cache=tmp_path / "cache", features_column=chosen)
    train = [n for n in range(ROWS) if columns["split"][n] == "train"]
    assert np.array_equal(open_features(report.entry, "train").to_memory(), features[train] + 1)
    assert report.entry.spec.layer == "dino"


def test_lists_of_other_lengths_are_refused(tmp_path: Path) -> None:
    table = pa.table({"label": ["a", "b", "a"], "e": [[1.0, 2.0], [1.0, 2.0], [1.0]]})
    parquet.write_table(table, tmp_path / "a.parquet")
    with pytest.raises(UsageError, match="row 2: 'e' has 1 numbers, others have 2"):
        import_features(tmp_path / "a.parquet", cache=tmp_path / "cache")


def test_a_cell_without_a_number_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("label,f0,f1\na,1,2\nb,3,four\n")
    with pytest.raises(UsageError, match="row 1, column 'f1': 'four' is no number"):
        import_features(tmp_path / "a.csv", cache=tmp_path / "cache")


def test_a_base_is_a_word(tmp_path: Path) -> None:
    path = write(tmp_path / "a.npz", *made())
    for word in ("", "a/b", "net.onnx"):
        with pytest.raises(UsageError, match="in a word what made the features"):
            import_features(path, cache=tmp_path / "cache", backbone=word)


@pytest.fixture
def invoke(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., Any]:
    monkeypatch.chdir(tmp_path)
    write(tmp_path / "clip.parquet", *made())

    def run(*words: str) -> Any:
        return CliRunner().invoke(main, words, catch_exceptions=False)

    assert run("cache", "import", "clip.parquet", "--backbone", "clip-vit-b32").exit_code == 0
    return run


def test_stage_two_needs_no_base(invoke: Callable[..., Any]) -> None:
    chosen = ("--name", "clip", "--backbone", "clip-vit-b32")
    assert invoke("train-head", *chosen).exit_code == 0
    figures = json.loads(invoke("evaluate", *chosen, "--split", "test", "--json").stdout)
    assert figures["accuracy"] == 1
    for command in (["check"], ["sweep", "--head", "knn"], ["cache", "verify"], ["cache", "ls"], ["status"]):
        done = invoke(*command, *(chosen if command[0] in ("check", "sweep") else ()))
        assert done.exit_code == 0, done.output


@pytest.mark.parametrize(
    "words",
    [
        ("predict", "photo.png"),
        ("search", "photo.png"),
        ("serve", "--port", "0"),
        ("export", "--format", "onnx"),
        ("train-head", "--head", "finetune"),
        ("train-head", "--head", "cnn"),
    ],
)
def test_what_needs_the_base_says_that_it_is_not_here(
    words: tuple[str, ...], invoke: Callable[..., Any], tmp_path: Path
) -> None:
    Image.new("RGB", (8, 8)).save(tmp_path / "photo.png")
    assert invoke("train-head", "--name", "clip").exit_code == 0
    refused = invoke(*words, "--name", "clip")
    assert refused.exit_code == 2
    assert "the features of 'clip-vit-b32' were imported" in refused.output


def test_the_command_that_takes_it_in_again_is_known(invoke: Callable[..., Any], tmp_path: Path) -> None:
    (entry,) = find_entries("features_cache")
    assert extract_command([entry], source_name="clip") == (
        f"pipeline cache import {tmp_path}/clip.parquet --backbone clip-vit-b32 --store float32"
    )
    assert str(compare_with_source(Selection((entry,)))) == ""
