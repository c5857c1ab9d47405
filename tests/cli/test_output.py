"""How much is said: options that every command takes, in front of nothing and behind everything."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from click.testing import Result

from pipeline.progress import Loudness, progress, say, speak

Cli = Callable[..., Result]
EXTRACT = ("extract", "--backbone", "pixels", "--image-size", "4")


@pytest.fixture(autouse=True)
def usual(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leaves the colours and the loudness of this process as they are."""
    monkeypatch.setenv("NO_COLOR", "")
    speak(Loudness.USUAL)


@pytest.mark.parametrize("option", ["-q", "--quiet"])
def test_quiet_says_nothing_but_prints_what_was_asked_for(option: str, cli: Cli) -> None:
    loud, quiet = cli(*EXTRACT), cli(*EXTRACT, option)
    assert "10 classes" in loud.stderr
    assert quiet.stderr == ""
    assert quiet.stdout.splitlines()[0] == loud.stdout.splitlines()[0]
    assert "10 classes" in cli(*EXTRACT).stderr


def test_quiet_keeps_errors_and_warnings(cli: Cli, capsys: pytest.CaptureFixture[str]) -> None:
    refused = cli("extract", "--data", "nowhere", "-q")
    assert refused.exit_code == 2
    assert "nowhere" in refused.stderr
    speak(Loudness.QUIET)
    say("a note")
    say("WARNING: the disk is full")
    with progress("work", 1) as advance:
        advance(1)
    speak(Loudness.USUAL)
    assert capsys.readouterr().err == "WARNING: the disk is full\n"


@pytest.mark.parametrize("option", ["-v", "--verbose"])
def test_verbose_says_when_and_where(option: str, cli: Cli) -> None:
    lines = cli(*EXTRACT, option).stderr.splitlines()
    assert all(re.match(r" *\d+\.\d\d s  ", line) for line in lines)
    assert "Python 3." in lines[0]


def test_no_colour_where_none_is_wanted(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.delenv("NO_COLOR")
    assert cli(*EXTRACT).exit_code == 0
    assert cli("train-head").exit_code == 0
    assert "\x1b[" in cli("evaluate", "--no-page", color=True).stdout
    plain = cli("evaluate", "--no-page", "--no-color", color=True).stdout
    assert "accuracy" in plain
    assert not re.search(r"\x1b\[[0-9;]*3[0-9]", plain)
