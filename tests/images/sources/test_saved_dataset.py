"""Folders of ``save_to_disk``, read with pyarrow alone."""

from __future__ import annotations

import json
import subprocess
import sys

import hub_sets
import pyarrow as pa
import pytest

from pipeline.errors import UsageError
from pipeline.images.given import open_or_gather
from pipeline.images.source_options import SourceOptions
from pipeline.images.sources import open_source


def names(source):
    return [source.classes[item.label] for item in source.items()]


def test_splits_classes_and_images_are_those_that_were_saved(tmp_path):
    source = open_source(str(hub_sets.saved(tmp_path / "pets", hub_sets.pets(train=5, validation=2, test=3))))
    assert source.name == "pets"
    assert [item.split for item in source.items()] == ["train"] * 5 + ["val"] * 2 + ["test"] * 3
    assert [item.id for item in source.items()][4:6] == ["train[4]", "validation[0]"]
    assert names(source) == [hub_sets.CLASSES[i % 2] for n in (5, 2, 3) for i in range(n)]
    assert source.read(source.items()[4]) == hub_sets.encoded(4)
    assert source.read(source.items()[9]) == hub_sets.encoded(2002)
    assert source.notes == ()


def test_a_data_set_without_splits_in_several_files(tmp_path):
    source = open_source(str(hub_sets.saved(tmp_path / "pets", hub_sets.rows(10), num_shards=3)))
    assert {item.split for item in source.items()} == {None}
    assert [source.read(item) for item in source.items()] == [hub_sets.encoded(i) for i in range(10)]


def test_rows_that_were_chosen_before_saving_are_the_ones_that_are_read(tmp_path):
    source = open_source(str(hub_sets.saved(tmp_path / "pets", hub_sets.rows(10).select([7, 2, 5]))))
    assert [source.read(item) for item in source.items()] == [hub_sets.encoded(i) for i in (7, 2, 5)]


def test_splits_of_other_names_are_left_out_and_said(tmp_path):
    folder = hub_sets.saved(tmp_path / "pets", hub_sets.pets(train=2, test=2, extra=2))
    source = open_source(str(folder))
    assert len(source.items()) == 4
    (left,) = source.left_out
    assert (left.count, left.examples) == (1, ("extra",))
    assert len(open_source(str(folder), SourceOptions(split_column="none")).items()) == 6


def test_a_lone_split_is_none(tmp_path):
    source = open_source(str(hub_sets.saved(tmp_path / "pets", hub_sets.pets(train=4))))
    assert {item.split for item in source.items()} == {None}
    assert "all rows are called train, which tells no splits apart" in source.notes


def test_options_and_predict(tmp_path):
    folder = hub_sets.saved(tmp_path / "pets", hub_sets.pets(train=4, test=2))
    assert open_source(str(folder), SourceOptions(label_column="none")).classes == ()
    assert len(open_or_gather([str(folder)]).items()) == 6


def test_the_library_is_not_needed(tmp_path):
    folder = hub_sets.saved(tmp_path / "pets", hub_sets.pets(train=4, test=2))
    code = (
        "import sys; sys.modules['datasets'] = None\n"
        "from pipeline.images import open_images\n"
        f"source = open_images({str(folder)!r})\n"
        "print(len(source.read(source.items()[0])))"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert found.stdout.strip() == str(len(hub_sets.encoded(0))), found.stderr


def test_files_of_arrow_with_a_table_of_contents_are_read_too(tmp_path):
    folder = hub_sets.saved(tmp_path / "pets", hub_sets.rows(4))
    (part,) = folder.glob("*.arrow")
    with pa.memory_map(str(part)) as file:
        table = pa.ipc.open_stream(file).read_all()
        with pa.OSFile(str(tmp_path / "whole"), "wb") as out, pa.ipc.new_file(out, table.schema) as writer:
            writer.write_table(table)
    part.unlink()
    (tmp_path / "whole").rename(part)
    source = open_source(str(folder))
    assert source.read(source.items()[3]) == hub_sets.encoded(3)


def spoil_state(folder, **changes):
    state = json.loads((folder / "state.json").read_text())
    (folder / "state.json").write_text(json.dumps(state | changes))


@pytest.mark.parametrize(
    ("changes", "trouble"),
    [
        ({"_data_files": [{"filename": "../../x.arrow"}]}, "state.json does not name the files"),
        ({"_data_files": [{"filename": "gone.arrow"}]}, r"gone\.arrow is no Arrow file, or damaged"),
        ({"_data_files": []}, "state.json does not name the files"),
        ({"_data_files": 3}, "state.json does not name the files"),
        ({"_indices_data_files": [{"filename": "i.arrow"}]}, r"flatten_indices\(\)"),
    ],
)
def test_a_damaged_folder_is_refused(changes, trouble, tmp_path):
    folder = hub_sets.saved(tmp_path / "pets", hub_sets.rows(4))
    spoil_state(folder, **changes)
    with pytest.raises(UsageError, match=trouble):
        open_source(str(folder))


@pytest.mark.parametrize("content", [b"", b"nothing of the kind", b"ARROW1\0\0 and no more"])
def test_a_damaged_file_is_refused(content, tmp_path):
    folder = hub_sets.saved(tmp_path / "pets", hub_sets.rows(4))
    (part,) = folder.glob("*.arrow")
    part.write_bytes(content)
    with pytest.raises(UsageError, match=r"is no Arrow file, or damaged .*again"):
        open_source(str(folder))


def test_a_file_that_was_cut_off_is_refused(tmp_path):
    folder = hub_sets.saved(tmp_path / "pets", hub_sets.rows(400))
    (part,) = folder.glob("*.arrow")
    part.write_bytes(part.read_bytes()[:-20_000])
    with pytest.raises(UsageError, match="damaged"):
        open_source(str(folder))
