"""Tar shards in which an image has several labels, or numbers."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from tar_shards import write_tar

from pipeline.errors import UsageError
from pipeline.images import ImageSource, open_images
from pipeline.images.source import targets_of
from pipeline.images.source_options import SourceOptions
from pipeline.images.targets import LABELS, NUMBER

NAN = np.nan
Opened = Callable[..., ImageSource]


@pytest.fixture
def shards(tmp_path: Path) -> Opened:
    """Opens shards of which each holds images with the given ``.cls`` texts or ``.json`` labels, or none."""

    def opened(*contents: list[object], **options: object) -> ImageSource:
        for number, labels in enumerate(contents):
            members: dict[str, str | int] = {}
            for at, label in enumerate(labels):
                members[f"{at}.png"] = 10 * number + at
                if isinstance(label, str):
                    members[f"{at}.cls"] = label
                elif label is not None:
                    members[f"{at}.json"] = json.dumps({"label": label[0] if type(label) is tuple else label})
            write_tar(tmp_path / f"p-{number}.tar", members)
        return open_images(f"{tmp_path}/p-*.tar", SourceOptions(**options))

    return opened


def assert_targets(source: ImageSource, kind: str, names: tuple[str, ...], expected: object) -> None:
    table = targets_of(source)
    assert table is not None
    assert (table.kind, table.names, source.classes) == (kind, names, names)
    labels = np.array([item.label for item in source.items()])
    np.testing.assert_array_equal(table.of(labels), np.array(expected, np.float32))


@pytest.mark.parametrize("target", ["", LABELS])
def test_lists_are_several_labels(target: str, shards: Opened) -> None:
    source = shards([["cat", "indoor"], "dog", []], [None], target=target)
    assert_targets(source, LABELS, ("cat", "dog", "indoor"), [[1, 0, 1], [0, 1, 0], [0] * 3, [NAN] * 3])
    assert "labels stand in lists: 1 row has several" in source.notes
    assert "no labels in p-1.tar" in source.notes


def test_labels_with_a_separator(shards: Opened) -> None:
    source = shards(["cat|indoor", "dog"], label_separator="|")
    assert_targets(source, LABELS, ("cat", "dog", "indoor"), [[1, 0, 1], [0, 1, 0]])


def test_numbered_labels_have_the_names_beside_the_shards(shards: Opened, tmp_path: Path) -> None:
    (tmp_path / "classes.txt").write_text("zebra\ncat\nsky\n")
    assert_targets(shards([[2, 0], [0]]), LABELS, ("zebra", "sky"), [[1, 1], [1, 0]])
    with pytest.raises(UsageError, match=r"has the class 3, but classes\.txt has 3 lines"):
        shards([[2, 3]])


def test_numbers(shards: Opened) -> None:
    source = shards(["1.5", "NaN", (2.25,), (7,)], target="number")
    assert_targets(source, NUMBER, ("label",), [[1.5], [NAN], [2.25], [7]])


@pytest.mark.parametrize(
    ("labels", "target", "trouble"),
    [
        ([["a"]], "class", "lists several labels"),
        ([[1.5]], "number", "lists several labels"),
        ([[1.5]], "", "neither text nor a whole number"),
        ([[""]], "", "lists an empty label"),
        ([(1.5,)], "", "neither text nor a whole number"),
        (["1", "heavy"], "number", r"p-0\.tar: '1\.png': label 'heavy' is no number"),
        ([None], "labels", "no image has a label"),
        ([None], "number", "no image has a number"),
    ],
)
def test_what_cannot_be_meant_is_refused(
    labels: list[object], target: str, trouble: str, shards: Opened
) -> None:
    with pytest.raises(UsageError, match=trouble):
        shards(labels, target=target)


def test_without_an_option_a_text_is_a_class(shards: Opened) -> None:
    source = shards(["cat;indoor", "1.5"])
    assert targets_of(source) is None
    assert source.classes == ("1.5", "cat;indoor")
