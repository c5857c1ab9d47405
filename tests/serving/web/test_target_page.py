"""Labels and numbers on the page, in a real browser, with hostile names of labels and numbers."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest
from target_photos import NAMES

if TYPE_CHECKING:
    from chromium import Visit
    from playwright.sync_api import Page, Route
    from running_server import Server

Open = Callable[..., "Visit"]


def answered(page: Page) -> None:
    page.locator(".card .state[hidden]").wait_for(state="attached")
    page.wait_for_load_state("networkidle")


def test_every_label_has_a_bar_its_threshold_and_a_verdict(labelling: Server, visit: Open) -> None:
    shown = visit(labelling.url)
    image, page = labelling.photos.files("train")[1], shown.page
    page.set_input_files("#files", image)
    answered(page)
    answer = json.loads(labelling.ask("/predict", image.read_bytes())[2])
    names = page.locator(".classes .name").all_text_contents()
    assert {*names} == {*NAMES["labels"]}
    assert names[: len(answer["labels"])] == answer["labels"]
    verdicts = page.locator(".classes .verdict").all_text_contents()
    assert verdicts == ["yes" if name in answer["labels"] else "no" for name in names]
    shares = page.locator(".classes .share").all_text_contents()
    assert shares == [f"{100 * answer['probabilities'][name]:.2f} %" for name in names]
    assert page.locator(".classes .threshold").count() == len(names)
    assert page.locator(".nearest b").first.text_content() == NAMES["labels"][0]
    assert "ridge on set: 3 labels, mean average precision" in page.locator("#about").text_content()
    assert page.locator(".why:visible").count() == len(answer["labels"]) > 0
    assert shown.problems == []


def test_what_raised_or_lowered_each_number_is_laid_over_the_picture(measuring: Server, visit: Open) -> None:
    shown = visit(measuring.url)
    image, page = measuring.photos.files("train")[1], shown.page
    page.set_input_files("#files", image)
    answered(page)
    answer = json.loads(measuring.ask("/predict", image.read_bytes())[2])
    assert page.locator(".classes .name").all_text_contents() == [*NAMES["number"]]
    values = [float(one) for one in page.locator(".classes .value").all_text_contents()]
    assert values == pytest.approx([*answer["numbers"].values()], rel=1e-5)
    assert " to " in page.locator(".classes .interval").first.text_content()
    assert page.locator(".nearest b").first.text_content() == "<b>age</b> 1.5, =size 2.5"
    buttons, canvas = page.locator(".why"), page.locator(".stage canvas")
    assert buttons.all_text_contents() == [f"What raised or lowered {name}" for name in NAMES["number"]]
    drawn = []
    for button in buttons.all():
        button.click()
        assert canvas.is_visible()
        assert page.locator(".why[aria-pressed=true]").all_text_contents() == [button.text_content()]
        drawn.append(canvas.evaluate("one => one.toDataURL()"))
    assert len({*drawn}) == len(drawn)
    buttons.last.click()
    assert not canvas.is_visible()
    assert shown.problems == []


def test_of_very_many_labels_those_that_are_left_out_are_counted(labelling: Server, visit: Open) -> None:
    def many(route: Route) -> None:
        names = [f"label {i}" for i in range(30)]
        made = {
            "labels": [],
            "probabilities": {name: i / 100 for i, name in enumerate(names)},
            "thresholds": dict.fromkeys(names, 0.5),
            "evidence": {},
            "familiar": False,
            "familiarity": 0.1,
        }
        route.fulfill(json=route.fetch().json() | made)

    shown = visit("about:blank")
    shown.page.route("**/predict", many)
    shown.page.goto(labelling.url)
    shown.page.set_input_files("#files", labelling.photos.files("test")[0])
    answered(shown.page)
    names = shown.page.locator(".classes .name").all_text_contents()
    assert names == [f"label {i}" for i in range(29, 9, -1)]
    told = shown.page.locator(".set").text_content()
    assert told == (
        "None of the labels reaches its threshold. Not shown, and below their thresholds: 10 less probable."
    )
    assert "The labels below mean nothing" in shown.page.locator(".strange").text_content()
    assert shown.page.locator(".why:visible").count() == 0
    assert shown.problems == []


@pytest.mark.parametrize("which", ["labelling", "measuring"])
def test_on_a_phone_nothing_sticks_out(which: str, request: pytest.FixtureRequest, visit: Open) -> None:
    running = request.getfixturevalue(which)
    shown = visit(running.url, width=390, height=800)
    shown.page.set_input_files("#files", running.photos.files("train")[2])
    answered(shown.page)
    assert shown.page.evaluate("() => document.documentElement.scrollWidth") == 390
    assert shown.problems == []
