"""The page to look through several labels an image, or numbers, in a real browser."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from chromium import Visit
from photos import Photos

from pipeline.cache import FeatureSet
from pipeline.evaluation.labels import LabelCheck, check_labels
from pipeline.evaluation.labels.files import write_label_check
from pipeline.images import open_images
from pipeline.images.contents import digest
from pipeline.images.source_options import SourceOptions
from pipeline.images.targets import LABELS, NUMBER

VISIT = Callable[..., Visit]
NAMES = ("<b>round</b>", '=red, "x"')
FORMS = {
    "list": SourceOptions(label_separator=";"),
    "columns": SourceOptions(target_column=NAMES, target=LABELS),
    "numbers": SourceOptions(target_column=NAMES, target=NUMBER),
}


@pytest.fixture
def make_page(
    target_splits: Callable[..., list[FeatureSet]], photos: Photos, tmp_path: Path
) -> Callable[[str], tuple[LabelCheck, Path]]:
    def make(form: str) -> tuple[LabelCheck, Path]:
        parts = []
        for part in target_splits(NUMBER if form == "numbers" else LABELS):
            found = [list(digest(photos.write(name).read_bytes())) for name in part.rows.ids]
            rows = replace(part.rows, digests=np.array(found, np.uint8))
            parts.append(replace(part, rows=rows, classes=NAMES))
        check, entry = check_labels(parts), tmp_path / "runs" / "toy" / "entry"
        _, folder = write_label_check(check, open_images(photos.root), entry, options=FORMS[form])
        return check, folder / "labels.html"

    return make


def saved(visit: Visit, form: str, to: Path) -> dict[str, list[float | None]]:
    """Saves the table and reads it back as the table source does: targets by path."""
    with visit.page.expect_download() as waiting:
        visit.page.click("#save")
    waiting.value.save_as(to)
    table = open_images(to, FORMS[form])
    assert table.targets is not None
    assert table.targets.names == NAMES
    items = list(table.items())
    read = table.targets.of(np.array([item.label for item in items])).tolist()
    return {
        str(item.path): [None if one != one else one for one in values]
        for item, values in zip(items, read, strict=True)
    }


@pytest.mark.parametrize("form", ["list", "columns"])
def test_a_key_changes_the_label_that_is_asked_about_and_no_other(
    form: str,
    make_page: Callable[[str], tuple[LabelCheck, Path]],
    photos: Photos,
    visit: VISIT,
    tmp_path: Path,
) -> None:
    check, page = make_page(form)
    opened = visit(page.as_uri(), accept_downloads=True)
    tab = opened.page
    assert tab.inner_text("#counts") == "0 of 3 decided"
    assert tab.locator("select").count() == 0
    before = saved(opened, form, tmp_path / "before.csv")
    assert len(before) == len(check.rows)
    first, second, third = (str(photos.root / check.rows.ids[one.row]) for one in check.suspects)
    given = before[first][0]
    for key in "cdk":
        tab.keyboard.press(key)
    verb = "does not have" if given else "has"
    assert tab.inner_text("#item-0 .said") == f"{verb} {NAMES[0]}"
    assert tab.inner_text("#item-0 button[data-does=change]") == f"Change: {verb} {NAMES[0]}"
    after = saved(opened, form, tmp_path / "after.csv")
    assert after[first] == [1 - (given or 0), before[first][1]]
    assert second not in after
    assert {name for name in before if after.get(name) != before[name]} == {first, second}
    assert after[third] == before[third]
    tab.reload()
    tab.wait_for_function("() => document.getElementById('counts').textContent === '3 of 3 decided'")
    tab.focus("#item-0")
    tab.keyboard.press("u")
    assert tab.inner_text("#item-0 .said") == ""
    assert opened.problems == []


def test_a_number_is_kept_or_dropped_and_what_is_predicted_is_no_truth(
    make_page: Callable[[str], tuple[LabelCheck, Path]], photos: Photos, visit: VISIT, tmp_path: Path
) -> None:
    check, page = make_page("numbers")
    opened = visit(page.as_uri(), accept_downloads=True)
    tab = opened.page
    assert tab.locator("button[data-does=change]").count() == 0
    assert "is given as 30" in tab.inner_text("#item-0")
    assert "is predicted" in tab.inner_text("#item-0")
    before = saved(opened, "numbers", tmp_path / "before.csv")
    for key in "cdk":
        tab.keyboard.press(key)
    assert tab.inner_text("#counts") == "2 of 3 decided"
    after = saved(opened, "numbers", tmp_path / "after.csv")
    dropped = str(photos.root / check.rows.ids[check.suspects[0].row])
    assert after == {name: values for name, values in before.items() if name != dropped}
    read = np.array([values for values in before.values() if None not in values], np.float32)
    known = check.features.targets[check.features.known]
    np.testing.assert_array_equal(np.sort(read, axis=0), np.sort(known, axis=0))
    assert opened.problems == []
