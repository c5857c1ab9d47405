"""Parquet tables: files that pyarrow and Hugging Face's datasets write, read as they mean them."""

from __future__ import annotations

import json
import pickle
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from pipeline.errors import UsageError
from pipeline.images import UNLABELLED
from pipeline.images.given import open_or_gather
from pipeline.images.manifest import scan
from pipeline.images.source_options import SourceOptions
from pipeline.images.sources import _parquet_file, open_source

STRUCT = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
CLASSES = {"image": {"_type": "Image"}, "label": {"_type": "ClassLabel", "names": ["dog", "NA"]}}


@pytest.fixture
def picture(encode):
    """Encodes a small picture for each number."""

    def make(number):
        return encode(np.random.default_rng(number).integers(0, 256, (6, 5, 3), np.uint8))

    return make


def metadata(features):
    return {"huggingface": json.dumps({"info": {"features": features}})}


def write(file, columns, features=None, **options):
    table = pa.table(columns)
    file.parent.mkdir(parents=True, exist_ok=True)
    parquet.write_table(
        table.replace_schema_metadata(metadata(features) if features else None), file, **options
    )
    return str(file)


def structs(images, paths=None):
    return pa.array(
        [
            {"bytes": one, "path": path}
            for one, path in zip(images, paths or [None] * len(images), strict=True)
        ],
        STRUCT,
    )


def labels(source):
    return [None if item.label == UNLABELLED else source.classes[item.label] for item in source.items()]


@pytest.mark.parametrize("kind", [pa.binary(), pa.large_binary(), STRUCT], ids=str)
@pytest.mark.parametrize("rows_of_a_group", [3, 100])
@pytest.mark.parametrize("statistics", [True, False])
def test_images_come_back_from_their_rows(kind, rows_of_a_group, statistics, tmp_path, picture):
    images = [picture(i) for i in range(10)]
    column = structs(images) if kind == STRUCT else pa.array(images, kind)
    uri = write(
        tmp_path / "toy.parquet",
        {"label": ["a", "b"] * 5, "image": column},
        row_group_size=rows_of_a_group,
        write_statistics=statistics,
    )
    source = open_source(uri)
    assert [source.read(item) for item in source.items()] == images
    assert labels(source) == ["a", "b"] * 5
    assert [item.id for item in source.items()] == [f"toy.parquet[{i}]" for i in range(10)]
    assert (source.notes, source.name) == ((), "toy")


def test_rows_are_read_in_any_order_by_any_thread_in_little_memory(tmp_path, picture, monkeypatch):
    monkeypatch.setattr(_parquet_file, "_KEPT_BYTES", 100)
    images = [picture(i) for i in range(200)]
    uri = write(tmp_path / "toy.parquet", {"image": images, "label": [1] * 200}, row_group_size=90)
    source = open_source(uri)
    order = np.random.default_rng(0).permutation(200)
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda i: source.read(source.items()[i]), order))
    assert found == [images[i] for i in order]
    reader = source._open.of(source.files[0], source.images["toy.parquet"])
    assert len(reader._kept) == 1
    again = pickle.loads(pickle.dumps(source.files[0])).open(source.images["toy.parquet"])  # noqa: S301
    assert again.at(150) == images[150]


def test_listing_reads_no_images_where_statistics_tell(tmp_path, picture, monkeypatch):
    uri = write(tmp_path / "toy.parquet", {"image": structs([picture(0)] * 4), "label": list("abab")})
    wanted = []
    read = parquet.ParquetFile.iter_batches

    def note(self, *arguments, columns, **options):
        wanted.append(columns)
        return read(self, *arguments, columns=columns, **options)

    monkeypatch.setattr(parquet.ParquetFile, "iter_batches", note)
    open_source(uri)
    assert wanted == [["label"]]


def test_paths_are_relative_to_the_table(tmp_path, make_images):
    make_images(tmp_path / "data", "cat/0.png", "dog/0.png")
    uri = write(tmp_path / "data/list.parquet", {"path": ["cat/0.png", "dog/0.png"], "label": ["cat", "dog"]})
    source = open_source(uri)
    assert [item.id for item in source.items()] == ["cat/0.png", "dog/0.png"]
    assert source.read(source.items()[1]) == (tmp_path / "data/dog/0.png").read_bytes()
    (tmp_path / "data/dog/0.png").unlink()
    with pytest.raises(FileNotFoundError, match="no such file"):
        source.read(source.items()[1])


def test_a_struct_may_name_files(tmp_path, make_images, picture):
    make_images(tmp_path, "b.png")
    column = structs([picture(1), None, None], ["a.png", "b.png", None])
    source = open_source(write(tmp_path / "toy.parquet", {"image": column, "label": list("aba")}))
    first, second, third = source.items()
    assert source.read(first) == picture(1)
    assert (second.id, source.read(second)) == ("b.png", (tmp_path / "b.png").read_bytes())
    with pytest.raises(OSError, match="no image"):
        source.read(third)


def test_null_images_are_told_as_unreadable(tmp_path, picture):
    source = open_source(write(tmp_path / "toy.parquet", {"image": [picture(0), None], "label": ["a", "b"]}))
    (bad,) = scan(source).unreadable
    assert (bad.id, bad.reason) == ("toy.parquet[1]", "the row holds no image (null)")


def test_classes_have_the_names_of_the_metadata(tmp_path, picture):
    columns = {"image": structs([picture(i) for i in range(5)]), "label": [0, 1, -1, None, 0]}
    source = open_source(write(tmp_path / "toy.parquet", columns, CLASSES))
    assert labels(source) == ["dog", "NA", None, None, "dog"]
    assert source.classes == ("dog", "NA") or source.classes == ("NA", "dog")
    assert "2 rows have no label" in source.notes


@pytest.mark.parametrize(
    ("column", "expected"),
    [
        (pa.array([3, 10, None, 3]), ["3", "10", None, "3"]),
        (pa.array([3.0, 10.0, float("nan"), 3.0]), ["3", "10", None, "3"]),
        (pa.array([True, False, None, True]), ["true", "false", None, "true"]),
        (pa.array(["x", "NaN", "y", "x"]).dictionary_encode(), ["x", None, "y", "x"]),
    ],
)
def test_labels_of_other_types(column, expected, tmp_path, picture):
    source = open_source(
        write(tmp_path / "toy.parquet", {"image": [picture(i) for i in range(4)], "label": column})
    )
    assert labels(source) == expected
    assert any("1 row has no label" in note for note in source.notes)


def test_columns_of_other_names_are_taken_by_their_types_with_a_note(tmp_path, picture):
    features = {"scan": {"_type": "Image"}, "finding": CLASSES["label"]}
    columns = {"scan": structs([picture(0)]), "finding": [1], "file": ["x"], "thumbnail": [b"y"]}
    source = open_source(write(tmp_path / "toy.parquet", columns, features))
    assert labels(source) == ["NA"]
    assert source.read(source.items()[0]) == picture(0)
    assert source.notes[:3] == (
        "column 'scan' is read as the image",
        "column 'finding' is read as the label",
        "ignored columns: file, thumbnail",
    )


def test_split_and_group_columns_are_those_of_tables(tmp_path, picture):
    columns = {"image": [picture(i) for i in range(4)], "label": list("abab")}
    columns |= {"split": ["train", "dev", "test", None], "patient": [7, 7, 8, None]}
    uri = write(tmp_path / "toy.parquet", columns)
    items = open_source(uri, SourceOptions(group_column="patient")).items()
    assert [item.split for item in items] == ["train", "val", "test", None]
    assert [item.group for item in items] == ["7", "7", "8", None]
    assert {item.split for item in open_source(uri, SourceOptions(split_column="none")).items()} == {None}


@pytest.mark.parametrize(
    ("columns", "features", "options", "trouble"),
    [
        ({"label": ["a"]}, None, {}, r"row 0: no path: .*found label"),
        ({"image": [b"x"]}, None, {}, r"row 0: no label: .*--label-column none"),
        (
            {"image": [b"x"], "mask": [b"y"], "label": [1]},
            None,
            {},
            r"2 columns hold images, image, mask: .*--path-column image",
        ),
        ({"image": [[1, 2]], "label": [1]}, None, {}, r"'image' is list.*expected encoded images"),
        ({"image": [b"x"], "label": [[1, 2]]}, None, {}, r"the label 'label' is list.*one an image"),
        (
            {"image": [b"x"], "label": [0.5]},
            None,
            {},
            r"row 0: label: expected text or a whole number, not 0\.5",
        ),
        ({"image": [b"x"], "label": [2]}, CLASSES, {}, r"row 0: label: 2 is no position in the 2 names"),
        (
            {"image": [b"x"], "label": [2]},
            CLASSES,
            {"label_column": "kind"},
            "no column for --label-column kind",
        ),
        (
            {"image": [b"x"], "fine": [0], "coarse": [0]},
            {"fine": CLASSES["label"], "coarse": CLASSES["label"]},
            {},
            "2 columns hold classes, fine, coarse: say which with --label-column fine",
        ),
        (
            {"image": [b"x"], "label": [0]},
            {"label": {"_type": "ClassLabel", "names": ["a", "a"]}},
            {},
            "different texts",
        ),
        (
            {"image": [b"x"], "label": [0]},
            {"label": {"_type": "ClassLabel"}},
            {},
            "metadata says under 'huggingface'",
        ),
        (
            {"image": [b"x", b"y"], "label": [0, 1], "fold": ["train", "test"]},
            None,
            {},
            "'fold' tells splits apart",
        ),
        ({"path": pa.array([None], pa.string()), "label": ["a"]}, None, {}, "row 0: the path is empty"),
        ({"image": pa.array([], pa.binary()), "label": pa.array([], pa.string())}, None, {}, "has no rows"),
    ],
)
def test_what_is_missing_or_ambiguous_is_refused(columns, features, options, trouble, tmp_path):
    uri = write(tmp_path / "toy.parquet", columns, features)
    with pytest.raises(UsageError, match=trouble) as caught:
        open_source(uri, SourceOptions(**options))
    assert str(tmp_path / "toy.parquet") in str(caught.value)


def test_options_settle_what_is_ambiguous(tmp_path, picture):
    columns = {"image": [b"x"], "mask": [picture(3)], "label": ["a"], "kind": ["b"]}
    uri = write(tmp_path / "toy.parquet", columns)
    source = open_source(uri, SourceOptions(path_column="mask", label_column="kind"))
    assert (source.read(source.items()[0]), source.classes) == (picture(3), ("b",))
    source = open_source(uri, SourceOptions(path_column="mask", label_column="none"))
    assert (labels(source), source.classes) == ([None], ())


SHARDS = (
    "data/train-00000-of-00002.parquet",
    "data/train-00001-of-00002.parquet",
    "data/test-00000-of-00001.parquet",
)


@pytest.fixture
def shards(tmp_path, picture):
    """A repository as the hub has them."""
    for number, name in enumerate(SHARDS):
        images = structs([picture(10 * number + i) for i in range(3)])
        write(tmp_path / "pets" / name, {"image": images, "label": [0, 1, 1]}, CLASSES)
    (tmp_path / "pets/README.md").write_text("# Pets")
    (tmp_path / "pets/.gitattributes").write_text("")
    return tmp_path / "pets"


@pytest.mark.parametrize("address", ["", "/data", "/data/*.parquet", "/data/{train,test}-*.parquet"])
def test_shards_state_their_splits(address, shards, picture):
    source = open_source(f"{shards}{address}")
    assert [item.split for item in source.items()] == ["test"] * 3 + ["train"] * 6
    assert source.items()[8].id == "train-00001-of-00002.parquet[2]"
    assert source.read(source.items()[8]) == picture(12)
    assert open_source(source.uri).items()[3] == source.items()[3]
    assert {one.what: one.count for one in source.left_out} == (
        {"files that are no Parquet": 2} if not address else {}
    )


def test_a_split_that_stands_alone_is_none(shards):
    for address in ("data/train-*.parquet", SHARDS[0]):
        assert {item.split for item in open_source(f"{shards}/{address}").items()} == {None}
    assert "all rows are called train" in " ".join(open_source(f"{shards}/data/train-*.parquet").notes)


def test_split_folders_state_splits_too_and_an_option_passes_them_over(shards):
    for number, name in enumerate(SHARDS):
        split = "train" if "train" in name else "test"
        (shards / split).mkdir(exist_ok=True)
        (shards / name).rename(shards / split / f"{number:04}.parquet")
    assert {item.split for item in open_source(str(shards)).items()} == {"train", "test"}
    options = SourceOptions(split_column="none")
    assert {item.split for item in open_source(str(shards), options).items()} == {None}


def test_several_tables_and_half_stated_splits_are_refused(shards, picture):
    write(shards / "data/more.parquet", {"image": [picture(0)], "label": [0]})
    with pytest.raises(UsageError, match=r"more\.parquet none.*--split-column none"):
        open_source(str(shards))
    write(shards / "other/train-0.parquet", {"image": [picture(0)], "label": [0]})
    with pytest.raises(UsageError, match="several tables, in data, other: give one"):
        open_source(str(shards))


def test_a_folder_with_images_stays_a_folder_of_images(tmp_path, make_images):
    root = make_images(tmp_path / "photos", "cat/0.png", "dog/0.png")
    write(root / "metadata.parquet", {"path": ["cat/0.png"], "label": ["cat"]})
    source = open_source(str(root))
    assert source.classes == ("cat", "dog")
    assert source.left_out[0].examples == ("metadata.parquet",)


@pytest.mark.parametrize(
    ("content", "trouble"),
    [
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n", "git lfs pull"),
        (b"PAR1 and no more PAR1", "no Parquet file, or damaged"),
        (b"", "no Parquet file, or damaged"),
    ],
)
def test_what_is_no_parquet_is_refused(content, trouble, tmp_path):
    (tmp_path / "toy.parquet").write_bytes(content)
    with pytest.raises(UsageError, match=trouble):
        open_source(str(tmp_path / "toy.parquet"))


def test_a_file_that_breaks_off_later_is_an_unreadable_image(tmp_path, picture):
    file = tmp_path / "toy.parquet"
    source = open_source(write(file, {"image": [picture(i) for i in range(9)], "label": [1] * 9}))
    file.write_bytes(file.read_bytes()[:200])
    with pytest.raises(OSError, match="Parquet"):
        source.read(source.items()[3])


def test_predict_takes_it_without_labels(shards):
    assert len(open_or_gather([str(shards)]).items()) == 9


def test_without_pyarrow_the_extra_is_named(tmp_path, picture, monkeypatch):
    uri = write(tmp_path / "toy.parquet", {"image": [picture(0)], "label": ["a"]})
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    monkeypatch.setitem(sys.modules, "pyarrow.compute", None)
    with pytest.raises(UsageError, match=r"pip install 'two-stage-pipeline\[parquet\]'"):
        open_source(uri)
