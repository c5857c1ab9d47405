from __future__ import annotations

import json
import os

import pytest

from pipeline.errors import UsageError
from pipeline.images import UNLABELLED
from pipeline.images.sources import open_source
from pipeline.images.sources import table as table_module


@pytest.fixture
def table(tmp_path):
    """Writes a table and returns its path as text."""

    def write(text, name="toy.csv", encoding="utf-8"):
        file = tmp_path / name
        file.write_text(text, encoding=encoding)
        return str(file)

    return write


def rows(source):
    return [(item.id, item.label, item.split, item.group) for item in source.items()]


EXPECTED = [("img/1.png", 1, "train", "p1"), ("2.png", 0, "val", None), ("3.png", UNLABELLED, None, None)]


def test_a_csv_table(table, tmp_path, make_images):
    make_images(tmp_path, "img/1.png")
    source = open_source(
        table("path,label,split,group\nimg/1.png,dog,Training,p1\n./2.png,cat,valid,\n\n3.png,,,\n")
    )
    assert source.uri == str(tmp_path / "toy.csv")
    assert source.name == "toy"
    assert source.classes == ("cat", "dog")
    assert source.notes == ("1 row has no label",)
    assert rows(source) == EXPECTED
    assert source.items()[0].path == tmp_path / "img" / "1.png"
    assert source.read(source.items()[0]) == (tmp_path / "img" / "1.png").read_bytes()


def test_a_jsonl_table(table):
    records = [
        {"path": "img/1.png", "label": "dog", "split": "train", "group": "p1", "width": 7},
        {"label": "cat", "path": "./2.png", "split": "VAL"},
        {"path": "3.png", "label": None, "group": None},
    ]
    source = open_source(table("\n\n".join(map(json.dumps, records)) + "\n", "toy.JSONL"))
    assert rows(source) == EXPECTED
    assert source.notes == ("ignored columns: width", "1 row has no label")


@pytest.mark.parametrize(
    ("name", "text"),
    [("a.csv", "path,label\nü.png,größe\n"), ("a.jsonl", '{"path": "ü.png", "label": "größe"}')],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_text_is_utf_8_with_or_without_mark(name, text, encoding, table):
    source = open_source(table(text, name, encoding))
    assert source.classes == ("größe",)
    assert source.items()[0].id == "ü.png"


def test_labels_may_be_numbers_and_are_sorted_naturally(table):
    lines = [json.dumps({"path": f"{label}.png", "label": label}) for label in (10, 9, "2", 100)]
    assert open_source(table("\n".join(lines), "a.jsonl")).classes == ("2", "9", "10", "100")


def test_headers_and_fields_are_forgiving(table):
    source = open_source(table('Path, Label ,split\n"a, b.png", cat ,test\nc.png,cat\n'))
    assert rows(source) == [("a, b.png", 0, "test", None), ("c.png", 0, None, None)]


def test_paths_may_be_absolute_or_lead_upwards(table, tmp_path):
    source = open_source(table(f"path,label\n{tmp_path}/far/1.png,a\n../2.png,a\n"))
    assert [str(item.path) for item in source.items()] == [f"{tmp_path}/far/1.png", f"{tmp_path}/../2.png"]


CSV_ERRORS = {
    "label\ncat\n": r"line 1: no path: expected path, label, split, group; found label",
    "path label\na.png cat\n": r"line 1: no path and no label: .*found path label",
    "": r"line 1: no path and no label: .*found nothing",
    "path,label\n": r"lists no images: expected columns path, label, split, group",
    "path,label\na.png,cat\n,dog\n": r"line 3: the path is empty",
    "path,label\na.png,cat,x\n": r"line 2: 3 fields under 2 columns",
    "path,label\na.png,cat\n./a.png,dog\n": r"line 3: 'a.png' stands in line 2 already",
    "path,label\nhttps://x.org/a.png,cat\n": r"line 2: 'https://x.org/a.png' is a URL: download",
    "path,label,split\na.png,cat,0\n": r"line 2: unknown split '0': choose from train, .*test_set",
    'path,label\n"a.png,cat\n': r"line 2: unexpected end of data",
    "path,label\na\0.png,cat\n": r"line 2: path 'a\\x00.png' is not valid text",
}


@pytest.mark.parametrize("text", CSV_ERRORS)
def test_errors_in_csv_tables_name_the_line(text, table):
    file = table(text)
    with pytest.raises(UsageError, match=CSV_ERRORS[text]) as caught:
        open_source(file)
    assert str(caught.value).startswith(file)
    assert "\n" not in str(caught.value)


GOOD = '{"path": "a.png", "label": "cat"}\n'
JSONL_ERRORS = {
    GOOD + "{": r"line 2: not JSON \(",
    GOOD + "[" * 100_000: r"line 2: not JSON \(",
    GOOD + "[1]": r"line 2: not a JSON object",
    GOOD + '{"path": "b.png"}': r"line 2: no label: expected path, label, split, group; found path",
    GOOD + '{"path": "b.png", "label": {}}': r"line 2: label must be text or a whole number, not \[\]",
    GOOD + '{"path": "b.png", "label": 1.5}': r"line 2: label must be text or a whole number, not 1.5",
    GOOD + '{"path": null, "label": 1}': r"line 2: the path is empty",
    GOOD + r'{"path": "b.png", "label": "\ud800"}': r"line 2: not JSON \(it holds half of a surrogate",
    GOOD + GOOD: r"line 2: 'a.png' stands in line 1 already",
    "\n": r"lists no images",
}


@pytest.mark.parametrize("text", JSONL_ERRORS, ids=range(len(JSONL_ERRORS)))
def test_errors_in_jsonl_tables_name_the_line(text, table):
    with pytest.raises(UsageError, match=JSONL_ERRORS[text]) as caught:
        open_source(table(text, "toy.jsonl"))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("text", "name"),
    [("path,label\n,cat\na.png,cat\n", "toy.csv"), ('{"path": null, "label": 1}\n' + GOOD, "toy.jsonl")],
)
def test_a_refused_line_leaves_the_table_closed(text, name, table):
    file = table(text, name)
    with pytest.raises(UsageError, match="the path is empty") as caught:
        open_source(file)
    still_open = [link for link in map(linked, os.listdir("/proc/self/fd")) if link == os.path.realpath(file)]
    assert not still_open, caught.traceback


def linked(descriptor):
    try:
        return os.readlink(f"/proc/self/fd/{descriptor}")
    except FileNotFoundError:  # that of the listing itself
        return ""


@pytest.mark.parametrize("name", ["toy.csv", "toy.jsonl"])
def test_other_encodings_are_refused(name, table):
    with pytest.raises(UsageError, match=r"is not UTF-8 text .*save it as UTF-8"):
        open_source(table("path,label\ngröße.png,a\n", name, "latin-1"))


def test_a_table_that_cannot_be_read_is_refused(table, monkeypatch):
    def locked(*_, **__):
        raise PermissionError(13, "Permission denied")

    file = table("path,label\na.png,a\n")
    monkeypatch.setattr("pipeline.images.sources._table_text.open", locked, raising=False)
    with pytest.raises(UsageError, match=r"cannot read .*: Permission denied"):
        open_source(file)


def test_the_first_trouble_is_told_and_unknown_splits_last(table):
    twice = "path,label,split\na.png,x,nope\n./a.png,x,\nb.png,x,\nb.png,x,\n,x,\n"
    with pytest.raises(UsageError, match=r"line 3: 'a\.png' stands in line 2 already; keep one of them"):
        open_source(table(twice))
    with pytest.raises(UsageError, match=r"line 4: the path is empty"):
        open_source(table("path,label,split\na.png,x,nope\nb.png,x,\n,x,\n"))
    with pytest.raises(UsageError, match=r"line 2: unknown split 'nope'"):
        open_source(table("path,label,split\na.png,x,nope\nb.png,x,other\n"))


def test_a_disk_that_fails_within_a_table_comes_after_what_stands_further_up(table, monkeypatch):
    def lines_of(*arguments):
        yield from csv_lines(*arguments)
        raise OSError(5, "Input/output error")

    csv_lines = table_module._csv
    monkeypatch.setattr(table_module, "_csv", lines_of)
    with pytest.raises(UsageError, match=r"line 3: 'a\.png' stands in line 2 already"):
        open_source(table("path,label\na.png,x\na.png,x\n"))
    with pytest.raises(UsageError, match=r"cannot read .*: Input/output error; check its permissions"):
        open_source(table("path,label\na.png,x\nb.png,x\n"))
