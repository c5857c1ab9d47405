"""Every command of docs/labels-and-numbers.md runs as it stands, and prints figures as the page has them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image

from pipeline.cli import main
from pipeline.images import open_images

PAGE = (Path(__file__).resolve().parents[2] / "docs/labels-and-numbers.md").read_text()
BLOCKS = re.findall(r"```(sh|text)\n(.*?)```", PAGE, re.DOTALL)
COMMANDS = [line for kind, text in BLOCKS if kind == "sh" for line in text.splitlines()]
LISTED = re.findall(r"^\| `(pipeline .+?)` \|", PAGE, re.MULTILINE)
QUICK = [line for line in LISTED if line.split()[1] not in ("choose", "serve")]
"""Commands of the table that end by themselves, and in seconds; the other two have tests of their own."""
FIGURE = re.compile(r"  (?P<name>\S.*?) {2,}(?P<value>\d+\.\d+)  \((?P<low>\S+) to (?P<high>\S+)\)")
"""A figure with its interval, as it stands in a terminal."""


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """What each command printed, in the order of the page and in one folder."""
    folder = tmp_path_factory.mktemp("page")
    (folder / "photos").mkdir()
    random = np.random.default_rng(0)
    lines = ["path,label,weight"]
    for number in range(120):
        pixels = random.integers(0, 256, (16, 16, 3), np.uint8)
        Image.fromarray(pixels).save(folder / f"photos/{number}.png")
        lines.append(f"photos/{number}.png,{('cat;indoor', 'dog', ';', '')[number % 4]},{number / 2}")
    (folder / "photos.csv").write_text("\n".join(lines) + "\n")
    for name, address in (("pair", "builtin:digit-pairs"), ("turned", "builtin:turned-digits")):
        source = open_images(address)
        first = next(item for item in source.items() if item.split == "test")
        Image.fromarray(np.asarray(source.read(first))).save(folder / f"{name}.png")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        found = {}
        train = "pipeline train-head --name photos --head ridge"  # what the table builds on
        for line in [*COMMANDS, train, *QUICK]:
            done = CliRunner().invoke(main, shlex.split(line, comments=True)[1:])
            found[line] = done.stdout if done.exit_code == 0 else f"failed: {done.output}"
        yield found


@pytest.mark.parametrize("line", [*COMMANDS, *QUICK])
def test_a_command_of_the_page_runs(line: str, printed: dict[str, str]) -> None:
    assert line.startswith("pipeline ")
    assert not printed[line].startswith("failed: "), printed[line]


@pytest.mark.parametrize("shown", [text for kind, text in BLOCKS if kind == "text" and "test split" in text])
def test_figures_are_those_that_are_printed(shown: str, printed: dict[str, str]) -> None:
    head, data = re.match(r"(\S+) on (\S+), test split", shown).groups()  # type: ignore[union-attr]
    (line,) = [line for line in COMMANDS if f"evaluate --name {data} --head {head} --split test" in line]
    measured = {found["name"]: found for found in FIGURE.finditer(printed[line])}
    expected = list(FIGURE.finditer(shown))
    assert len(expected) == 4
    for figure in expected:
        now = float(measured[figure["name"]]["value"])
        assert float(figure["low"]) < now < float(figure["high"]), figure["name"]


def test_answers_have_the_form_of_the_page(printed: dict[str, str]) -> None:
    told = {line.split()[2]: text for line, text in printed.items() if line.startswith("pipeline predict")}
    assert re.search(r"^pair\.png  \d \d+\.\d\d%", told["pair.png"], re.MULTILINE)
    assert re.search(r"^turned\.png  angle -?\d+\.\d+", told["turned.png"], re.MULTILINE)
