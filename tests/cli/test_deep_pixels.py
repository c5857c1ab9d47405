"""Pictures deeper than 8 bits, end to end: brightness tells classes apart, and the range is said."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import Result
from deep_image_sets import SETS, greys, write_set

from pipeline.cache.feature_file import open_feature_file

Cli = Callable[..., Result]
Read = Callable[[Result], dict[str, Any]]
PIXELS = ["--backbone", "pixels", "--image-size", 16]


@pytest.fixture
def accuracy(cli: Cli, the_object: Read) -> Callable[[Path], float]:
    """Trains a head on a set and evaluates it."""

    def measure(data: Path) -> float:
        assert cli("train-head", "--data", data).exit_code == 0
        return the_object(cli("evaluate", "--data", data, "--no-page", "--json"))["accuracy"]

    return measure


@pytest.mark.parametrize("name", SETS)
def test_bright_and_dark_pictures_stay_bright_and_dark(
    name: str, cli: Cli, tmp_path: Path, the_object: Read
) -> None:
    data = write_set(tmp_path / "set", name)
    result = cli("extract", "--data", data, *PIXELS, "--json")
    assert result.exit_code == 0, result.stderr
    found = the_object(result)["pixel_range"]
    assert found["images"] == (12 if name == "both depths" else 24)
    assert f"{found['low']:.12g}..{found['high']:.12g}" == SETS[name][1] or SETS[name][1] == ""
    said = [line for line in result.stderr.splitlines() if line.startswith("pixels: ")]
    assert len(said) == 1
    assert SETS[name][1] in said[0]
    for split in the_object(result)["splits"].values():
        layout = open_feature_file(Path(split["files"][0]))
        means = np.asarray(layout.features, float).mean(axis=(1, 2, 3))
        bright = np.array([row.startswith("pos/") for row in layout.rows.ids])
        assert (means[bright] > 140).all()
        assert (means[~bright] < 100).all()


@pytest.mark.parametrize("name", ["10 twelve bits", "11 white is zero", "12 float TIFF"])
def test_a_head_tells_the_classes_apart(
    name: str, cli: Cli, accuracy: Callable[[Path], float], tmp_path: Path
) -> None:
    data = write_set(tmp_path / "set", name)
    assert cli("extract", "--data", data, *PIXELS).exit_code == 0
    assert accuracy(data) == 1


def test_the_range_of_twelve_bits_is_printed(cli: Cli, tmp_path: Path) -> None:
    data = write_set(tmp_path / "set", "10 twelve bits")
    assert "16-bit samples from " in (said := cli("extract", "--data", data, *PIXELS).stderr)
    assert " in 24 pictures, read as 12 bits (0..4095)\n" in said


@pytest.mark.parametrize("dtype", ["uint16", "int16", "uint32", "int64", "float16", "float32", "float64"])
def test_20_arrays_that_hold_bytes_are_those_bytes(
    dtype: str, cli: Cli, tmp_path: Path, the_object: Read
) -> None:
    pictures = np.stack([grey for _, _, grey in greys(20)])
    y = np.repeat([0, 1], 20)
    rows = {}
    for kind in ("uint8", dtype):
        x = pictures.astype(kind)
        np.savez(tmp_path / f"{kind}.npz", x_train=x, y_train=y, x_val=x[:2], y_val=y[:2])
        result = cli("extract", "--data", tmp_path / f"{kind}.npz", *PIXELS, "--json")
        assert result.exit_code == 0, result.stderr
        (file,) = the_object(result)["splits"]["train"]["files"]
        rows[kind] = Path(file)
    plain, deep = (np.asarray(open_feature_file(file).features) for file in rows.values())
    np.testing.assert_array_equal(plain, deep)
    assert np.ptp(plain) > 90


def test_a_set_of_eight_bits_says_nothing_and_has_no_range(
    extract: Cli, some_photos: object, the_object: Read
) -> None:
    result = extract("--json")
    assert the_object(result)["pixel_range"] is None
    assert "pixels:" not in result.stderr
    stated = extract("--json", "--pixel-range", "0..4095")
    assert the_object(stated)["entry"] == the_object(result)["entry"]
    assert "note: --pixel-range changes nothing: no picture of this set has more than 8 bits" in stated.stderr


def test_a_stated_range_is_used_and_what_lies_beyond_is_counted(
    cli: Cli, tmp_path: Path, the_object: Read
) -> None:
    data = write_set(tmp_path / "set", "10 twelve bits")
    result = cli("extract", "--data", data, *PIXELS, "--pixel-range", "1000..2500", "--json")
    found = the_object(result)["pixel_range"]
    assert (found["low"], found["high"]) == (1000, 2500)
    assert found["clipped"] > 0
    assert "read as 1000..2500 as stated" in result.stderr
    assert (
        f"{found['clipped']} of 24 pictures have pixels outside 1000..2500, which are clipped"
        in result.stderr
    )
    refused = cli("extract", "--data", data, *PIXELS, "--pixel-range", "5..1")
    assert refused.exit_code == 2
    assert "--pixel-range '5..1' is no range: give LOW..HIGH" in refused.stderr


def test_a_range_that_an_added_image_changes_is_explained_and_tells_entries_apart(
    cli: Cli, tmp_path: Path, the_object: Read
) -> None:
    data = write_set(tmp_path / "set", "10 twelve bits")
    more = write_set(tmp_path / "more", "10 twelve bits", count=1, seed=1)
    brighter = write_set(tmp_path / "brighter", "11 white is zero", count=1)
    first = the_object(cli("extract", "--data", data, *PIXELS, "--json"))
    shutil.copy(more / "pos" / "0.png", data / "pos" / "more.png")
    second = cli("extract", "--data", data, *PIXELS, "--json")
    assert the_object(second)["entry"] == first["entry"]
    assert "computed anew" not in second.stderr
    shutil.copy(brighter / "pos" / "0.tif", data / "pos" / "brighter.tif")
    third = cli("extract", "--data", data, *PIXELS, "--json")
    assert the_object(third)["entry"] != first["entry"]
    assert (
        "pixels: the features of this set were made with the pixel range 0..4095, its pictures now have "
        "the pixel range 0..65535: all are computed anew beside the old ones; --pixel-range 0..4095 keeps "
        "the old range"
    ) in third.stderr
    both = cli("train-head", "--data", data)
    assert both.exit_code == 2
    assert "--pixel-range 0..4095" in both.stderr
    for chosen in ("0..4095", "0..65535"):
        assert cli("train-head", "--data", data, "--pixel-range", chosen).exit_code == 0
    kept = cli("extract", "--data", data, *PIXELS, "--pixel-range", "0..4095", "--json")
    assert the_object(kept)["entry"] == first["entry"]
    assert "1 of 26 pictures has pixels outside 0..4095, which are clipped" in kept.stderr


def test_floats_within_0_and_1_beside_twelve_bits_are_refused(cli: Cli, tmp_path: Path) -> None:
    x = np.stack([grey for _, _, grey in greys(20)])
    np.savez(tmp_path / "mixed.npz", x_train=x.astype(np.uint16) * 16, x_test=x / 255)
    result = cli("extract", "--data", tmp_path / "mixed.npz", *PIXELS)
    assert result.exit_code == 2
    assert "40 pictures of floats within 0..1 and 40 of other numbers deeper than 8 bits" in result.stderr


def test_a_picture_with_a_hole_is_named_and_does_not_spoil_the_range(
    cli: Cli, tmp_path: Path, the_object: Read
) -> None:
    x = np.stack([grey for _, _, grey in greys(20)]) / 255
    x[3, 2, 2] = np.nan
    np.savez(tmp_path / "hole.npz", x_train=x)
    result = cli("extract", "--data", tmp_path / "hole.npz", *PIXELS)
    assert result.exit_code == 3
    assert "unreadable: 'x_train[3]': some pixels are not finite numbers" in result.stderr
    assert "in 39 pictures, read as 0..1\n" in result.stderr
    skipping = the_object(cli("extract", "--data", tmp_path / "hole.npz", *PIXELS, "--skip-bad", "--json"))
    assert sum(split["rows"] for split in skipping["splits"].values()) == 39
    assert skipping["pixel_range"]["images"] == 39


def test_predict_says_what_the_range_costs_a_new_image(cli: Cli, tmp_path: Path, the_object: Read) -> None:
    data = write_set(tmp_path / "set", "10 twelve bits")
    new = write_set(tmp_path / "new", "11 white is zero", count=2, seed=2)
    assert cli("extract", "--data", data, *PIXELS).exit_code == 0
    assert cli("train-head", "--data", data).exit_code == 0
    fine = cli("predict", data / "pos" / "0.png", "--data", data, "--json")
    assert "clipped" not in fine.stderr
    assert list(the_object(fine)["images"][0]) == ["id", "top", "trained_on", "familiar", "familiarity"]
    beyond = cli("predict", new / "pos", "--data", data, "--json")
    assert "go beyond those of the data set, 0..4095: they are clipped" in beyond.stderr
    assert all("clipped" in image["remark"] for image in the_object(beyond)["images"])


def test_predict_says_that_the_set_had_no_deep_pictures(
    cli: Cli, extract: Cli, some_photos: object, photos: Any, tmp_path: Path
) -> None:
    new = write_set(tmp_path / "new", "10 twelve bits", count=1)
    assert extract().exit_code == 0
    assert cli("train-head", "--data", photos.root).exit_code == 0
    result = cli("predict", new / "pos" / "0.png", "--data", photos.root)
    assert result.exit_code == 0, result.stderr
    assert (
        "pixels of 16 bits are read by its own depth, 0..65535: those of the data set have 8" in result.stderr
    )
