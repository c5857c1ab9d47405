"""Real pages in a real browser: headless Chromium, driven by Playwright."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import Browser, ConsoleMessage, Dialog, Page

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")


def find_chromium() -> str | None:
    """Returns the program to start: ``$CHROMIUM``, or the first on the path; None where there is none.

    Nothing is ever downloaded: Debian has it as the package ``chromium``.
    """
    named = os.environ.get("CHROMIUM")
    return named or next(filter(None, map(shutil.which, NAMES)), None)


@dataclass
class Visit:
    """A page that is open, and all that went wrong on it.

    Attributes:
        page: Playwright's page.
        problems: Errors and warnings on the console, scripts that failed, dialogs that opened.
        requests: Every address that was asked for.
    """

    page: Page
    problems: list[str] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.on("console", self._heard)
        self.page.on("pageerror", lambda error: self.problems.append(f"script failed: {error}"))
        self.page.on("dialog", self._refuse)
        self.page.on("request", lambda request: self.requests.append(request.url))

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning", "assert"):
            self.problems.append(f"{message.type}: {message.text}")

    def _refuse(self, dialog: Dialog) -> None:
        self.problems.append(f"dialog: {dialog.message}")
        dialog.dismiss()


@contextmanager
def running_browser(program: str) -> Iterator[Browser]:
    """Starts the browser and stops it at the end.

    Playwright keeps an event loop running in this thread meanwhile: start servers in threads or processes
    of their own.
    """
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program)
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def visiting(
    browser: Browser, address: str, *, width: int = 1280, height: int = 900, **context: Any
) -> Iterator[Visit]:
    """Opens an address in a fresh window, in which nothing glides: a page is where it was sent at once.

    Args:
        browser: A running browser.
        address: ``file://...`` or ``http://...``.
        width: Width of the window in CSS pixels.
        height: Its height.
        context: More for Playwright's ``new_context``, e.g. ``color_scheme="dark"``, ``has_touch=True``.
    """
    options = {"viewport": {"width": width, "height": height}, "reduced_motion": "reduce", **context}
    window = browser.new_context(**options)
    try:
        visit = Visit(window.new_page())
        visit.page.goto(address)
        yield visit
    finally:
        window.close()
