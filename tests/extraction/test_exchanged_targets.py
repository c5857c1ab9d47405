"""Several labels and numbers in the files of other programs: written, and read back as they were."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from pyarrow import parquet

from pipeline import find_entries, open_features, registry
from pipeline.cache import FeatureSet
from pipeline.cache.exchange import formats
from pipeline.cache.exchange.exporting import export_features
from pipeline.cache.exchange.formats.parquet import METADATA
from pipeline.cache.exchange.given_table import told_target
from pipeline.cli import main
from pipeline.errors import UsageError
from pipeline.extraction.importing import import_features
from pipeline.images.source_options import SourceOptions
from pipeline.images.targets import CLASS, LABELS, NUMBER, same_targets

FORMATS = registry.names(formats)
ROWS = 12
MARKS = np.array([[1, 0], [0, 1], [1, 1], [0, 0], [np.nan, 1], [np.nan, np.nan]] * 2, np.float32)
NUMBERS = np.where(MARKS == 1, np.float32(0.1), MARKS * 1e20)
SETS = {
    "labels": (LABELS, ("0", "1"), MARKS),
    "numbers": (NUMBER, ("width", "Höhe, in cm"), NUMBERS),
    "numbers that look like labels": (NUMBER, ("a", "b"), MARKS),
}


def made(kind: str, names: tuple[str, ...], targets: np.ndarray, folder: Path) -> FeatureSet:
    """Features in the cache, with targets that another program wrote."""
    file = folder / "made.csv"
    with file.open("w", newline="") as text:
        rows = csv.writer(text)
        rows.writerow(["id", "split", *names, "f0", "f1"])
        for number, row in enumerate(targets):
            texts = ["" if np.isnan(value) else str(value) for value in row]
            rows.writerow([f"{number}.png", "train" if number < 9 else "val", *texts, number, 0.5])
    report = import_features(
        file,
        cache=folder / "cache",
        features_column="f",
        columns=SourceOptions(target=kind, target_column=names),
    )
    return open_features(report.entry, "train")


@pytest.mark.parametrize("case", SETS)
@pytest.mark.parametrize("format", FORMATS)
def test_an_export_is_read_back_without_an_option(format: str, case: str, tmp_path: Path) -> None:
    features = made(*SETS[case], tmp_path)
    out = tmp_path / f"out.{format}"
    export_features([features], out)
    report = import_features(out, cache=tmp_path / "other")
    found = [open_features(report.entry, split) for split in report.entry.splits]
    kind, names, targets = SETS[case]
    for one in found:
        assert (one.target, one.classes) == (kind, names)
        places = [int(name.removesuffix(".png")) for name in one.rows.ids]
        assert same_targets(one.targets, targets[places])
        assert one.to_memory()[:, 0].tolist() == places
    assert sum(map(len, found)) == len(features)


@pytest.mark.parametrize("format", FORMATS)
def test_what_is_known_has_columns_of_its_own(format: str, tmp_path: Path) -> None:
    features = made(*SETS["labels"], tmp_path)
    out = tmp_path / f"out.{format}"
    export_features([features], out)
    match format:
        case "parquet":
            table = parquet.read_table(out)
            column = table["target:1"].to_pylist()
            metadata = table.schema.metadata[METADATA.encode()]
            assert set(table["label"].to_pylist()) == {None}
        case "npz":
            with np.load(out) as archive:
                column = [None if np.isnan(one) else one for one in archive["target:1"].tolist()]
                metadata = str(archive["metadata"])
        case _:
            with out.with_suffix(".csv").open(newline="") as text:
                column = [float(row["target:1"]) if row["target:1"] else None for row in csv.DictReader(text)]
            metadata = out.with_suffix(".json").read_text()
    assert column == [None if np.isnan(value) else value for value in features.targets[:, 1]]
    assert json.loads(metadata)["target"] == LABELS
    assert json.loads(metadata)["classes"] == ["0", "1"]


def test_options_go_before_the_columns_of_an_export(tmp_path: Path) -> None:
    features = made(*SETS["labels"], tmp_path)
    out = tmp_path / "out.parquet"
    export_features([features], out)
    options = SourceOptions(target="number", target_column=("target:1",))
    report = import_features(out, cache=tmp_path / "other", columns=options)
    found = open_features(report.entry, report.entry.splits[0])
    assert (found.target, found.classes) == (NUMBER, ("1",))
    with pytest.raises(UsageError, match="no image has a number"):
        import_features(out, cache=tmp_path / "third", columns=SourceOptions(target="number"))


def test_without_metadata_the_values_say_what_targets_are(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    features = made(*SETS["numbers that look like labels"], tmp_path)
    out = tmp_path / "out.csv"
    export_features([features], out)
    out.with_suffix(".json").write_text('{"target": ["boxes"]}')
    report = import_features(out, cache=tmp_path / "other")
    assert open_features(report.entry, report.entry.splits[0]).target == LABELS
    assert "the 2 columns of targets are read as labels" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        (None, ""),
        ("", ""),
        ("{", ""),
        (b"\xff", ""),
        ("[]", ""),
        ('{"target": 1}', ""),
        ('{"target": []}', ""),
        ('{"target": "boxes"}', ""),
        ('{"target": "number"}', NUMBER),
        (b'{"target": "class"}', CLASS),
    ],
)
def test_metadata_of_any_kind(metadata: str | bytes | None, expected: str) -> None:
    assert told_target(metadata) == expected


def test_the_command_takes_targets(tmp_path: Path) -> None:
    file = tmp_path / "made.csv"
    lines = [f"{i}.png,{i / 4},{i},1" for i in range(ROWS)]
    file.write_text("\n".join(["id,weight,f0,f1", *lines]) + "\n")
    words = ["cache", "import", str(file), "--cache", str(tmp_path / "cache"), "--json"]
    result = CliRunner().invoke(main, [*words, "--target", "number", "--label-column", "weight"])
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout)["target"] == NUMBER
    (entry,) = find_entries(cache=tmp_path / "cache")
    assert open_features(entry, "train").classes == ("weight",)


def test_a_table_of_pandas_has_them_too(tmp_path: Path) -> None:
    frame = made(*SETS["labels"], tmp_path).to_frame()
    assert {"target:0", "target:1"} <= {*frame.columns}
    assert frame["target:0"].isna().sum() == np.isnan(MARKS[:9, 0]).sum()
