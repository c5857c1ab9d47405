"""What a user points at: files as they are named, folders as the folder source walks them."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from photos import Photos

from pipeline.errors import UsageError
from pipeline.images.given import gather_images, open_or_gather


def ids(*places: object) -> list[str]:
    return [item.id for item in gather_images([str(place) for place in places]).items()]


def test_the_order_is_that_of_the_places(photos: Photos) -> None:
    (last,) = photos.add("z")
    (first,) = photos.add("a/deep")
    photos.add("b")
    expected = [str(path) for path in (last, first, photos.root / "b/0002.png", last)]
    assert ids(last, photos.root / "a", f"{photos.root}/b/", last) == expected


def test_hidden_files_loops_and_pipes_in_a_folder_are_passed_over(photos: Photos, tmp_path: Path) -> None:
    (path,) = photos.add("a")
    photos.add(".hidden")
    photos.write("a/.hidden.png")
    (photos.root / "a/loop").symlink_to(photos.root)
    (photos.root / "a/out.png").symlink_to(tmp_path / "elsewhere.png")
    (photos.root / "a/notes.txt").write_text("no image")
    os.mkfifo(photos.root / "a/pipe.png")
    source = gather_images([photos.root])
    assert [item.path for item in source.items()] == [path]
    assert any("notes.txt" in one.line for one in source.left_out)
    assert any("loop" in one.line for one in source.left_out)


def test_a_file_that_is_named_needs_no_suffix(photos: Photos) -> None:
    (path,) = photos.add("a")
    bare = path.rename(path.with_name("upload"))
    assert ids(bare) == [str(bare)]


def test_a_name_that_is_no_text_is_made_text(photos: Photos) -> None:
    (path,) = photos.add("a")
    path.rename(os.fsdecode(os.fsencode(photos.root) + b"/a/\xff.png"))
    (item,) = gather_images([photos.root / "a"]).items()
    assert item.id == f"{photos.root}/a/\\xff.png"
    assert item.path.is_file()


@pytest.mark.parametrize(
    ("place", "message"),
    [
        ("nowhere.png", "'nowhere.png' does not exist: give image files"),
        ("", "an empty path names nothing: give a file"),
        ("empty", "no image in 'empty': give image files, or folders with images"),
    ],
)
def test_what_is_no_image_at_all_is_refused(
    place: str, message: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match=message):
        gather_images([place])


def test_a_link_to_nothing_is_listed_and_fails_alone(photos: Photos) -> None:
    link = photos.root / "link.png"
    photos.root.mkdir()
    link.symlink_to("nothing")
    source = gather_images([link])
    (item,) = source.items()
    with pytest.raises(FileNotFoundError):
        source.read(item)


def test_a_table_of_new_images_needs_no_labels(photos: Photos, tmp_path: Path) -> None:
    paths = photos.add("a", 2)
    for name, header in (("plain.csv", "path"), ("labelled.tsv", "path\tlabel")):
        table = tmp_path / name
        table.write_text(
            "\n".join([header, *(f"{path}\tcat" if "label" in name else str(path) for path in paths)])
        )
        source = open_or_gather([str(table)])
        assert [item.path for item in source.items()] == paths
        assert source.classes == ()


def test_arrays_are_a_source_of_their_own(tmp_path: Path) -> None:
    np.savez(tmp_path / "new.npz", x=np.zeros((3, 8, 8, 3), np.uint8))
    assert len(open_or_gather([str(tmp_path / "new.npz")]).items()) == 3


def test_a_source_stands_alone(photos: Photos, tmp_path: Path) -> None:
    (path,) = photos.add("a")
    (tmp_path / "table.csv").write_text(f"path\n{path}\n")
    with pytest.raises(UsageError, match=r"table\.csv' holds images of its own: give it alone"):
        open_or_gather([str(path), str(tmp_path / "table.csv")])
    assert [item.path for item in open_or_gather([str(path), str(photos.root)]).items()] == [path, path]
