"""The shelf: networks with a name of their own, copied whole or not at all."""

from __future__ import annotations

import json
from pathlib import Path

import onnx
import pytest
from onnx_files import BIT, SIDE, TOML, constant, convnet, save

from pipeline.backbones import shelf
from pipeline.backbones.finding import find_base
from pipeline.errors import ForeignFileError, UsageError


@pytest.fixture(autouse=True)
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where the shelf is."""
    monkeypatch.setenv(shelf.PLACE, str(tmp_path / "shelf"))
    return tmp_path / "shelf"


@pytest.fixture
def network(tmp_path: Path) -> Path:
    return save(convnet(), tmp_path / "net.onnx")


def test_a_base_is_used_by_its_name(network: Path, place: Path) -> None:
    stated = find_base(str(network))
    assert shelf.shelved() == {}
    one = shelf.add("mine", network)
    assert (one.name, one.origin, one.path) == ("mine", str(network), place / "mine" / "net.onnx")
    network.unlink()
    base = find_base("mine")
    assert (base.name, base.layer, base.own_size) == ("mine", "map", SIDE)
    assert (base.preprocessing, base.filter) == (stated.preprocessing, stated.filter)
    assert str(base.geometry(SIDE)) == str(stated.geometry(SIDE)) == "shorter-edge-18"
    assert list(shelf.shelved()) == ["mine"]
    with pytest.raises(UsageError, match=r"unknown backbone 'mina' \(did you mean 'mine'"):
        find_base("mina")


def test_external_data_come_along(tmp_path: Path, place: Path) -> None:
    path = tmp_path / "net.onnx"
    onnx.save_model(convnet(), path, save_as_external_data=True, location="net.data", size_threshold=0)
    (tmp_path / "other.json").write_text(json.dumps(BIT))
    with pytest.raises(UsageError, match=r"none of net\.toml"):
        shelf.add("mine", path)
    assert not place.exists()
    shelf.add("mine", path, config=tmp_path / "other.json")
    assert {one.name for one in (place / "mine").iterdir()} == {
        "base.json",
        "net.data",
        "net.onnx",
        "net.toml",
    }
    assert find_base("mine").cuts(SIDE)


def test_another_of_the_same_name_takes_its_place(network: Path, tmp_path: Path) -> None:
    shelf.add("mine", network)
    before = find_base("mine").weights("imagenet", SIDE).identity
    shelf.add("mine", save(convnet(side="any"), tmp_path / "other.onnx", config=TOML))
    assert find_base("mine").weights("imagenet", SIDE).identity != before
    assert [one.path.name for one in shelf.shelved().values()] == ["other.onnx"]


def test_what_is_no_base_is_not_kept(network: Path, tmp_path: Path) -> None:
    shelf.add("mine", network)
    wrong = save(constant(1.0), tmp_path / "wrong.onnx", config=TOML.replace("16", "32"))
    with pytest.raises(UsageError, match="takes pictures of 16 pixels"):
        shelf.add("mine", wrong)
    assert find_base("mine").layer == "map"


@pytest.mark.parametrize(
    "name", ["", "Mine", "../mine", "a/b", ".mine", "net.onnx", "vgg16", "pixels", "add", "x" * 90]
)
def test_names_that_mean_something_else_are_refused(name: str, network: Path) -> None:
    with pytest.raises(UsageError, match="cannot be the name of a base"):
        shelf.add(name, network)


def test_what_is_removed_is_what_was_put_there(network: Path, place: Path) -> None:
    shelf.add("mine", network)
    note = place / "mine" / "notes.txt"
    note.write_text("mine")
    assert [one.path for one in shelf.discard("mine")] == [note]
    assert list((place / "mine").iterdir()) == [note]
    assert shelf.shelved() == {}
    with pytest.raises(UsageError, match=r"no base 'mine' on the shelf at .*those there are none"):
        shelf.discard("mine")
    shelf.add("mine", network)
    note.unlink()
    assert shelf.discard("mine") == []
    assert not (place / "mine").exists()


def test_a_link_on_the_shelf_is_not_followed(network: Path, place: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    place.mkdir()
    (place / "mine").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ForeignFileError, match="is a link"):
        shelf.add("mine", network)
    assert list((tmp_path / "elsewhere").iterdir()) == []


@pytest.mark.parametrize(
    "text", ["", "[]", '{"base": "mine"}', '{"base": 1, "network": "../x", "files": ["../x"], "origin": ""}']
)
def test_a_damaged_record_makes_no_base(text: str, network: Path, place: Path) -> None:
    shelf.add("mine", network)
    (place / "mine" / "base.json").write_text(text)
    assert shelf.shelved() == {}
    with pytest.raises(UsageError, match="unknown backbone 'mine'"):
        find_base("mine")


def test_without_a_word_it_is_among_the_data_of_the_user(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv(shelf.PLACE)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert shelf.shelf_folder() == tmp_path / "two-stage-pipeline" / "backbones"
