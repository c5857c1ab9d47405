"""Progress goes to stderr: plain lines in a log, a bar in a terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from pipeline import progress as progress_module
from pipeline.progress import late_progress, progress, say


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[float]]:
    """The time in seconds, as the progress sees it."""
    now = [0.0]
    monkeypatch.setattr(progress_module.time, "monotonic", lambda: now[0])
    return now


def test_messages_go_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    say("a message")
    assert capsys.readouterr() == ("", "a message\n")


def test_a_log_gets_a_line_now_and_then(clock: list[float], capsys: pytest.CaptureFixture[str]) -> None:
    with progress("stage one", 2000, "images") as advance:
        for second in range(1, 21):
            clock[0] = float(second)
            advance(100)
    stdout, stderr = capsys.readouterr()
    assert stdout == ""
    assert stderr.splitlines() == [
        "stage one: 500/2,000 images, 100 images/s, 15 s left",
        "stage one: 1,000/2,000 images, 100 images/s, 10 s left",
        "stage one: 1,500/2,000 images, 100 images/s, 5 s left",
    ]


def test_a_short_step_says_nothing(clock: list[float], capsys: pytest.CaptureFixture[str]) -> None:
    with progress("stage one", 10) as advance:
        clock[0] = 4.9
        advance(10)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize(("seconds", "lines"), [(1.9, 0), (20, 3)])
def test_a_late_step_tells_its_whole_rate_and_a_short_one_nothing(
    seconds: float, lines: int, clock: list[float], capsys: pytest.CaptureFixture[str]
) -> None:
    with late_progress("intervals", 20, "resamples") as advance:
        for done in range(1, 21):
            clock[0] = seconds * done / 20
            advance(1)
    told = capsys.readouterr().err.splitlines()
    assert len(told) == lines
    assert all("1 resamples/s" in line for line in told)


def test_a_late_step_has_no_bar_before_its_time(
    clock: list[float], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    for seconds, shown in ((1.0, False), (3.0, True)):
        clock[0] = 0.0
        with late_progress("intervals", 30, "resamples") as advance:
            clock[0] = seconds
            advance(10)
            advance(20)
        assert ("intervals" in capsys.readouterr().err) is shown


def test_a_terminal_gets_a_bar(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
    with progress("stage one", 30, "images") as advance:
        advance(10)
        advance(20)
    stdout, stderr = capsys.readouterr()
    assert stdout == ""
    assert "stage one" in stderr
    assert "30/30" in stderr


@pytest.mark.parametrize("terminal", [False, True])
def test_an_error_passes_through(terminal: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal, raising=False)
    with pytest.raises(ZeroDivisionError), progress("stage one", 30):
        raise ZeroDivisionError
