"""The page to look through labels, in a real browser: keys, buttons, and the table it saves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from chromium import Visit
from photos import Photos
from PIL import Image

from pipeline.cache import FeatureSet
from pipeline.evaluation.labels import LabelCheck, check_labels
from pipeline.evaluation.labels.files import write_label_check
from pipeline.evaluation.labels.odd import OddImage
from pipeline.images import ImageSource, open_images
from pipeline.images.contents import digest

VISIT = Callable[..., Visit]
COUNTS = "(told) => document.getElementById('counts').textContent === told"
HOSTILE = 'do,gs "x" <b>\u202e'


@pytest.fixture
def check(splits: list[FeatureSet], photos: Photos) -> LabelCheck:
    """A check of images that are there, with one odd image, and a class whose name steers what it can."""
    parts = []
    for part in splits:
        digests = []
        for name in part.rows.ids:
            path = photos.write(name)
            digests.append(list(digest(path.read_bytes())))
        rows = replace(part.rows, digests=np.array(digests, np.uint8))
        parts.append(replace(part, rows=rows, classes=("cats", HOSTILE)))
    return replace(check_labels(parts), odd=(OddImage(20, "unlike", 0.1),))


@pytest.fixture
def page(check: LabelCheck, photos: Photos, tmp_path: Path) -> Path:
    images: ImageSource = open_images(photos.root)
    _, folder = write_label_check(check, images, tmp_path / "runs" / "toy" / "entry")
    return folder / "labels.html"


def saved(visit: Visit, to: Path) -> dict[str, str]:
    """Saves the table and reads it back as the table source does: class by path."""
    with visit.page.expect_download() as waiting:
        visit.page.click("#save")
    waiting.value.save_as(to)
    table = open_images(to)
    return {str(item.path): table.classes[item.label] for item in table.items() if item.label >= 0}


@pytest.mark.parametrize("width", [1280, 390])
def test_keys_decide_and_the_table_holds_what_was_decided(
    width: int, page: Path, check: LabelCheck, photos: Photos, visit: VISIT, tmp_path: Path
) -> None:
    opened = visit(page.as_uri(), width=width, accept_downloads=True)
    tab = opened.page
    assert tab.inner_text("#counts") == "0 of 4 decided"
    first, second, third = check.suspects
    path = lambda row: str(photos.root / check.rows.ids[row])  # noqa: E731
    before = saved(opened, tmp_path / "before.csv")
    assert before[path(first.row)] == check.features.classes[first.given]
    for key in "cdk":
        tab.keyboard.press(key)
    assert tab.inner_text("#counts") == "3 of 4 decided"
    assert tab.evaluate("document.querySelector('.look.current').id") == "item-3"
    assert tab.evaluate("scrollY") > 0
    assert tab.evaluate("document.getElementById('bar').getBoundingClientRect().top") >= 0, (
        "the bar stays in view"
    )
    after = saved(opened, tmp_path / "after.csv")
    assert after[path(first.row)] == check.features.classes[first.suggested]
    assert path(second.row) not in after
    changed = {name for name in before if after.get(name) != before[name]}
    assert changed == {path(first.row), path(second.row)}
    assert third.row not in (first.row, second.row)
    tab.keyboard.press("u")
    tab.keyboard.press("u")
    assert tab.inner_text("#counts") == "1 of 4 decided", "U takes back what was decided last"
    assert tab.evaluate("document.querySelector('.look.current').id") == "item-1"
    assert opened.problems == []
    assert all(address.startswith(("file:", "data:", "blob:")) for address in opened.requests)
    assert tab.evaluate("document.documentElement.scrollWidth <= innerWidth")


def test_an_odd_image_can_be_given_a_class_and_all_can_be_undone(
    page: Path, check: LabelCheck, photos: Photos, visit: VISIT, tmp_path: Path
) -> None:
    opened = visit(page.as_uri(), accept_downloads=True)
    tab = opened.page
    assert tab.locator("#item-3 button[data-does=change]").is_disabled()
    other = 1 - int(check.rows.labels[20])
    tab.select_option("#item-3 select", str(other))
    tab.click("#item-0 button[data-does=drop]")
    after = saved(opened, tmp_path / "after.csv")
    assert after[str(photos.root / check.rows.ids[20])] == check.features.classes[other]
    tab.reload()
    tab.wait_for_function(COUNTS, arg="2 of 4 decided")
    tab.focus("#item-0")
    tab.keyboard.press("u")
    assert tab.inner_text("#counts") == "1 of 4 decided"
    assert tab.inner_text("#item-0 .said") == ""
    shown = tab.evaluate("[...document.images].map((one) => one.naturalWidth)")
    assert len(shown) == 3 * 3 + 1
    assert opened.problems == []


def test_a_second_window_shows_what_the_first_decides_and_loses_none_of_it(page: Path, visit: VISIT) -> None:
    opened = visit(page.as_uri())
    first = opened.page
    second = first.context.new_page()
    second.goto(page.as_uri())
    first.keyboard.press("k")
    second.wait_for_function(COUNTS, arg="1 of 4 decided")
    second.keyboard.press("ArrowDown")
    second.keyboard.press("d")
    first.wait_for_function(COUNTS, arg="2 of 4 decided")
    third = first.context.new_page()
    third.goto(page.as_uri())
    third.wait_for_function(COUNTS, arg="2 of 4 decided")
    assert opened.problems == []


def test_a_picture_of_a_changed_file_is_not_shown(check: LabelCheck, photos: Photos, tmp_path: Path) -> None:
    path = photos.root / check.rows.ids[check.suspects[0].row]
    Image.new("RGB", (8, 8)).save(path)
    _, folder = write_label_check(check, open_images(photos.root), tmp_path / "runs" / "toy" / "entry")
    assert "1 was changed after the features were computed" in (folder / "labels.html").read_text()
