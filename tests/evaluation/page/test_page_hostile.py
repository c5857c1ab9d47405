from __future__ import annotations

import dataclasses
import itertools

import pytest

from pipeline.evaluation.leaks.findings import Finding, Leaks, Place

HISTORY = {"loss": [2.0, 1.0, 0.5], "val_loss": [1.8, 1.1, 0.9], "accuracy": [0.3, 0.6, 0.8]}
ATTACKS = (
    "<script>window.broken = 1</script>",
    "</script><script>window.broken = 1</script>",
    '"><img src=x onerror="window.broken = 1">',
    "' onmouseover='window.broken = 1",
    "javascript:window.broken=1",
    "{{ 7 * 7 }}{% raw %}",
    "${window.broken = 1}`",
    "<!--<script>",
    "</style><style>body{display:none}",
    "__proto__",
    "constructor",
    "\N{GRINNING FACE}\N{ZERO WIDTH JOINER}日本語 עברית\u202egnp.exe",
    "two\nlines\r\u2028\u2029and \x00 a \x1b[31mbell\x07",
    "not utf-8: \udce9\ud83d",
    "&lt;b&gt; &amp; \\u003cscript\\u003e",
    "w" * 300,
    "file:///etc/passwd",
    "%s %n ../../..",
)
CONTRASTS = """() => {
  const pen = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const colours = new Map();
  const parse = (text) => {
    if (!colours.has(text)) {
      pen.clearRect(0, 0, 1, 1); pen.fillStyle = text; pen.fillRect(0, 0, 1, 1);
      colours.set(text, [...pen.getImageData(0, 0, 1, 1).data]);
    }
    return colours.get(text);
  };
  const light = (rgb) => rgb.slice(0, 3).map((c) => c / 255)
    .map((c) => (c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
    .reduce((sum, c, i) => sum + c * [0.2126, 0.7152, 0.0722][i], 0);
  const known = new Map();
  for (const element of document.querySelectorAll("body *")) {
    if (![...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim())) continue;
    if (!element.checkVisibility() || element.closest("script, option")) continue;
    const style = getComputedStyle(element);
    let under = element, back = [0, 0, 0, 0];
    for (; under && back[3] === 0; under = under.parentElement) {
      back = parse(getComputedStyle(under).backgroundColor);
    }
    const text = light(parse(element instanceof SVGElement ? style.fill : style.color)), ground = light(back);
    const ratio = (Math.max(text, ground) + 0.05) / (Math.min(text, ground) + 0.05);
    const name = element.tagName + "." + (element.getAttribute("class") || "");
    known.set(name, Math.min(ratio, known.get(name) ?? 99));
  }
  return Object.fromEntries(known);
}"""


@pytest.fixture(scope="module")
def pages():
    """Pages that tests of this file have written."""
    return []


@pytest.fixture
def hostile(make_case, pages):
    """A page in which every name is an attack, and every part has something to show; written once."""
    if not pages:
        pages.append(write_hostile(make_case).path)
    return pages[0]


def write_hostile(make_case):
    ids = [f"{attack} {i}" for i in range(4) for attack in ATTACKS]
    case = make_case(ATTACKS, n=len(ids), ids=ids, unlabelled=3, history=HISTORY)
    places = [Place("train", name, ATTACKS[i]) for i, name in enumerate(ids[: len(ATTACKS)])]
    leaks = Leaks(
        tuple(Finding("exact", one, two) for one, two in itertools.pairwise(places)),
        notes=ATTACKS[:2],
        checked={ATTACKS[0]: 3},
    )
    report = dataclasses.replace(case.report, dataset=ATTACKS[0], notes=ATTACKS, head=ATTACKS[2])
    head = dataclasses.replace(case.head, versions=dict(zip(ATTACKS, ATTACKS, strict=True)), name=ATTACKS[1])
    case = dataclasses.replace(case, report=report, head=head)
    case.write(leaks=leaks)
    return case


def test_hostile_names_run_nothing_and_are_shown_as_they_are(hostile, visit):
    opened = visit(hostile.as_uri())
    page = opened.page
    canvas, card = page.locator("#map-canvas"), page.locator("#map-card")
    canvas.focus()
    for _ in ATTACKS:
        page.keyboard.press("ArrowRight")
        assert card.is_visible()
    for choice in ("class", "right", "sure"):
        page.select_option("#map-colour", choice)
    assert page.evaluate("window.broken") is None
    assert opened.problems == []
    assert [one for one in opened.requests if not one.startswith("data:")] == [hostile.as_uri()]
    text = page.inner_text("body")
    assert "<script>window.broken = 1</script>" in text
    assert "{{ 7 * 7 }}" in text
    assert not set("\u202e\u2028\u2029\x1b\x07") & set(text)
    assert page.evaluate("document.querySelectorAll('script').length") == 2


def test_the_policy_stops_what_would_slip_through(make_case, visit):
    case = make_case(("cats", "dogs"))
    text = case.write()
    case.path.write_text(text.replace("<main>", "<main><script>window.broken = 1</script>"))
    opened = visit(case.path.as_uri())
    assert opened.page.evaluate("window.broken") is None
    assert any("Content Security Policy" in problem for problem in opened.problems)


@pytest.mark.parametrize(
    ("width", "scheme"),
    [
        (390, "dark"),
        (1280, "light"),
        # What is legible depends on the colours, and what hangs over on the width.
        *(pytest.param(*both, marks=pytest.mark.torture) for both in ((390, "light"), (1280, "dark"))),
    ],
)
def test_every_text_is_legible_and_nothing_hangs_over(hostile, visit, scheme, width):
    opened = visit(hostile.as_uri(), width=width, color_scheme=scheme)
    page = opened.page
    assert page.evaluate("document.documentElement.scrollWidth") == width
    contrasts = page.evaluate(CONTRASTS)
    assert len(contrasts) > 20
    assert {name: ratio for name, ratio in contrasts.items() if ratio < 4.5} == {}
    assert (
        page.evaluate("getComputedStyle(document.body).backgroundColor")
        == {
            "light": "rgb(255, 255, 255)",
            "dark": "rgb(18, 23, 29)",
        }[scheme]
    )
    assert opened.problems == []
