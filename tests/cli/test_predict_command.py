"""``pipeline predict``: images in, classes out, in three forms."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from photos import Photos
from PIL import Image

Cli = Callable[..., Result]
Read = Callable[[Result], dict[str, Any]]
ANSWER = ("id", "predicted", "probability")


@pytest.fixture
def predict(extract: Cli, some_photos: Photos, cli: Cli) -> Cli:
    """Runs ``pipeline predict`` with a head trained on the photographs."""
    data = ["--data", some_photos.root]
    assert extract().exit_code == 0
    assert cli("train-head", *data).exit_code == 0
    return lambda *arguments: cli("predict", *data, *arguments)


def test_a_line_an_image(predict: Cli, photos: Photos) -> None:
    first, second, *_ = photos.files("test")
    result = predict(second, first)
    assert result.exit_code == 0, result.stderr
    lines = result.stdout.splitlines()
    assert [line.split()[0][-8:] for line in lines] == [second.name, first.name]
    shares = [float(word[:-1]) for word in lines[0].replace(",", "").split() if word.endswith("%")]
    assert len(shares) == 2
    assert sum(shares) == pytest.approx(100, abs=0.02)
    assert predict(first, "--top", 1).stdout.count("%") == 1


def test_json_is_one_object_and_agrees_with_evaluate(
    predict: Cli, cli: Cli, photos: Photos, the_object: Read
) -> None:
    described = the_object(predict(photos.root / "test", "--json"))
    assert list(described) == ["head", "dataset", "temperature", "familiarity", "images", "unreadable"]
    run = Path(the_object(cli("evaluate", "--data", photos.root, "--json"))["run"])
    with open(run / "test/predictions.csv", newline="") as file:
        expected = list(csv.DictReader(file))
    assert [image["id"] for image in described["images"]] == [
        str(photos.root / row["id"]) for row in expected
    ]
    for image, row in zip(described["images"], expected, strict=True):
        assert image["top"][0]["class"] == row["predicted"]
        assert image["top"][0]["probability"] == pytest.approx(float(row["probability"]), abs=1e-9)


def test_csv_has_the_columns_of_predictions(predict: Cli, photos: Photos) -> None:
    photos.write("new/=1+1.png")
    photos.write('new/a",b.png')
    rows = list(csv.DictReader(io.StringIO(predict(photos.root / "new", "--csv").stdout)))
    assert list(rows[0]) == [*ANSWER, "p(cats)", "p(dogs)", "familiar", "familiarity"]
    assert [Path(row["id"]).name for row in rows] == ["=1+1.png", 'a",b.png']
    for row in rows:
        assert float(row["probability"]) == max(float(row["p(cats)"]), float(row["p(dogs)"]))


def test_a_formula_is_no_name_in_csv(predict: Cli, photos: Photos, monkeypatch: pytest.MonkeyPatch) -> None:
    photos.write("new/=1+1.png")
    monkeypatch.chdir(photos.root / "new")
    runs, cache = (Path(photos.root.parent, "work", name) for name in ("runs", "features_cache"))
    result = predict("=1+1.png", "--csv", "--runs", runs, "--cache", cache)
    assert result.stdout.splitlines()[1].startswith('"\'=1+1.png"')


def test_bad_images_are_told_and_end_with_3(predict: Cli, photos: Photos, the_object: Read) -> None:
    first, second, *_ = photos.files("test")
    photos.spoil(second)
    result = predict(first, second, "--json")
    assert result.exit_code == 3
    described = the_object(result)
    assert [image["id"] for image in described["images"]] == [str(first)]
    (bad,) = described["unreadable"]
    assert bad["id"] == str(second)
    assert "damaged PNG" in bad["reason"]
    assert f"unreadable: {str(second)!r}: damaged PNG" in result.stderr
    assert "1 of 2 images gave no answer" in result.stderr


def test_hostile_names_steer_no_terminal(predict: Cli, photos: Photos, the_object: Read) -> None:
    name = "\x1b[31m\N{RIGHT-TO-LEFT OVERRIDE}gnp.exe\n.png"
    path = photos.write(f"new/{name}")
    text = predict(path)
    assert text.exit_code == 0
    assert "\x1b" not in text.output
    assert "\N{RIGHT-TO-LEFT OVERRIDE}" not in text.output
    assert len(text.stdout.splitlines()) == 1
    assert the_object(predict(path, "--json"))["images"][0]["id"] == str(path)
    photos.spoil(path)
    assert "\x1b" not in predict(path).output
    (photos.root / "new/\x1b[31m.txt").write_text("no image")
    photos.write("new/good.png")
    noted = predict(photos.root / "new")
    assert "left out files that are no images (1)" in noted.stderr
    assert "\x1b" not in noted.output


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], r"Missing argument 'IMAGES\.\.\.'"),
        (["nowhere.jpg"], "'nowhere.jpg' does not exist"),
        (["."], "no image in '\\.': give image files"),
        ([".", "--csv", "--json"], "--csv and --json are two forms of one answer"),
        ([".", "--top", "0"], "0 is not in the range"),
        ([".", "--batch-size", "none"], "'none' is neither auto nor a number"),
        ([".", "--head", "dense"], "no trained head at .*dense"),
        ([".", "--layer", "block1_pool"], "no features in ../features_cache match"),
    ],
)
def test_bad_input(
    arguments: list[str], message: str, predict: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "work/empty").mkdir()
    monkeypatch.chdir("empty")
    where = ["--cache", "../features_cache", "--runs", "../runs"]
    result = predict(*arguments, *where)
    assert result.exit_code == 2
    assert re.search(message, result.stderr), result.stderr


def test_random_filters_are_said(predict: Cli, photos: Photos) -> None:
    assert "note: RANDOM FILTERS (random:0)" in predict(photos.root / "test").stderr


def test_whether_images_are_familiar_is_said_where_val_tells(
    extract: Cli, photos: Photos, cli: Cli, the_object: Read
) -> None:
    for split, count in (("train", 6), ("val", 10), ("test", 2)):
        for name in ("cats", "dogs"):
            photos.add(f"{split}/{name}", count)
    data = ["--data", photos.root]
    assert extract().exit_code == 0
    assert cli("train-head", *data).exit_code == 0
    known = photos.files("train")[0]
    described = the_object(cli("predict", *data, known, "--coverage", "0.9", "--json"))
    assert described["familiarity"]["val_rows"] == 20
    assert described["familiarity"]["rate"] == pytest.approx(1 / 21)
    (image,) = described["images"]
    assert image["familiar"] is True
    assert image["familiarity"] > described["familiarity"]["threshold"]
    assert {row["val_rows"] for row in described["sets"]["classes"].values()} == {20}
    assert set(image["set"]) <= {"cats", "dogs"}
    (line,) = cli("predict", *data, known, "--coverage", "0.9").stdout.splitlines()
    assert line.endswith(f"{{{', '.join(image['set'])}}}")
    (row,) = csv.DictReader(io.StringIO(cli("predict", *data, known, "--coverage", "0.9", "--csv").stdout))
    assert (row["familiar"], row["set"]) == ("yes", "|".join(image["set"]))
    refused = cli("predict", *data, known, "--coverage", "0.99")
    assert refused.exit_code == 2
    assert "needs 99 val images" in refused.stderr


def test_of_a_head_without_val_images_it_is_not_known(predict: Cli, photos: Photos, the_object: Read) -> None:
    result = predict(photos.files("test")[0], "--json")
    assert "not known of this head" in result.stderr
    described = the_object(result)
    assert described["familiarity"] is None
    assert described["images"][0]["familiar"] is None
    assert "set" not in described["images"][0]


def test_evidence_is_drawn_into_a_folder(
    predict: Cli, photos: Photos, the_object: Read, tmp_path: Path
) -> None:
    first, second, *_ = photos.files("test")
    out = tmp_path / "out"
    described = the_object(predict(first, second, "--evidence", out, "--json"))
    written = sorted(out.iterdir())
    assert [image["evidence"] for image in described["images"]] == list(map(str, written))
    with Image.open(written[0]) as picture:
        assert picture.size == (640, 320)
    (out / written[0].name).unlink()
    photos.write("mine.png").rename(out / written[0].name)
    refused = predict(first, "--evidence", out)
    assert refused.exit_code == 1
    assert written[0].name in refused.stderr
