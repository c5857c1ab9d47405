"""``pipeline search``: images in, stored images out, within a data set and everywhere."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from typing import Any

import pytest
from click.testing import Result
from photos import Photos

Cli = Callable[..., Result]
Read = Callable[[Result], dict[str, Any]]


@pytest.fixture
def two_sets(extract: Cli, some_photos: Photos) -> Photos:
    """The photographs, and beside them a data set that holds some of them again."""
    assert extract().exit_code == 0
    for split in ("train", "test"):
        shutil.copytree(some_photos.root / split, some_photos.root.parent / "others" / split)
    others = some_photos.root.parent / "others"
    assert extract("--data", others, "--name", "others").exit_code == 0
    return some_photos


def test_the_image_itself_is_found_first(two_sets: Photos, cli: Cli, the_object: Read) -> None:
    known = two_sets.files("train")[3]
    described = the_object(cli("search", known, "--data", two_sets.root, "--n", 3, "--json"))
    assert (described["searched"], described["datasets"]) == (26, ["photos"])
    (image,) = described["images"]
    assert image["id"] == str(known)
    assert len(image["nearest"]) == 3
    first = image["nearest"][0]
    assert first["similarity"] == pytest.approx(1, abs=1e-5)
    assert (first["dataset"], first["split"], first["class"]) == ("photos", "train", known.parent.name)
    assert first["id"] == str(known.relative_to(two_sets.root))


def test_everywhere_is_in_all_data_sets(two_sets: Photos, cli: Cli, the_object: Read) -> None:
    known = two_sets.files("train")[3]
    described = the_object(cli("search", known, "--data", two_sets.root, "--everywhere", "--n", 2, "--json"))
    assert (described["searched"], described["datasets"]) == (46, ["photos", "others"])
    assert {one["dataset"] for one in described["images"][0]["nearest"]} == {"photos", "others"}
    shown = cli("search", known, "--data", two_sets.root, "--everywhere", "--n", 2)
    assert "searched 46 images of photos, others" in shown.stderr
    assert len(shown.stdout.splitlines()) == 3


def test_what_cannot_be_read_ends_with_3(two_sets: Photos, cli: Cli, the_object: Read) -> None:
    first, second, *_ = two_sets.files("test")
    two_sets.spoil(second)
    result = cli("search", first, second, "--data", two_sets.root, "--json")
    assert result.exit_code == 3
    described = the_object(result)
    assert [image["id"] for image in described["images"]] == [str(first)]
    assert described["unreadable"][0]["id"] == str(second)
    alone = cli("search", second, "--data", two_sets.root)
    assert (alone.exit_code, alone.stdout) == (3, "")
