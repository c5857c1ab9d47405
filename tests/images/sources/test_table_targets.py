"""Tables in which an image has several labels, or numbers."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest

from pipeline.errors import UsageError
from pipeline.images import ImageSource
from pipeline.images.source import targets_of
from pipeline.images.source_options import SourceOptions
from pipeline.images.sources import open_source
from pipeline.images.targets import LABELS, NUMBER

NAN = np.nan
Opened = Callable[..., ImageSource]


@pytest.fixture
def csv(tmp_path: Path) -> Opened:
    """Opens a table of text, of which the columns after ``path`` are given."""

    def opened(columns: str, rows: Sequence[str], **options: object) -> ImageSource:
        file = tmp_path / "toy.csv"
        lines = [f"path,{columns}", *(f"{i}.png,{row}" for i, row in enumerate(rows))]
        file.write_text("\n".join(lines) + "\n")
        return open_source(str(file), SourceOptions(**options))

    return opened


@pytest.fixture
def jsonl(tmp_path: Path) -> Opened:
    """Opens a table of JSON Lines, of which the members beside ``path`` are given."""

    def opened(records: Sequence[dict[str, object]], **options: object) -> ImageSource:
        file = tmp_path / "toy.jsonl"
        lines = [json.dumps({"path": f"{i}.png"} | record) for i, record in enumerate(records)]
        file.write_text("\n".join(lines) + "\n")
        return open_source(str(file), SourceOptions(**options))

    return opened


def assert_targets(source: ImageSource, kind: str, names: Sequence[str], expected: object) -> None:
    table = targets_of(source)
    assert table is not None
    assert (table.kind, table.names, source.classes) == (kind, tuple(names), tuple(names))
    labels = np.array([item.label for item in source.items()])
    np.testing.assert_array_equal(table.of(labels), np.array(expected, np.float32))


LISTS = ["cat;indoor", "dog", " indoor ;cat;", "", ";", "NaN"]
MEANT = [[1, 0, 1], [0, 1, 0], [1, 0, 1], [NAN] * 3, [0] * 3, [NAN] * 3]


@pytest.mark.parametrize("options", [{"label_separator": ";"}, {"target": "labels"}])
def test_labels_with_a_separator(options: dict[str, str], csv: Opened) -> None:
    source = csv("label", LISTS, **options)
    assert_targets(source, LABELS, ("cat", "dog", "indoor"), MEANT)
    assert source.notes == (
        "labels are separated by ';': 2 rows have several",
        "1 row has an empty list: none of the labels",
        "2 rows have no label, which is taken for unknown",
    )


def test_the_separator_is_the_users(csv: Opened) -> None:
    source = csv("label", ["cat | in;door", "dog"], label_separator="|")
    assert_targets(source, LABELS, ("cat", "dog", "in;door"), [[1, 0, 1], [0, 1, 0]])


def test_a_missing_label_beside_others_is_said(csv: Opened) -> None:
    source = csv("label", ["cat;nan", "cat"], label_separator=";")
    assert_targets(source, LABELS, ("cat",), [[1], [1]])
    assert "1 row names a missing label beside others, which is passed over" in source.notes


def test_minus_is_a_label_beside_plus(csv: Opened) -> None:
    assert_targets(csv("label", ["-", "+;-"], label_separator=";"), LABELS, ("+", "-"), [[0, 1], [1, 1]])


def test_without_an_option_a_list_is_one_class(csv: Opened) -> None:
    source = csv("label", LISTS)
    assert targets_of(source) is None
    assert "give --label-separator" in " ".join(source.notes)


@pytest.mark.parametrize("target", ["", "labels"])
def test_a_column_a_label(target: str, csv: Opened) -> None:
    rows = ["1,0,x", "0,1,y", "true,FALSE,z", ",1.0,", "nan,?,"]
    source = csv("night,Indoor,other", rows, target=target, target_column=("night", "indoor"))
    assert_targets(source, LABELS, ("night", "indoor"), [[1, 0], [0, 1], [1, 0], [NAN, 1], [NAN, NAN]])
    said = "the 2 columns of targets are read as labels, 1 where an image has it"
    assert (said in source.notes) == (not target)
    assert "1 row has no label, which is taken for unknown" in source.notes


@pytest.mark.parametrize(
    ("target", "said"), [("", ["the 2 columns of targets are read as numbers"]), ("number", [])]
)
def test_a_column_a_number(target: str, said: list[str], csv: Opened) -> None:
    source = csv("w,h", ["1.5,-2", "1e3,", ",NA"], target=target, target_column=("w", "h"))
    assert_targets(source, NUMBER, ("w", "h"), [[1.5, -2], [1000, NAN], [NAN, NAN]])
    assert source.notes == (*said, "1 row has no number, which is taken for unknown")


@pytest.mark.parametrize("name", ["None", "none"])
def test_a_target_may_be_called_none(name: str, csv: Opened) -> None:
    source = csv(f"cat,{name}", ["1,0", "0,1"], target_column=("cat", name))
    assert_targets(source, LABELS, ("cat", name), [[1, 0], [0, 1]])


def test_0_and_1_are_numbers_where_the_user_says_so(csv: Opened) -> None:
    assert_targets(csv("a", ["0", "1"], target="number", target_column=("a",)), NUMBER, ("a",), [[0], [1]])


def test_the_label_is_a_number(csv: Opened) -> None:
    source = csv("label", ["1.5", "2", "", "1.5"], target="number")
    assert_targets(source, NUMBER, ("label",), [[1.5], [2], [NAN], [1.5]])
    source = csv("price,label", ["7,a", "8,b"], target="number", label_column="Price")
    assert_targets(source, NUMBER, ("price",), [[7], [8]])


@pytest.mark.parametrize("text", ["heavy", "1_000", '"1,5"', "inf", "1e39", "0x10", "1 2"])
def test_what_is_no_number_is_refused_with_its_line(text: str, csv: Opened) -> None:
    with pytest.raises(UsageError, match=r"toy\.csv, line 3: label .* is (no number|too large)"):
        csv("label", ["1", text, "2", text], target="number")


def test_what_is_no_mark_is_refused_with_its_line(csv: Opened) -> None:
    with pytest.raises(UsageError, match=r"line 3: a '2' is neither 0 nor 1: .*--target number"):
        csv("a,b", ["1,0", "2,1"], target="labels", target_column=("a", "b"))


@pytest.mark.parametrize(
    "options", [{"label_separator": ";"}, {"target": "number"}, {"target_column": ("label",)}]
)
def test_a_table_that_says_nothing_of_any_image_is_refused(options: dict[str, object], csv: Opened) -> None:
    with pytest.raises(UsageError, match=r"no image has a (label|number)"):
        csv("label", ["", "NaN"], **options)
    with pytest.raises(UsageError, match="lists no images"):
        csv("label", [], **options)
    with pytest.raises(
        UsageError, match="line 3: 3 fields under 2 columns"
    ):  # and not that labels are missing
        csv("label", ["", "a,b"], **options)


CONTRADICTIONS: dict[str, dict[str, object]] = {
    "--target numbers|unknown target 'numbers'": {"target": "numbers"},
    "--target class has one column": {"target": "class", "target_column": ("a",)},
    "--label-separator is for --target labels, not number": {"target": "number", "label_separator": ";"},
    "--label-separator is for --target labels, not class": {"target": "class", "label_separator": ";"},
    "give --label-separator or --target-column": {"label_separator": ";", "target_column": ("a",)},
    "give --label-column or --target-column": {"label_column": "b", "target_column": ("a",)},
    "--target number needs a column": {"label_column": "none", "target": "number"},
    "--target-column a is given twice": {"target_column": ("a", "A")},
    "column 'path' cannot be a target": {"target_column": ("path",)},
    "no column for --target-column none": {"target_column": ("none",)},
    "no column for --target-column c": {"target_column": ("c",)},
}


@pytest.mark.parametrize("trouble", CONTRADICTIONS)
def test_options_that_contradict_each_other_are_refused(trouble: str, csv: Opened) -> None:
    with pytest.raises(UsageError, match=trouble):
        csv("a,b", ["1,0", "0,1"], **CONTRADICTIONS[trouble])


def test_target_class_is_what_it_always_was(csv: Opened) -> None:
    source = csv("label", ["a", "b;c"], target="class")
    assert targets_of(source) is None
    assert source.classes == ("a", "b;c")


@pytest.mark.parametrize("target", ["", "labels"])
def test_lists_in_json_lines_are_several_labels(target: str, jsonl: Opened) -> None:
    lists: list[object] = [["cat", "in;door"], "dog", [], None, [7, True], [""]]
    source = jsonl([{"label": one} for one in lists], target=target)
    names = ("7", "cat", "dog", "in;door", "true")
    nothing = [NAN] * 5
    expected = [[0, 1, 0, 1, 0], [0, 0, 1, 0, 0], [0] * 5, nothing, [1, 0, 0, 0, 1], nothing]
    assert_targets(source, LABELS, names, expected)
    assert "labels stand in lists: 2 rows have several" in source.notes


@pytest.mark.parametrize(
    ("label", "target", "trouble"),
    [
        (["a", "b"], "class", "--target labels"),
        ([1, 2], "number", "--target-column"),
        ([["a"]], "", "each label must be text"),
        ([1.5], "", "each label must be text"),
        ({"a": 1}, "", "label must be text"),
        (["a\0b"], "", "is not valid text"),
        ({"a": 1}, "number", "label must be a number"),
    ],
)
def test_other_lists_are_refused_with_their_line(
    label: object, target: str, trouble: str, jsonl: Opened
) -> None:
    with pytest.raises(UsageError, match=f"line 2: .*{trouble}"):
        jsonl([{"label": "1"}, {"label": label}], target=target)


def test_numbers_in_json_lines(jsonl: Opened) -> None:
    values = [1.5, 2, None, NAN, "3.25", 1e-7]
    records = [{"label": value, "b": value} for value in values]
    expected = np.array([[1.5], [2], [NAN], [NAN], [3.25], [1e-7]], np.float32)
    assert_targets(jsonl(records, target="number"), NUMBER, ("label",), expected)
    assert_targets(jsonl(records, target_column=("b",)), NUMBER, ("b",), expected)
    with pytest.raises(UsageError, match=r"line 1: label must be text or a whole number, not 1\.5"):
        jsonl(records)


def test_columns_may_stand_in_any_order_in_json_lines(jsonl: Opened) -> None:
    source = jsonl([{"a": 1, "b": 0}, {"b": 1, "a": 0}], target_column=("a", "b"))
    assert_targets(source, LABELS, ("a", "b"), [[1, 0], [0, 1]])


def test_an_option_of_tables_means_nothing_for_a_folder(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--target means nothing"):
        open_source(str(tmp_path), SourceOptions(target="labels"))


def test_a_sample_keeps_what_is_known(csv: Opened, tmp_path: Path) -> None:
    csv("label", ["a;b", "b", "", ";"], label_separator=";")
    sample = open_source(f"sample:9:{tmp_path}/toy.csv", SourceOptions(label_separator=";"))
    assert_targets(sample, LABELS, ("a", "b"), [[1, 1], [0, 1], [0, 0]])
    assert "3 of 3 labelled images" in sample.notes[0]
