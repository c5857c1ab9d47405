"""The documentation site: built once, strictly, and then looked through page by page."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

import click
import nbformat
import pytest
from bs4 import BeautifulSoup, Tag
from chromium import visiting

import pipeline
from pipeline.cli import main

if TYPE_CHECKING:
    from playwright.sync_api import Browser

ROOT = Path(__file__).parents[1]
NOTEBOOK = ROOT / "docs/tour.ipynb"
FUNCTIONS = [name for name in pipeline.__all__ if name[0].islower()]
CLASSES = [name for name in pipeline.__all__ if name[0].isupper()]
LOADED = {"script": "src", "img": "src", "iframe": "src", "source": "src", "video": "src", "link": "href"}
"""Attributes by which a page loads something, by the tag."""


pytestmark = pytest.mark.xdist_group("site")  # one worker builds it; others need not wait


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> dict[Path, BeautifulSoup]:
    """All pages of the site by their paths."""
    folder = tmp_path_factory.mktemp("docs") / "site"
    made = run("docs/building/build.py", "--out", str(folder))
    assert made.returncode == 0, made.stderr
    return {path: BeautifulSoup(path.read_text(), "html.parser") for path in folder.rglob("*.html")}


def run(*words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *words], cwd=ROOT, capture_output=True, text=True, check=False)


def page(site: dict[Path, BeautifulSoup], ending: str) -> BeautifulSoup:
    (found,) = [text for path, text in site.items() if path.as_posix().endswith(f"/site/{ending}")]
    return found


def commands(command: click.Command, context: click.Context) -> Iterator[click.Context]:
    yield context
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            below = command.get_command(context, name)
            assert below is not None
            yield from commands(below, click.Context(below, info_name=name, parent=context))


def test_every_public_name_has_a_page_with_its_docstring(site: dict[Path, BeautifulSoup]) -> None:
    for name in [*FUNCTIONS, *CLASSES]:
        text = page(site, f"reference/library/{name}.html")
        assert text.find(id=f"pipeline.{name}") is not None
        first = (getattr(pipeline, name).__doc__ or "").partition("\n")[0]
        assert first.replace("``", "") in text.get_text()


@pytest.mark.parametrize("name", FUNCTIONS)
def test_a_function_is_shown_with_what_it_takes_returns_and_raises(
    site: dict[Path, BeautifulSoup], name: str
) -> None:
    text = page(site, f"reference/library/{name}.html")
    signature = text.find(id=f"pipeline.{name}")
    assert isinstance(signature, Tag)
    assert "→" in signature.get_text()
    fields = {one.get_text().rstrip(":") for one in text.select(".field-list > dt")}
    documented = getattr(pipeline, name).__doc__
    assert {"Parameters", "Returns"} <= fields
    assert ("Raises" in fields) is ("Raises:" in documented)


def test_signatures_are_those_of_a_reader(site: dict[Path, BeautifulSoup]) -> None:
    for path, text in site.items():
        assert "Annotated[" not in text.get_text(), path
        assert " at 0x" not in text.get_text(), path


def test_every_command_with_every_option(site: dict[Path, BeautifulSoup]) -> None:
    seen = 0
    for context in commands(main, click.Context(main, info_name="pipeline", **main.context_settings)):
        words = context.command_path.split()
        text = page(site, f"reference/commands/{words[1] if words[1:] else 'index'}.html")
        for parameter in context.command.get_params(context):
            if isinstance(parameter, click.Option):
                for option in [*parameter.opts, *parameter.secondary_opts]:
                    place = f"cmdoption-{'-'.join(words)}-{option.lstrip('-')}"
                    assert text.find(id=place) is not None, (words, option)
                    seen += 1
            else:
                names = [one.get_text() for one in text.select("dt .descname")]
                assert parameter.make_metavar(context) in names, (words, parameter)
    assert seen > 300


def test_links_lead_to_pages_and_places_that_are_there(site: dict[Path, BeautifulSoup]) -> None:
    places = {path: {str(one["id"]) for one in text.find_all(id=True)} for path, text in site.items()}
    followed = 0
    for path, text in site.items():
        for link in text.find_all("a", href=True):
            address = urlsplit(str(link["href"]))
            if address.scheme or address.netloc:
                continue
            target = (path.parent / unquote(address.path)).resolve() if address.path else path
            assert target.is_file(), (path, link)
            if address.fragment and target.suffix == ".html":
                assert unquote(address.fragment) in places[target], (path, link)
                followed += 1
    assert followed > 500


@pytest.mark.parametrize("link", ["other.md#no-such-place", "no_such_page.md", "#no-such-place"])
def test_a_link_to_nowhere_stops_the_build(link: str, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.mkdir()
    (source / "index.md").write_text(f"# Here\n\n[there]({link})\n\n```{{toctree}}\nother\n```\n")
    (source / "other.md").write_text("# There\n")
    line = (
        "import sys, pathlib; sys.path.insert(0, 'docs/building'); import build; "
        "sys.exit(build.make_site(*map(pathlib.Path, sys.argv[1:])))"
    )
    refused = run("-c", line, str(source), str(tmp_path / "site"))
    assert refused.returncode != 0
    assert link.rpartition("#")[2] in refused.stderr


def test_no_page_loads_anything_from_elsewhere(site: dict[Path, BeautifulSoup]) -> None:
    folder = min(site, key=lambda path: len(path.parts)).parent
    for path, text in site.items():
        for tag, attribute in LOADED.items():
            for one in text.find_all(tag, {attribute: True}):
                address = urlsplit(str(one[attribute]))
                assert not address.netloc, (path, one)
                assert address.scheme in ("", "data"), (path, one)
    for style in folder.rglob("*.css"):
        for loaded in ("url(http", "url(//", 'url("http', "@import"):
            assert loaded not in style.read_text(), style


@pytest.mark.parametrize("name", ["train_head", "FeatureRequest"])
def test_search_finds_a_public_name_without_a_server(
    site: dict[Path, BeautifulSoup], browser: Browser, name: str
) -> None:
    folder = min(site, key=lambda path: len(path.parts)).parent
    with visiting(browser, f"{(folder / 'search.html').as_uri()}?q={name}") as visit:
        found = visit.page.locator("#search-results li a").first
        found.wait_for()
        assert str(found.get_attribute("href")).startswith(f"reference/library/{name}.html")
        assert not visit.problems
        assert all(address.startswith(folder.as_uri()) for address in visit.requests)


def test_the_tour_is_kept_without_outputs() -> None:
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert len(cells) == 10
    assert not any(cell.outputs or cell.execution_count for cell in cells)
    assert not any("from pipeline" in cell.source or "import pipeline." in cell.source for cell in cells)


def test_the_site_shows_the_tour_with_pictures_and_a_figure_with_its_interval(
    site: dict[Path, BeautifulSoup],
) -> None:
    text = page(site, "docs/tour.html")
    assert len(text.select(".output img")) == 3
    assert len(text.select(".output table")) >= 5
    shown = " ".join(one.get_text() for one in text.select(".output"))
    assert "95 % interval 0." in shown
    assert "95% interval" in shown
    assert "1 entry in the cache" in shown
    assert tempfile.gettempdir() not in shown
