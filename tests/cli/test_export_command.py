"""``pipeline export``: a model to take along, and what is said about it."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import Result
from photos import Photos
from PIL import Image

from pipeline.runtimes.keras import import_keras

# Keras 3.15 converts its variables in a way that NumPy 2.4 has deprecated.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept:DeprecationWarning")

Cli = Callable[..., Result]
Read = Callable[[Result], dict[str, Any]]


@pytest.fixture
def trained(cli: Cli, some_photos: Photos) -> list[Any]:
    """Options that pick pixels of 16 by 16, on which a logistic regression is trained."""
    stage = ["--data", some_photos.root, "--backbone", "pixels", "--image-size", 16]
    assert cli("extract", *stage).exit_code == 0
    assert cli("train-head", *stage).exit_code == 0
    return stage


def test_what_is_written_is_told(trained: list[Any], cli: Cli, some_photos: Photos) -> None:
    result = cli("export", *trained)

    assert result.exit_code == 0, result.stderr
    assert result.stderr == ""
    title, path, card, size, takes, gives, without, checked, blank, *example = result.stdout.splitlines()
    file = Path(path.strip())
    assert title == "logreg on photos as keras"
    assert file.parent.name == "export"
    assert file.name == "photos-logreg.keras"
    assert card.strip() == f"{file}.md"
    told = Path(card.strip()).read_text()
    assert "pipeline extract --data photos " in told
    assert "| all | " in told
    assert size.split()[1] == f"{file.stat().st_size:,}"
    assert "uint8 (n, 16, 16, 3), RGB from 0 to 255" in takes
    assert gives.endswith("float32 (n, 2): cats, dogs")
    assert without.strip().startswith("without familiarity: models of this format give probabilities alone")
    assert "on 8 test images: probabilities differ by at most" in checked
    assert blank == ""
    assert len(example) == 3
    shutil.copy(some_photos.files("test")[0], "photo.jpg")
    printed: list[Any] = []
    exec("\n".join(example), {"print": printed.append})  # noqa: S102
    network = import_keras().saving.load_model(file)
    pixels = np.asarray(Image.open("photo.jpg").resize((16, 16), Image.Resampling.BILINEAR))
    np.testing.assert_allclose(printed[0], network(pixels[None]), atol=1e-6)


def test_json_is_one_object(trained: list[Any], cli: Cli, the_object: Read) -> None:
    described = the_object(cli("export", *trained, "--out", "here/model.keras", "--check", 3, "--json"))

    assert described.pop("example").startswith("import PIL.Image, PIL.ImageOps, keras, numpy\n")
    assert described.pop("bytes") == Path("here/model.keras").stat().st_size
    assert 0 <= described.pop("max_difference") < 1e-3
    assert described == {
        "head": "logreg",
        "dataset": "photos",
        "format": "keras",
        "path": "here/model.keras",
        "card": "here/model.keras.md",
        "image_size": 16,
        "classes": ["cats", "dogs"],
        "temperature": None,
        "checked": 3,
        "split": "test",
        "familiarity": None,
        "without_familiarity": "models of this format give probabilities alone; --format onnx gives both",
        "familiarity_difference": None,
        "input": {"name": "images", "dtype": "uint8", "shape": [None, 16, 16, 3]},
        "output": {"name": "probabilities", "dtype": "float32", "shape": [None, 2]},
    }


def test_without_images_it_is_written_and_said_to_be_unchecked(
    trained: list[Any], cli: Cli, the_object: Read, some_photos: Photos
) -> None:
    shutil.rmtree(some_photos.root)

    result = cli("export", *trained, "--json")

    assert "note: the model will not be checked: " in result.stderr
    described = the_object(result)
    assert (described["checked"], described["max_difference"]) == (0, None)
    assert Path(described["path"]).is_file()


def test_images_that_changed_are_no_check(trained: list[Any], cli: Cli, some_photos: Photos) -> None:
    for file in some_photos.files("test"):
        some_photos.write(str(file.relative_to(some_photos.root)))

    result = cli("export", *trained)

    assert "not be checked: no image of" in result.stderr
    assert "checked" not in result.stdout
    assert cli("export", *trained, "--check", 0).stderr == ""


def test_a_base_that_did_not_make_the_features_is_found_out(
    extract: Cli, cli: Cli, some_photos: Photos
) -> None:
    assert extract().exit_code == 0  # by an engine of the tests, which is not the base that it says it is
    stage = ["--data", some_photos.root]
    assert cli("train-head", *stage, "--set", "C=1").exit_code == 0

    result = cli("export", *stage, "--out", "model.keras")

    assert result.exit_code != 0
    assert "does not answer" in result.stderr or "incompatible" in result.stderr
    assert not Path("model.keras").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--format", "pickle"], "'pickle' is not one of 'keras'"),
        (["--head", "dense"], "no trained head at"),
        (["--head", "logrek"], "did you mean 'logreg'"),
        (["--out", "model.h5"], "ends with .keras"),
        (["--out", "full"], "ends with .keras"),
        (["--format", "savedmodel", "--out", "full"], "exists and is no savedmodel model"),
        (["--backbone", "vgg16"], "no features in"),
        (["--check", "-1"], "x>=0"),
    ],
)
def test_what_cannot_be_used_is_refused(
    arguments: list[str], message: str, trained: list[Any], cli: Cli, the_object: Read
) -> None:
    Path("full").mkdir()
    Path("full", "file").touch()

    result = cli("export", *trained, *arguments, "--json")

    assert result.exit_code == 2
    assert message in the_object(result)["error"]
    assert sorted(path.name for path in Path().iterdir()) == ["features_cache", "full", "runs"]
