from __future__ import annotations

HISTORY = {"loss": [2.0, 1.0, 0.5], "val_loss": [1.8, 1.1, 0.9], "accuracy": [0.3, 0.6, 0.8]}
COLOURS = """(id) => {
  const shown = document.getElementById(id), copy = new OffscreenCanvas(shown.width, shown.height);
  const pen = copy.getContext("2d", { willReadFrequently: true });
  pen.drawImage(shown, 0, 0);
  return new Set(new Uint32Array(pen.getImageData(0, 0, copy.width, copy.height).data.buffer)).size;
}"""


def stages(page):
    return page.locator("#map-canvas"), page.locator("#map-card")


def test_the_map_is_drawn_and_a_point_shows_its_picture(make_case, visit):
    case = make_case(("cats", "dogs"), n=40)
    case.write()
    opened = visit(case.path.as_uri())
    page = opened.page
    canvas, card = stages(page)
    assert page.evaluate(COLOURS, "map-canvas") > 5
    assert card.is_hidden()
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    places = [
        (box["x"] + x, box["y"] + y)
        for x in range(0, int(box["width"]), 24)
        for y in range(0, int(box["height"]), 24)
    ]
    seen = set()
    for place in places:
        page.mouse.move(*place)
        if card.is_visible():
            seen.add(page.inner_text("#map-name"))
            assert page.evaluate(COLOURS, "map-thumb") > 3
        if len(seen) > 3:
            break
    assert len(seen) > 3
    assert seen <= set(case.report.rows.ids)
    page.mouse.move(2, 2)
    assert card.is_hidden()
    assert opened.problems == []


def test_the_card_tells_the_truth_the_answer_and_stays_inside(make_case, visit):
    case = make_case(("cats", "dogs"), n=30)
    case.write()
    page = visit(case.path.as_uri(), width=390, height=800).page
    canvas, card = stages(page)
    canvas.focus()
    report = case.report
    for _ in range(30):
        page.keyboard.press("ArrowRight")
        row = report.rows.ids.index(page.inner_text("#map-name"))
        guess, truth = report.probabilities[row].argmax(), report.rows.labels[row]
        assert page.inner_text("#map-truth") == f"is {report.figures.classes[truth]}"
        said = page.inner_text("#map-guess")
        assert said.startswith("predicted" if guess == truth else "taken for")
        assert f"{report.figures.classes[guess]}, {report.probabilities[row].max():.1%}"[:-1] in said
        stage, shown = page.locator("#map-stage").bounding_box(), card.bounding_box()
        assert stage["x"] <= shown["x"]
        assert shown["x"] + shown["width"] <= stage["x"] + stage["width"]
    page.keyboard.press("Escape")
    assert card.is_hidden()


def test_a_tap_shows_the_card_and_the_menus_change_the_picture(make_case, visit):
    case = make_case(("cats", "dogs"), n=3 * 40)
    case.write()
    page = visit(case.path.as_uri(), width=390, height=800, has_touch=True, is_mobile=True).page
    canvas, card = stages(page)
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    for x in range(20, int(box["width"]), 18):
        page.touchscreen.tap(box["x"] + x, box["y"] + box["height"] / 2)
        if card.is_visible():
            break
    assert card.is_visible()
    pictures = {page.evaluate("document.getElementById('map-canvas').toDataURL()")}
    page.select_option("#map-layout", "PCA")
    pictures.add(page.evaluate("document.getElementById('map-canvas').toDataURL()"))
    page.select_option("#map-colour", "sure")
    pictures.add(page.evaluate("document.getElementById('map-canvas').toDataURL()"))
    page.check("#map-wrong")
    pictures.add(page.evaluate("document.getElementById('map-canvas').toDataURL()"))
    page.click("#map-in")
    pictures.add(page.evaluate("document.getElementById('map-canvas').toDataURL()"))
    assert len(pictures) == 5
    assert card.is_hidden()


def test_counts_turn_into_shares_and_pictures_are_loaded(make_case, visit):
    case = make_case(("cats", "dogs"))
    case.write()
    page = visit(case.path.as_uri()).page
    hits = page.locator(".matrix .hit").first
    count = int(hits.inner_text())
    page.check("#shares")
    assert hits.inner_text() == f"{count / case.report.figures.per_class[0].support:.1%}"
    loaded = page.evaluate(
        "[...document.images].filter((one) => one.src).map((one) => one.complete && one.naturalWidth > 0)"
    )
    assert len(loaded) > 20
    assert all(loaded)


def test_without_scripts_all_but_the_map_and_the_filter_is_there(make_case, visit):
    case = make_case(("cats", "dogs"), history=HISTORY)
    case.write()
    page = visit(case.path.as_uri(), java_script_enabled=False).page
    text = page.inner_text("body")
    assert "The map needs JavaScript" in text
    assert not page.locator("#gallery-controls").is_visible()
    assert all(word in text for word in ("Figures", "Worst mistakes", "Learning curves", "Calibration"))


def test_on_paper_the_page_is_light_and_has_no_controls(make_case, visit):
    case = make_case(("cats", "dogs"))
    case.write()
    page = visit(case.path.as_uri(), color_scheme="dark").page
    page.emulate_media(media="print", color_scheme="dark")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    assert not page.locator("nav").is_visible()
    assert page.locator(".controls").count() > 1
    assert page.locator(".controls:visible").count() == 0
    assert page.pdf().startswith(b"%PDF")
