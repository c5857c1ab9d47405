from __future__ import annotations

import numpy as np
import pytest

SHOWN = (
    "[...document.querySelectorAll('#gallery-groups .shot')].filter((one) => one.checkVisibility()).length"
)
WIDTHS = pytest.mark.parametrize(("width", "height"), [(1280, 900), (390, 800)])


def opened(make_case, visit, *, n=60, k=3, **options):
    """Opens a page; every third answer of it is wrong."""
    labels = np.arange(n, dtype=np.int32) % k
    sure = np.linspace(0.5, 0.99, n)
    probabilities = np.repeat((1 - sure)[:, None] / (k - 1), k, axis=1)
    probabilities[np.arange(n), np.where(np.arange(n) % 4 > 0, labels, (labels + 1) % k)] = sure
    case = make_case([f"class {i}" for i in range(k)], answers=(labels, probabilities))
    case.write()
    return case, visit(case.path.as_uri(), **options)


@WIDTHS
def test_the_filter_shows_what_is_asked_for_and_says_how_many(make_case, visit, width, height):
    case, visited = opened(make_case, visit, width=width, height=height)
    page = visited.page
    page.select_option("#gallery-answer", "wrong")
    assert page.inner_text("#gallery-count") == "15 of the 60 images here"
    assert page.evaluate(SHOWN) == 15
    page.select_option("#gallery-class", "class 0")
    best, labels = case.report.probabilities.argmax(axis=1), case.report.rows.labels
    expected = int(((best != labels) & ((best == 0) | (labels == 0))).sum())
    assert page.evaluate(SHOWN) == expected > 0
    page.select_option("#gallery-sure", "0.9 1.01")
    surest = case.report.probabilities.max(axis=1) >= 0.9
    assert page.evaluate(SHOWN) == int(((best != labels) & ((best == 0) | (labels == 0)) & surest).sum())
    for menu in ("class", "answer"):
        page.select_option(f"#gallery-{menu}", "")
    page.select_option("#gallery-sure", "0 1.01")
    assert page.inner_text("#gallery-count") == ""
    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert visited.problems == []


@WIDTHS
def test_a_picture_is_enlarged_and_arrows_and_escape_do_what_they_should(make_case, visit, width, height):
    _, visited = opened(make_case, visit, width=width, height=height)
    page = visited.page
    first = page.locator(".enlarge").first
    first.focus()
    assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none"
    page.keyboard.press("Enter")
    large = page.locator("#gallery-large")
    assert large.is_visible()
    box, small = page.locator("#gallery-image").bounding_box(), first.bounding_box()
    assert box["width"] > 1.5 * small["width"]
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= width
    names = [page.inner_text("#gallery-caption .id")]
    for key in ("ArrowRight", "ArrowRight", "ArrowLeft"):
        page.keyboard.press(key)
        names.append(page.inner_text("#gallery-caption .id"))
    assert names[1] == names[3]
    assert len(set(names)) == 3
    assert page.inner_text("#gallery-place").startswith("2 of ")
    page.keyboard.press("Escape")
    assert large.is_hidden()
    # A dialog says that it is closed only after it is: what has the focus then is waited for.
    of_focus = "(name) => document.activeElement.closest('.shot')?.innerText.endsWith(name)"
    page.wait_for_function(of_focus, arg=names[3])
    assert visited.problems == []


def test_arrows_stay_among_what_the_filter_shows(make_case, visit):
    page = opened(make_case, visit)[1].page
    page.select_option("#gallery-answer", "wrong")
    page.locator(".enlarge").first.click()
    for _ in range(16):
        assert page.inner_text("#gallery-caption > :nth-child(2)").startswith("is class")
        page.click("#gallery-on")
    assert page.inner_text("#gallery-place") == "2 of 15"
    page.mouse.click(5, 5)
    assert page.locator("#gallery-large").is_hidden()


def test_without_scripts_a_picture_is_enlarged_in_its_place(make_case, visit):
    page = opened(make_case, visit, java_script_enabled=False)[1].page
    first = page.locator(".enlarge").first
    before = first.bounding_box()["width"]
    first.click()
    assert page.locator(".shot:target img").bounding_box()["width"] > 1.5 * before


@WIDTHS
def test_one_class_is_open_at_a_time_and_its_curves_are_drawn(make_case, visit, width, height):
    _, visited = opened(make_case, visit, width=width, height=height, java_script_enabled=False)
    page = visited.page
    classes = page.locator(".classes-to-open details")
    assert classes.count() == 3
    classes.nth(2).locator("summary").focus()
    page.keyboard.press("Enter")
    open_ones = [classes.nth(i).locator("svg").first.is_visible() for i in range(3)]
    assert open_ones == [False, False, True]
    for i in range(2):
        chart = classes.nth(2).locator("svg").nth(i).bounding_box()
        assert chart["width"] > 0.6 * min(width, 600)
        assert chart["x"] + chart["width"] <= width
    assert classes.nth(2).locator("path.curve").nth(0).bounding_box()["height"] > 50
