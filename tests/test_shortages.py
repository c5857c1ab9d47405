"""What a machine lacks for a moment is tried again, alone, and then told as what it is."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from pipeline.memory import ShortageError, can_have, shortage, with_room

LACKING = [
    pytest.param(MemoryError(), "the memory does not suffice", id="memory"),
    *(
        pytest.param(OSError(number, os.strerror(number)), words, id=errno.errorcode[number])
        for number, words in [
            (errno.ENOMEM, "the memory does not suffice"),
            (errno.EMFILE, "too many files are open in this process.*ulimit -n"),
            (errno.ENFILE, "too many files are open on this machine"),
        ]
    ),
]
TIMEOUT_S = 20


def failing(error: Exception, times: int) -> Callable[[], str]:
    """Makes an action that fails so many times, and counts."""
    left = [error] * times

    def action() -> str:
        if left:
            raise left.pop()
        return "done"

    return action


@pytest.mark.parametrize(("error", "words"), LACKING)
def test_it_is_tried_once_more(error: Exception, words: str) -> None:
    assert with_room(failing(error, 1), to="read 'a.png'") == "done"
    with pytest.raises(ShortageError, match=f"^cannot read 'a.png': {words}") as caught:
        with_room(failing(error, 2), to="read 'a.png'")
    assert "All finished rows are kept" in str(caught.value)
    assert "run the same command again" in str(caught.value)
    assert caught.value.exit_code == 1


@pytest.mark.parametrize("error", [OSError(errno.EIO, "bad disk"), FileNotFoundError(), ValueError("no")])
def test_other_errors_are_raised_at_once(error: Exception) -> None:
    with pytest.raises(type(error)):
        with_room(failing(error, 1), to="read")
    assert shortage(error) == 0


def test_the_second_time_nothing_else_runs() -> None:
    inside, worst, started = [], [], threading.Event()

    def plain() -> None:
        inside.append(1)
        started.set()
        threading.Event().wait(0.005)
        inside.pop()

    tries = []

    def greedy() -> str:
        tries.append(1)
        if len(tries) == 1:
            started.wait(TIMEOUT_S)
            raise MemoryError
        for _ in range(5):
            worst.append(len(inside))
            threading.Event().wait(0.005)
        return "done"

    with ThreadPoolExecutor(4) as pool:
        others = [pool.submit(with_room, plain, to="read") for _ in range(20)]
        assert with_room(greedy, to="read") == "done"
        for other in others:
            other.result(TIMEOUT_S)
    assert worst == [0] * 5


def test_two_that_fail_wait_for_each_other() -> None:
    with ThreadPoolExecutor(4) as pool:
        futures = [pool.submit(with_room, failing(MemoryError(), i % 2), to="read") for i in range(40)]
        assert [future.result(TIMEOUT_S) for future in futures] == ["done"] * 40


def test_within_an_action_it_only_calls_the_action() -> None:
    calls = []

    def inner() -> str:
        calls.append(1)
        if len(calls) == 1:
            raise MemoryError
        return "done"

    assert with_room(lambda: with_room(inner, to="decode"), to="read") == "done"
    assert len(calls) == 2


def test_what_the_system_would_give_is_asked() -> None:
    assert can_have(0)
    assert can_have(2**20)
    assert not can_have(2**62)
    assert not can_have(2**80)
