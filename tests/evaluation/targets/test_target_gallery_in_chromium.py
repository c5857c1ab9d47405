"""The page of labels in a browser: images are enlarged, and those found that are wrong about a label."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest
from chromium import Visit

from pipeline.cache import FeatureSet
from pipeline.evaluation.targets import TargetReport, evaluate_targets
from pipeline.evaluation.targets import page as page_of_targets
from pipeline.evaluation.targets.gallery import mistakes
from pipeline.heads import TrainedHead

SHOWN = (
    "[...document.querySelectorAll('#gallery-groups .shot')].filter((one) => one.checkVisibility()).length"
)


DOT = "data:image/gif;base64,R0lGODlhAQABAIAAAAAAAP///yH5BAEAAAAALAAAAAABAAEAAAIBRAA7"


@pytest.mark.parametrize("width", [1280, 390])
@pytest.mark.parametrize("target", ["labels", "number"])
def test_mistakes_are_enlarged_and_those_of_one_label_found(
    target: str,
    width: int,
    trained: Callable[[str], TrainedHead],
    make_targets: Callable[..., FeatureSet],
    visit: Callable[..., Visit],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    report: TargetReport = evaluate_targets(trained(target), make_targets(target, "test"))
    if target == "labels":  # every third image has a label less than it is said to have
        wrong = report.truth.copy()
        wrong[::3, 0] = 1 - wrong[::3, 0]
        report = replace(report, truth=wrong)
    monkeypatch.setattr(page_of_targets, "encoded", lambda album, ids, size: dict.fromkeys(ids, DOT))
    folder: Path = report.write(page=partial(page_of_targets.write_target_page, report))
    visited = visit((folder / "report.html").as_uri(), width=width)
    page = visited.page
    menu = page.locator("#gallery-class")
    assert menu.count() == (target == "labels")
    if target == "labels":
        found = mistakes(report).shown
        name = report.trained.classes[0]
        expected = sum(name in one.names for one in found)
        menu.select_option(name)
        assert page.inner_text("#gallery-count") == f"{expected} of the {len(found)} images here"
        assert page.evaluate(SHOWN) == expected > 0
    page.locator(".enlarge").first.click()
    assert page.locator("#gallery-large").is_visible()
    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert visited.problems == []
