"""The page in a real browser, with hostile names of classes and files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from PIL import Image

if TYPE_CHECKING:
    from chromium import Visit
    from playwright.sync_api import Page, Route
    from running_server import Server

Open = Callable[..., "Visit"]
HOSTILE = [
    "<script>alert(1)</script>.png",
    "'\"><img src=x onerror=alert(1)>.png",
    "\N{RIGHT-TO-LEFT OVERRIDE}gnp.exe",
]
DROP = """([names, bytes]) => {
    const dropped = new DataTransfer();
    for (const name of names) dropped.items.add(new File([Uint8Array.from(bytes)], name));
    return dropped;
}"""


def drop(page: Page, names: list[str], content: bytes) -> None:
    """Drops files of the same content onto the page."""
    dropped = page.evaluate_handle(DROP, [names, list(content)])
    page.dispatch_event("body", "dragover", {"dataTransfer": dropped})
    page.dispatch_event("body", "drop", {"dataTransfer": dropped})


def answered(page: Page, count: int) -> None:
    """Waits until so many images have their answer and its pictures are there."""
    page.locator(".card .state[hidden]").nth(count - 1).wait_for(state="attached")
    page.wait_for_load_state("networkidle")


def drawn(page: Page) -> list[bool]:
    """Tells of each picture on the page whether it shows something."""
    return page.locator("img").evaluate_all("pictures => pictures.map((one) => one.naturalWidth > 0)")


def test_chosen_images_get_bars_and_pictures(server: Server, visit: Open) -> None:
    shown = visit(server.url)
    chosen = [server.photos.files("train")[3], server.photos.files("test")[0]]
    shown.page.set_input_files("#files", chosen)
    answered(shown.page, 2)
    assert shown.page.locator("figcaption").all_text_contents() == [path.name for path in chosen]
    assert drawn(shown.page) == [True] * 2 * (1 + 6)
    widths = [box["width"] for box in (bar.bounding_box() for bar in shown.page.locator(".fill").all())]
    assert max(widths) > 50
    assert sorted(widths[:2], reverse=True) == widths[:2]
    names = shown.page.locator(".classes .name").all_text_contents()
    assert set(names) == {path.parent.name for path in server.photos.files("train")}
    assert shown.page.locator(".same").all_text_contents() == ["this very image"]
    assert "logreg on photos: 2 classes" in shown.page.locator("#about").text_content()
    assert "training images (cosine of features)" in shown.page.locator("h2").first.text_content()
    assert shown.problems == []
    own = (server.url, f"blob:{server.url}", "data:")
    assert all(address.startswith(own) for address in shown.requests)


def test_dropped_files_with_hostile_names_stay_text(server: Server, visit: Open) -> None:
    shown = visit(server.url)
    drop(shown.page, HOSTILE, server.photos.files("test")[0].read_bytes())
    answered(shown.page, len(HOSTILE))
    assert shown.page.locator("figcaption").all_text_contents() == HOSTILE
    assert shown.page.locator("script").count() == 1
    assert shown.problems == []


def test_a_file_that_is_no_image_fails_alone(server: Server, visit: Open) -> None:
    shown = visit(server.url)
    drop(shown.page, ["text.png"], b"<script>alert(1)</script>")
    drop(shown.page, ["good.png"], server.photos.files("test")[0].read_bytes())
    answered(shown.page, 1)
    bad = shown.page.locator(".state.problem")
    bad.wait_for()
    assert bad.text_content().startswith("No answer: no image of a known format")
    assert shown.page.get_by_text("no preview").is_visible()
    assert shown.page.locator("#progress").text_content() == "2 images"
    assert [line for line in shown.problems if "status of 422" not in line] == []


def test_limits_are_told_before_anything_is_sent(server: Server, visit: Open, tmp_path: Path) -> None:
    shown = visit(server.url)
    drop(shown.page, [f"{i}.png" for i in range(101)], b"x")
    problem = shown.page.locator("#problem")
    shown.page.get_by_text("101 files at a time are too many: drop up to 100.").wait_for()
    drop(shown.page, [], b"")
    shown.page.get_by_text("There was no file in what you dropped.").wait_for()
    large = tmp_path / "large.png"
    with open(large, "wb") as file:
        file.truncate(20 * 2**20 + 2**19 + 1)
    shown.page.set_input_files("#files", large)
    shown.page.locator(".state.problem").wait_for()
    assert shown.page.locator(".state").text_content() == "No answer: the file has 21 MB, the limit is 20 MB"
    assert problem.is_hidden()
    assert not [address for address in shown.requests if address.endswith("/predict")]
    shown.page.click("#clear")
    assert shown.page.locator(".card").count() == 0
    assert shown.page.locator("#actions").is_hidden()


def test_files_that_are_dropped_at_once_wait_for_the_page(server: Server, visit: Open) -> None:
    shown = visit("about:blank")

    def late(route: Route) -> None:
        drop(shown.page, ["early.png"], server.photos.files("test")[0].read_bytes())
        route.continue_()

    shown.page.route("**/about", late)
    shown.page.goto(server.url)
    answered(shown.page, 1)
    assert shown.page.locator("#problem").is_hidden()


def test_the_page_leads_to_the_routes_and_back(server: Server, visit: Open) -> None:
    shown = visit(server.url)
    shown.page.get_by_role("link", name="all routes").click()
    assert shown.page.url == f"{server.url}api"
    shown.page.get_by_role("link", name="The page for dropped images").click()
    assert shown.page.url == server.url
    assert shown.problems == []


def test_a_server_that_is_gone_is_told(server: Server, visit: Open) -> None:
    shown = visit(server.url)
    shown.page.locator("#about", has_text="logreg").wait_for()
    shown.page.context.set_offline(True)
    drop(shown.page, ["a.png"], b"x")
    shown.page.locator(".state.problem").wait_for()
    assert "the server does not answer" in shown.page.locator(".state").text_content()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_on_a_phone_nothing_sticks_out(scheme: str, server: Server, visit: Open) -> None:
    shown = visit(server.url, width=390, height=800, color_scheme=scheme)
    drop(shown.page, ["long" * 60 + ".png"], server.photos.files("test")[0].read_bytes())
    answered(shown.page, 1)
    assert shown.page.evaluate("() => document.documentElement.scrollWidth") == 390
    ground = shown.page.evaluate("() => getComputedStyle(document.body).backgroundColor")
    light = sum(map(int, ground.strip("rgb()").split(","))) > 3 * 128
    assert light == (scheme == "light")


def test_the_keyboard_reaches_the_files_and_it_shows(server: Server, visit: Open) -> None:
    shown = visit(server.url)
    outline = "() => getComputedStyle(document.querySelector('#drop')).outlineStyle"
    assert shown.page.evaluate(outline) == "none"
    shown.page.keyboard.press("Tab")
    assert shown.page.evaluate("() => document.activeElement.id") == "files"
    assert shown.page.evaluate(outline) == "solid"


def test_a_large_picture_arrives_whole(server: Server, visit: Open, tmp_path: Path) -> None:
    Image.effect_noise((1600, 1600), 100).save(tmp_path / "large.bmp")
    shown = visit(server.url)
    shown.page.set_input_files("#files", tmp_path / "large.bmp")
    answered(shown.page, 1)
    assert all(drawn(shown.page))


def test_what_spoke_for_the_class_is_laid_over_the_picture(server: Server, visit: Open) -> None:
    shown = visit(server.url)
    shown.page.set_input_files("#files", server.photos.files("test")[0])
    answered(shown.page, 1)
    button, canvas = shown.page.locator(".why"), shown.page.locator(".stage canvas")
    assert not canvas.is_visible()
    best = shown.page.locator(".classes .name").first.text_content()
    assert button.text_content() == f"What spoke for {best}"
    button.click()
    assert canvas.is_visible()
    assert button.get_attribute("aria-pressed") == "true"
    picture = shown.page.locator(".stage img")
    assert canvas.bounding_box() == picture.bounding_box()
    painted = "one => one.getContext('2d').getImageData(0, 0, one.width, one.height).data.some((x) => x > 0)"
    assert canvas.evaluate(painted)
    button.click()
    assert not canvas.is_visible()
    assert shown.problems == []


def test_evidence_lies_in_the_part_that_the_base_was_shown(server: Server, visit: Open) -> None:
    shown = visit("about:blank")
    middle = {"geometry": {"edge": 64, "keeps_ratio": True}, "image_size": 32}
    shown.page.route("**/about", lambda route: route.fulfill(json=route.fetch().json() | middle))
    shown.page.goto(server.url)
    shown.page.set_input_files("#files", server.photos.files("test")[0])
    answered(shown.page, 1)
    shown.page.locator(".why").click()
    painted = """one => {
        const { data } = one.getContext("2d").getImageData(0, 0, one.width, one.height);
        const rows = [];
        data.forEach((value, i) => { if (i % 4 === 3 && value) rows.push(Math.floor(i / 4 / one.width)); });
        return [Math.min(...rows) / one.height, Math.max(...rows) / one.height];
    }"""
    first, last = shown.page.locator(".stage canvas").evaluate(painted)
    assert 0.24 < first < last < 0.76
    assert shown.problems == []


def test_what_is_unlike_all_of_the_training_is_marked(server: Server, visit: Open) -> None:
    shown = visit("about:blank")
    rule = {"threshold": 0.5, "rate": 0.01, "val_rows": 1000}

    def known(route: Route) -> None:
        about = route.fetch().json() | {"familiarity": rule, "coverage": 0.95}
        route.fulfill(json=about)

    def strange(route: Route) -> None:
        answer = route.fetch().json()
        answer |= {"familiar": False, "familiarity": 0.25, "set": [answer["top"][0]["class"]]}
        route.fulfill(json=answer)

    shown.page.route("**/about", known)
    shown.page.route("**/predict", strange)
    shown.page.goto(server.url)
    shown.page.set_input_files("#files", server.photos.files("test")[0])
    answered(shown.page, 1)
    told = shown.page.locator(".strange").text_content()
    assert "its familiarity is 0.250, and only 1.00 % of 1,000 validation images are below 0.500" in told
    assert "95.00 % of the cases" in shown.page.locator(".set").text_content()
    assert "a fox may be answered as a dog" in shown.page.locator("#blind").text_content()
    assert shown.problems == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_page_of_routes_needs_nothing_from_outside(scheme: str, server: Server, visit: Open) -> None:
    shown = visit(f"{server.url}api", width=390, height=800, color_scheme=scheme)
    assert shown.page.locator("#route-predict_batch h2").text_content() == "POST /predict/batch"
    assert shown.page.evaluate("() => document.documentElement.scrollWidth") == 390
    border = "() => getComputedStyle(document.querySelector('.route')).borderTopStyle"
    assert shown.page.evaluate(border) == "solid"
    assert shown.problems == []
    assert all(address.startswith((server.url, "data:")) for address in shown.requests)
