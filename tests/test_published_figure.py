"""The published figure beside those of a run: proper sentences whatever a recipe leaves out."""

from __future__ import annotations

import re
from itertools import product
from pathlib import Path

import pytest

from pipeline.published_figure import Published
from pipeline.recipe import read_recipe

FOLDER = Path(__file__).parents[1] / "pipeline" / "recipes"
FIELDS = {
    "accuracy": 0.9,
    "data": "cifar10",
    "split": "test",
    "measured_on": "10,000 test images",
    "took": "ten epochs of 121 s",
    "note": "Pixels were divided by 255.",
}
MEASURED = {"val": 0.5, "test": 0.25}


def is_proper(text: str) -> bool:
    """Tells whether a text is made of sentences in which no field is empty."""
    odd = re.search(r"  |\(\)|\. \.|\.\.|,[ ,]*[.;:]| [.,;:]|\b(?:on|a)[.;:]|None|nan", text)
    return text == text.strip() and text.endswith(".") and not odd


@pytest.mark.parametrize("dataset", ["digits", "cifar10"])
@pytest.mark.parametrize("kept", list(product((False, True), repeat=len(FIELDS))))
def test_any_field_may_be_missing(kept: tuple[bool, ...], dataset: str) -> None:
    given = {name: value for (name, value), keep in zip(FIELDS.items(), kept, strict=True) if keep}
    text = Published(**given).beside(dataset, MEASURED)
    if "accuracy" not in given:
        assert text == ("published: no accuracy. Pixels were divided by 255." if "note" in given else "")
        return
    assert is_proper(text), text
    assert text.startswith("published: accuracy 0.9000")
    assert f"Measured here on {dataset}: 0.5000 on val, 0.2500 on test; " in text
    for name in ("data", "measured_on", "note"):
        assert (FIELDS[name] in text.replace("here on cifar10", "")) == (name in given)


@pytest.mark.parametrize(
    ("given", "dataset", "verdict"),
    [
        ({"data": "cifar10", "split": "test"}, "digits", "another data set: not comparable."),
        ({"data": "cifar10", "split": "test"}, "cifar10_small", "another data set: not comparable."),
        ({"data": "cifar10", "split": "train"}, "cifar10", "another split: not comparable."),
        ({"data": "CIFAR10", "split": "test"}, "cifar10", "so compare the figure on test."),
        ({"data": "cifar10"}, "cifar10", "does not say on which split it was published."),
        ({"split": "test"}, "cifar10", "does not say on which data set it was published."),
    ],
)
def test_what_may_be_compared_is_said(given: dict[str, str], dataset: str, verdict: str) -> None:
    assert Published(accuracy=0.9, **given).beside(dataset, MEASURED).endswith(verdict)


@pytest.mark.parametrize("note", ["half a sentence", "A whole one.", "Is it? ", "two\nlines"])
def test_a_note_is_a_sentence_of_its_own(note: str) -> None:
    assert is_proper(Published(accuracy=0.9, note=note).beside("digits", MEASURED).replace("?", "."))


def test_nothing_measured_is_nothing_beside_it() -> None:
    published = Published(accuracy=0.9, data="cifar10")
    assert published.beside("digits", {}) == "published: accuracy 0.9000 on cifar10."


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.toml")), ids=lambda path: path.stem)
def test_every_recipe_says_it_properly(path: Path) -> None:
    published = read_recipe(path).published
    text = published.beside("digits", MEASURED)
    assert is_proper(text) if published.accuracy is not None else text == ""
    if published.data:
        assert text.endswith("another data set: not comparable.")
