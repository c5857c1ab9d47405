"""A signal ends a command in time, whatever native code is at, and finished work is kept."""

from __future__ import annotations

import shlex
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from pipeline.stopping import EXIT_CODE, SIGNALS, kept_when_stopped, stoppable

BUSY = """
import hashlib, os, sys
from contextlib import suppress
from pathlib import Path
from pipeline.stopping import kept_when_stopped, stoppable

with stoppable(lambda: print("last words", flush=True)), kept_when_stopped(Path(sys.argv[1]).touch):
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)
    for word in ("busy\\n", ""):
        with suppress(KeyboardInterrupt):  # where the signal is faster than the next line
            print(word, end="", flush=True)
            hashlib.pbkdf2_hmac("sha256", b"", b"", 2**31 - 1)  # many minutes, in which no handler runs
"""


@pytest.mark.parametrize("number", SIGNALS, ids=[number.name for number in SIGNALS])
def test_native_code_is_no_hiding_place(number: signal.Signals, tmp_path: Path) -> None:
    kept = tmp_path / "kept"
    command = [sys.executable, "-c", BUSY, str(kept)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "busy\n"
        process.send_signal(number)
        process.send_signal(number)  # an impatient user
        stdout, stderr = process.communicate(timeout=60)
    assert process.returncode == EXIT_CODE
    assert stdout == "last words\n"
    assert stderr == ""
    assert kept.exists()


@pytest.mark.parametrize("number", SIGNALS, ids=[number.name for number in SIGNALS])
def test_a_signal_is_an_interrupt_and_afterwards_what_it_was(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    with stoppable(pytest.fail):
        assert signal.getsignal(number) is not before
    assert signal.getsignal(number) is before


def test_an_ignored_signal_stays_ignored(monkeypatch: pytest.MonkeyPatch) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with stoppable(pytest.fail):
            signal.raise_signal(signal.SIGHUP)
    finally:
        signal.signal(signal.SIGHUP, before)


def test_another_thread_is_left_alone() -> None:
    entered = []

    def work() -> None:
        with stoppable(pytest.fail), kept_when_stopped(pytest.fail):
            entered.append(signal.getsignal(signal.SIGTERM))

    before = signal.getsignal(signal.SIGTERM)
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    assert entered == [before]


OWN = """
import signal, sys
from pipeline import stopping
from pipeline.stopping import stoppable

stopping.GRACE_S = 0.1
asked = []
with stoppable(lambda: print("last words", flush=True)):
    signal.signal(signal.SIGTERM, lambda number, frame: asked.append(number))
    print("ready", flush=True)
    sys.stdin.read(2)
print("ended by itself", len(asked), flush=True)
"""


def test_a_server_may_have_a_handler_of_its_own() -> None:
    command = [sys.executable, "-c", OWN]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout.readline() == "ready\n"
        process.send_signal(signal.SIGTERM)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(timeout=1)
        stdout, stderr = process.communicate("go")
    assert stdout == "ended by itself 1\n", stderr
    assert process.returncode == 0


def test_these_tests_work_where_signals_are_ignored() -> None:
    """Below `nohup` and in the background of a script they are, and what is ignored is inherited."""
    tests = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", __file__, "-k", "native_code"]
    command = f"trap '' INT HUP TERM; exec {shlex.join(tests)}"
    result = subprocess.run(["/bin/sh", "-c", command], capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout


def test_without_stderr(tmp_path: Path) -> None:
    command = "exec 2>&-; exec " + shlex.join([sys.executable, "-m", "pipeline", "cache", "ls"])
    result = subprocess.run(["/bin/sh", "-c", command], capture_output=True, cwd=tmp_path, check=False)
    assert result.returncode == 0
    assert b"holds no features" in result.stdout


PARTED = """
import os, signal, time
from pipeline.stopping import stoppable

try:
    with stoppable(lambda: None):
        try:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(60)
        finally:
            os.close(os.open(os.devnull, os.O_RDONLY) + 100)  # clears up what the signal has parted
except KeyboardInterrupt as error:
    print("stopped after", type(error.__cause__).__name__, flush=True)
"""


def test_an_error_while_it_clears_up_is_the_stop() -> None:
    ended = subprocess.run([sys.executable, "-c", PARTED], capture_output=True, text=True, check=False)
    assert (ended.returncode, ended.stdout) == (EXIT_CODE, "stopped after OSError\n")
