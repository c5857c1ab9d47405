"""Tables as people have them: of each family of oddities, what is right."""

from __future__ import annotations

import json
import os
import re

import pytest

from pipeline.errors import UnreadableImagesError, UsageError
from pipeline.images import UNLABELLED
from pipeline.images.manifest import scan
from pipeline.images.source_options import SourceOptions
from pipeline.images.sources import open_source
from pipeline.images.sources._table_text import find_columns

ROWS = [(f"{kind}/{i}.png", kind) for kind in ("cat", "dog") for i in range(4)]


@pytest.fixture
def folder(tmp_path, make_images):
    return make_images(tmp_path, *(path for path, _ in ROWS))


def write(folder, text, name="toy.csv", encoding="utf-8"):
    (folder / name).write_bytes(text.encode(encoding) if isinstance(text, str) else text)
    return str(folder / name)


def csv_text(header="path,label", rows=ROWS, between=","):
    return "\n".join([header, *(between.join(row) for row in rows)]) + "\n"


def jsonl(*records):
    return "\n".join(record if isinstance(record, str) else json.dumps(record) for record in records) + "\n"


def assert_whole(source):
    """The eight images are read, each with its class."""
    assert source.classes == ("cat", "dog")
    assert [item.id for item in source.items()] == [path for path, _ in ROWS]
    assert [source.classes[item.label] for item in source.items()] == [label for _, label in ROWS]
    assert all(source.read(item) for item in source.items())


TWICE = {
    "path,label,Label": "two columns could be the label, 'label' and 'Label': say which with --label-column",
    "path,label,label": "two columns could be the label, 'label' and 'label': rename or remove one",
    "path,label, LABEL ": "two columns could be the label",
    "path,label,\ufefflabel": "two columns could be the label",
    "path,label,class": "two columns could be the label, 'label' and 'class': say which",
    "path,filename,label": "two columns could be the path, 'path' and 'filename': .*--path-column path",
    "image,Image Path,label": "two columns could be the path",
    "filename,file_name,image_path,label": "3 columns could be the path",
    "path,label,split,Split": "two columns could be the split",
    "path,label,group,group": "two columns could be the group",
}


@pytest.mark.parametrize("header", TWICE)
def test_two_columns_that_mean_one_are_refused(header, folder):
    values = ",".join(["cat/0.png"] * header.count(",")) + ",x\n"
    with pytest.raises(UsageError, match=f"line 1: {TWICE[header]}"):
        open_source(write(folder, f"{header}\n{values}"))


@pytest.mark.parametrize(
    "line",
    [
        '{"path": "a.png", "label": "cat", "label": "x"}',
        '{"path": "a.png", "label": "cat", "LABEL": "x"}',
        '{"path": "a.png", "path": "b.png", "label": "cat"}',
        '{"path": "a.png", "file_name": "b.png", "label": "cat"}',
    ],
)
@pytest.mark.parametrize("before", [0, 1])
def test_two_keys_that_mean_one_are_refused(before, line, folder):
    text = jsonl(*[{"path": "c.png", "label": "cat"}] * before, line)
    with pytest.raises(UsageError, match=rf"line {before + 1}: two columns could be the (label|path)"):
        open_source(write(folder, text, "toy.jsonl"))


def test_a_named_column_settles_which_is_meant(folder):
    rows = [(path, kind, "1") for path, kind in ROWS]
    file = write(folder, csv_text("path,label,Label", rows))
    assert_whole(open_source(file, SourceOptions(label_column="label")))
    assert open_source(file, SourceOptions(label_column="Label")).classes == ("1",)


def test_keys_that_change_their_meaning_are_refused(folder):
    text = jsonl({"path": "cat/0.png", "label": "cat"}, {"path": "cat/1.png", "class": "cat"})
    with pytest.raises(UsageError, match=r"line 2: the label is 'class' here and 'label' further up"):
        open_source(write(folder, text, "toy.jsonl"))


@pytest.mark.parametrize("name", ["toy.csv", "toy.tsv", "toy.TSV"])
@pytest.mark.parametrize("between", [",", ";", "\t", "|"])
@pytest.mark.parametrize("quoted", [False, True])
def test_columns_may_be_separated_by_any_of_these(quoted, between, name, folder):
    rows = [[f'"{value}"' for value in row] for row in ROWS] if quoted else ROWS
    source = open_source(write(folder, csv_text(f"path{between}label", rows, between), name))
    assert_whole(source)
    usual = "," if name.endswith("csv") else "\t"
    assert bool(source.notes) == (between != usual)
    assert all("columns are separated by" in note for note in source.notes)


@pytest.mark.parametrize("first", ["sep=;\n", "SEP=;\r\n", "\n\nsep=;\n"])
def test_a_first_line_may_state_the_separator(first, folder):
    assert_whole(open_source(write(folder, first + csv_text("path;label", between=";"))))


def test_decimal_commas_are_no_separators(folder):
    rows = [(path, kind, "0,5") for path, kind in ROWS]
    assert_whole(open_source(write(folder, csv_text("path;label;weight", rows, ";"))))
    with pytest.raises(UsageError, match=r"line 2: 4 fields under 3 columns: .*double quotes"):
        open_source(write(folder, csv_text("path,label,weight", rows)))


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"])
@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_marked_encodings_are_read(kind, encoding, folder):
    records = [{"path": path, "label": label} for path, label in ROWS]
    text = csv_text() if kind == "csv" else jsonl(*records)
    mark = "\ufeff" if encoding.endswith("e") else ""
    assert_whole(open_source(write(folder, mark + text, f"toy.{kind}", encoding)))


FOREIGN = {
    "UTF-16 without a byte order mark": csv_text().encode("utf-16-le"),
    r"line 3: byte 0xf6\): save it as UTF-8; in Excel": "path,label\na.png,a\nb.png,größe\n".encode("cp1252"),
    "a spreadsheet or another zip file": b"PK\x03\x04" + bytes(60),
    "an old Excel file": b"\xd0\xcf\x11\xe0" + bytes(60),
    "compressed with gzip": b"\x1f\x8b" + bytes(60),
    "a web page or XML": b"\n<!DOCTYPE html><html>",
    "Git LFS pointer.*git lfs pull": b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n",
    "damaged utf-16-le text": csv_text().encode("utf-16")[:-1],
}


@pytest.mark.parametrize("cause", FOREIGN)
def test_what_is_no_text_is_refused_with_its_cause(cause, folder):
    with pytest.raises(UsageError, match=cause) as caught:
        open_source(write(folder, FOREIGN[cause]))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "header",
    [
        *("filename,class", "file_name,category", "image,target", "Image Path,Class Name", "img,label"),
        *("img_path,label", "filepath,target", "FILE,LABEL", "image-name,class"),
    ],
)
def test_well_known_names_are_read_with_a_note(header, folder):
    source = open_source(write(folder, csv_text(header)))
    assert_whole(source)
    path, label = header.split(",")
    assert f"column {path!r} is read as the path" in source.notes
    assert label == "label" or label == "LABEL" or f"column {label!r} is read as the label" in source.notes


def test_the_plain_names_need_no_note(folder):
    assert open_source(write(folder, csv_text(" Path ,LABEL"))).notes == ()


@pytest.mark.parametrize(
    ("header", "ways"),
    [
        ("id,diagnosis", "--path-column COLUMN --label-column COLUMN"),
        ("id_code,label", "--path-column COLUMN$"),
        (
            "image,breed",
            "--label-column COLUMN; .*--target-column COLUMN .*; for .*, --label-column none$",
        ),
        ("cat/0.png,cat", "--path-column COLUMN --label-column COLUMN"),
    ],
)
def test_other_names_are_refused_with_the_options(header, ways, folder):
    found = header.replace(",", ", ")
    with pytest.raises(UsageError, match=rf"line 1: no .*found {found}\. .*give {ways}"):
        open_source(write(folder, csv_text(header)))


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_named_columns_are_read(kind, folder):
    records = [{"id": path, "diagnosis": label} for path, label in ROWS]
    file = write(folder, csv_text("id,Diagnosis") if kind == "csv" else jsonl(*records), f"toy.{kind}")
    assert_whole(open_source(file, SourceOptions(path_column="id", label_column="diagnosis")))


@pytest.mark.parametrize(
    ("options", "trouble"),
    [
        ({"label_column": "kind"}, "no column for --label-column kind: found path, label, a, A"),
        ({"label_column": "path"}, "column 'path' cannot be both path and label"),
        ({"label_column": "á"}, "no column for --label-column"),
        ({"path_column": "none"}, "no column for --path-column none"),
        ({"group_column": "x"}, "no column for --group-column x"),
    ],
)
def test_named_columns_that_do_not_fit_are_refused(options, trouble, folder):
    with pytest.raises(UsageError, match=f"line 1: {trouble}"):
        open_source(write(folder, "path,label,a,A\ncat/0.png,cat,,\n"), SourceOptions(**options))


def test_an_exact_name_comes_first():
    names = ("path", "label", "a", "A")
    assert find_columns(names, SourceOptions(group_column="A")).position["group"] == 3


@pytest.mark.parametrize("split", ["Train", "training", "TRAINING_SET"])
@pytest.mark.parametrize("val", ["validation", "valid", "Dev", "development", "val"])
def test_words_for_splits(split, val, folder):
    text = f"path,label,split\ncat/0.png,cat,{split}\ncat/1.png,cat,{val}\ncat/2.png,cat,Test\n"
    assert [item.split for item in open_source(write(folder, text)).items()] == ["train", "val", "test"]


@pytest.mark.parametrize("word", ["0", "1", "eval", "NaN", "true", "fold1"])
def test_other_words_for_splits_are_refused_with_the_choices(word, folder):
    text = f"path,label,split\ncat/0.png,cat,train\ncat/1.png,cat,{word}\n"
    with pytest.raises(UsageError, match=rf"line 3: unknown split '{word}': choose from train, .*valid.*dev"):
        open_source(write(folder, text))


@pytest.mark.parametrize(
    ("column", "words", "way"),
    [
        ("subset", ("train", "Test"), "give --split-column subset"),
        ("Data Split", ("training", "valid"), "give --split-column Data Split"),
        ("is_test", ("0", "1"), "write a column split with train, val, test"),
        ("is_training_image", ("True", "False"), "write a column split"),
    ],
)
def test_splits_under_another_name_are_not_passed_over(column, words, way, folder):
    rows = [(path, kind, words[i % 2]) for i, (path, kind) in enumerate(ROWS)]
    file = write(folder, csv_text(f"path,label,{column}", rows))
    with pytest.raises(
        UsageError, match=rf"column '{column}' tells splits apart .*{way}.*--split-column none"
    ):
        open_source(file)
    assert {item.split for item in open_source(file, SourceOptions(split_column="none")).items()} == {None}


def test_a_named_split_column_is_read(folder):
    rows = [(path, kind, ("train", "test")[i % 2]) for i, (path, kind) in enumerate(ROWS)]
    file = write(folder, csv_text("path,label,subset", rows))
    source = open_source(file, SourceOptions(split_column="subset"))
    assert [item.split for item in source.items()] == ["train", "test"] * 4
    rows = [(path, kind, "test" if i else "kitchen") for i, (path, kind) in enumerate(ROWS)]
    assert open_source(write(folder, csv_text("path,label,place", rows))).notes == ("ignored columns: place",)


def test_short_rows_are_noted_with_their_line(folder):
    text = "path,label,split\ncat/0.png,cat,train\ncat/1.png,cat\ncat/2.png\ndog/0.png,dog,test\n"
    source = open_source(write(folder, text))
    assert [item.label for item in source.items()] == [0, 0, UNLABELLED, 1]
    assert "2 rows have fewer fields than columns, first in line 3: taken as empty" in source.notes
    assert "1 row has no label" in source.notes


def test_a_table_that_is_cut_off_is_noted(folder):
    whole = csv_text()
    assert open_source(write(folder, whole)).notes == ()
    assert open_source(write(folder, whole[:-1])).notes == (), "many programs write no last line feed"
    cut = open_source(write(folder, whole[:-2]))
    assert cut.notes == (
        "the last line has no end, and its label 'do' stands nowhere else: the file may be cut off",
    )
    quoted = csv_text(rows=[(path, f'"{kind}"') for path, kind in ROWS])
    with pytest.raises(UsageError, match=r"line 9: unexpected end of data"):
        open_source(write(folder, quoted[:-4]))
    records = jsonl(*({"path": path, "label": label} for path, label in ROWS))
    with pytest.raises(UsageError, match=r"line 8: not JSON"):
        open_source(write(folder, records[:-4], "toy.jsonl"))


@pytest.mark.parametrize(
    "spelling", ["NaN", "nan", "None", "null", "NULL", "NA", "N/A", "n/a", "-", "?", "<NA>", "#N/A", ""]
)
def test_missing_labels_are_counted_and_named(spelling, folder):
    rows = [(path, kind if i % 3 else spelling) for i, (path, kind) in enumerate(ROWS)]
    source = open_source(write(folder, csv_text(rows=rows)))
    assert source.classes == ("cat", "dog")
    assert [item.label for item in source.items()].count(UNLABELLED) == 3
    said = f": {spelling!r} (3) is taken for none; if it is a class" if spelling else ""
    assert len(source.notes) == 1
    assert source.notes[0].startswith(f"3 rows have no label{said}")


@pytest.mark.parametrize("value", ["null", "NaN", '""', '"nan"'])
def test_missing_labels_in_json_lines(value, folder):
    text = jsonl({"path": "cat/0.png", "label": "cat"}, f'{{"path": "cat/1.png", "label": {value}}}')
    source = open_source(write(folder, text, "toy.jsonl"))
    assert [item.label for item in source.items()] == [0, UNLABELLED]
    assert source.notes[0].startswith("1 row has no label")


def test_minus_beside_plus_is_a_class(folder):
    rows = [(path, "+-"[i % 2]) for i, (path, _) in enumerate(ROWS)]
    source = open_source(write(folder, csv_text(rows=rows)))
    assert sorted(source.classes) == ["+", "-"]
    assert source.notes == ()


def test_a_missing_group_is_no_group(folder):
    rows = [(path, kind, "nan" if i % 2 else "p1") for i, (path, kind) in enumerate(ROWS)]
    source = open_source(write(folder, csv_text("path,label,group", rows)))
    assert [item.group for item in source.items()] == ["p1", None] * 4
    assert source.notes == ("'nan' (4) is taken for no group",)


SPELLINGS = [("Cat", "cat"), ("1", "1.0"), ("1", "01"), ("café", "cafe\u0301"), ("a b", "a  b")]


@pytest.mark.parametrize("names", SPELLINGS)
def test_spellings_of_one_class_are_kept_with_one_note(names, folder):
    rows = [(path, names[i % 2]) for i, (path, _) in enumerate(ROWS)]
    source = open_source(write(folder, csv_text(rows=rows)))
    assert set(source.classes) == set(names)
    assert len(source.notes) == 1
    assert source.notes[0].startswith("classes that differ in their spelling only are kept apart: ")


def test_blanks_around_a_label_are_none_of_it(folder):
    rows = [(path, f"{kind} " if i % 2 else f'" {kind}"') for i, (path, kind) in enumerate(ROWS)]
    assert_whole(open_source(write(folder, csv_text(rows=rows))))


REMARKS = {
    "fractions": ([f"{i}.5" for i in range(8)], "8 of the classes are numbers, with fractions"),
    "ids": ([f"{i}" for i in range(8)], ""),
    "lists": (["cat;indoor", "dog"] * 4, "'cat;indoor': one class each; where these are several labels"),
    "bars": (["cat|indoor", "dog"] * 4, "'cat|indoor': one class each; where these are several labels"),
    "minus one": (["-1", "0", "1", "2"] * 2, "'-1' is a class like the others: leave the label empty"),
    "minus and plus": (["-1", "1"] * 4, ""),
    "none": (["cat", "none"] * 4, "'none' is a class like the others: leave the label empty"),
    "na": (["na", "#n/a"] * 4, "'#n/a', 'na' are classes like the others: leave the label empty"),
}


@pytest.mark.parametrize("case", REMARKS)
def test_labels_that_may_not_be_meant_are_noted(case, folder):
    labels, remark = REMARKS[case]
    rows = [(path, label) for (path, _), label in zip(ROWS, labels, strict=True)]
    notes = open_source(write(folder, csv_text(rows=rows))).notes
    assert len(notes) == bool(remark)
    assert all(note.startswith(remark) for note in notes)


def test_a_label_for_nearly_every_image_is_noted(folder):
    source = open_source(write(folder, csv_text(rows=[(f"{i}.png", f"x{i}") for i in range(30)])))
    assert source.notes == (
        "30 classes in 30 labelled rows: is this a column of ids or measurements? "
        "Each value is a class of its own",
    )


@pytest.mark.parametrize("again", ["cat/0.png", "./cat/0.png", "dog/../cat/0.png", "{folder}/cat/0.png"])
@pytest.mark.parametrize("label", ["cat", "indoor"])
def test_an_image_on_two_lines_is_refused_with_both(label, again, folder):
    text = csv_text(rows=[*ROWS, (again.format(folder=folder), label)])
    with pytest.raises(UsageError, match=r"line 10: .*cat/0\.png' stands in line 2 already; keep one"):
        open_source(write(folder, text))


def test_backslashes_are_read_where_the_file_is_there(folder):
    source = open_source(write(folder, csv_text(rows=[(p.replace("/", "\\"), kind) for p, kind in ROWS])))
    assert_whole(source)
    assert source.notes == ('8 paths are read with "/" for "\\"',)


@pytest.mark.skipif(os.name == "nt", reason="a backslash is a separator there")
def test_a_file_that_has_the_name_as_written_comes_first(folder):
    (folder / "cat\\0.png").write_bytes(b"x")
    (folder / "a%20b.png").write_bytes(b"y")
    source = open_source(write(folder, "path,label\ncat\\0.png,cat\na%20b.png,cat\n"))
    assert [source.read(item) for item in source.items()] == [b"x", b"y"]
    assert source.notes == ()


@pytest.mark.parametrize("path", ["C:\\data\\cat\\0.png", "d:/cat/0.png", "\\\\server\\share\\0.png"])
def test_paths_of_windows_are_named_as_such(path, folder):
    with pytest.raises(UsageError, match=r"line 2: .*is a path on a Windows machine: write paths relative"):
        open_source(write(folder, f"path,label\n{path},cat\n"))


def test_odd_ways_of_writing_a_path_lead_to_the_file(folder, make_images, monkeypatch):
    make_images(folder, "a b/ü.png")
    monkeypatch.setenv("HOME", str(folder))
    written = ["a b/ü.png", f"file://{folder}/cat/0.png", "~/cat/1.png", "./cat//2.png"]
    source = open_source(write(folder, csv_text(rows=[(path, "cat") for path in written])))
    assert all(source.read(item) for item in source.items())
    assert source.notes == ("1 path is read with ~ expanded",)
    source = open_source(write(folder, "path,label\na%20b/%C3%BC.png,cat\n"))
    assert source.items()[0].id == "a b/ü.png"
    (folder / "cat/0.png").rename(folder / " 0.png")
    source = open_source(write(folder, 'path,label\n" 0.png",cat\n'))
    assert source.read(source.items()[0])


@pytest.mark.parametrize("url", ["https://x.org/a.png", "s3://b/a.png", "file://server/a.png"])
def test_files_of_other_machines_are_refused(url, folder):
    with pytest.raises(
        UsageError, match=r"line 2: .*(is a URL: download|is a file of another machine: copy)"
    ):
        open_source(write(folder, f"path,label\n{url},cat\n"))


MISSING = {
    "nowhere.png": "^no such file$",
    "cat/0.PNG": "no such file, but '0.png', which is spelled otherwise",
    "cat/0": r"no such file, but one with \.png at the end of its name",
    "data/cat/0.png": "no such file, but 'cat/0.png': paths are relative to the table's folder",
    "/far/data/cat/0.png": "no such file, but 'cat/0.png': paths are relative to the table's folder",
    "0.png": "no such file, but 'cat/0.png': paths are relative",
    "birds\\0.png": 'no such file, nor one with "/"',
    "cat/0.png/x": "no such file",
    "link.png": "a link to gone.png, where nothing is",
}


@pytest.mark.parametrize("path", MISSING)
def test_a_missing_file_is_explained(path, folder):
    (folder / "link.png").symlink_to("gone.png")
    source = open_source(write(folder, f"path,label\n{path},cat\n"))
    with pytest.raises(FileNotFoundError) as caught:
        source.read(source.items()[0])
    assert re.search(MISSING[path], caught.value.strerror)


def test_a_file_in_the_working_folder_is_said_to_be_there(folder, tmp_path_factory, monkeypatch):
    monkeypatch.chdir(folder)
    elsewhere = tmp_path_factory.mktemp("tables")
    source = open_source(write(elsewhere, csv_text()))
    with pytest.raises(
        FileNotFoundError, match=r"but in the working folder .*paths are relative to the table"
    ):
        source.read(source.items()[0])


def test_the_explanation_reaches_those_who_take_stock(folder, tmp_path):
    file = write(folder, "path,label\ncat/0,cat\ncat/1.png,cat\n")
    unreadable = scan(open_source(file), tmp_path / "digests.sqlite").unreadable
    assert [(bad.id, bad.reason) for bad in unreadable] == [
        ("cat/0", "no such file, but one with .png at the end of its name: write the whole names")
    ]
    with pytest.raises(UnreadableImagesError, match=r"not one of the 1 image .*cat/0: no such file, but"):
        scan(open_source(write(folder, "path,label\ncat/0,cat\n")))


HOSTILE = {
    "a whole number of 5,000 digits": '{"path": "a.png", "label": ' + "9" * 5000 + "}",
    "it holds a whole number of 5,000 digits": '{"path": "a.png", "label": "x", "n": -' + "9" * 5000 + "}",
    "is nested too deeply": '{"path": "a.png", "label": ' + "[" * 100_000,
    "1e999 is out of range": '{"path": "a.png", "label": 1e999}',
    "half of a surrogate pair": r'{"path": "a.png", "label": "\udfff"}',
    "label must be text or a whole number, not inf": '{"path": "a.png", "label": Infinity}',
    "label must be text or a whole number, not 0.5": '{"path": "a.png", "label": 0.5}',
    "label must be text or a whole number, not 1e[+]30": '{"path": "a.png", "label": 1e30}',
    r"each label must be text or a whole number, not \['dog'\]": '{"path": "a", "label": ["cat", ["dog"]]}',
    "a JSON object": "[1, 2]",
    "not JSON": '{"path": "a.png"',
    "no path and no label": "{}",
}


@pytest.mark.parametrize("trouble", HOSTILE)
def test_json_lines_that_no_name_can_be_made_of(trouble, folder):
    with pytest.raises(UsageError, match=f"toy.jsonl, line 1: .*{trouble}") as caught:
        open_source(write(folder, HOSTILE[trouble] + "\n", "toy.jsonl"))
    assert len(str(caught.value)) < 2000
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("label", ["9" * 5000, "0" * 5000, "x" + "1" * 5000])
def test_labels_of_many_digits_are_sorted(label, folder):
    source = open_source(write(folder, f"path,label\ncat/0.png,{label}\ncat/1.png,cat\ncat/2.png,5\n"))
    assert set(source.classes) == {label, "cat", "5"}


@pytest.mark.parametrize(("value", "name"), [("1", "1"), ("2.0", "2"), ("true", "true"), ('"a"', "a")])
def test_plain_values_of_json_are_names(value, name, folder):
    source = open_source(write(folder, f'{{"path": "cat/0.png", "label": {value}}}\n', "toy.ndjson"))
    assert source.classes == (name,)
