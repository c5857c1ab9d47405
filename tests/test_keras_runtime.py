"""Keras starts quietly, unless it fails or the user wants to hear it."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from pipeline.runtimes.keras import native_stderr_held_back


def test_native_messages_are_held_back(capfd: pytest.CaptureFixture[str]) -> None:
    os.write(2, b"before\n")
    with native_stderr_held_back():
        os.write(2, b"chatter\n")
    os.write(2, b"after\n")
    assert capfd.readouterr().err == "before\nafter\n"


@pytest.mark.parametrize(("error", "shown"), [(ImportError, "why it failed\n"), (KeyboardInterrupt, "")])
def test_native_messages_are_shown_when_the_import_fails(
    error: type[BaseException], shown: str, capfd: pytest.CaptureFixture[str]
) -> None:
    def start() -> None:
        with native_stderr_held_back():
            os.write(2, b"why it failed\n")
            raise error

    with pytest.raises(error):
        start()
    os.write(2, b"after\n")
    assert capfd.readouterr().err == f"{shown}after\n"


SCRIPT = """
import os, sys, types
class Chatty:  # stands in for Keras, whose start takes seconds and says nothing on some machines
    def find_spec(self, name, path=None, target=None):
        if name == "keras":
            from importlib.machinery import ModuleSpec
            return ModuleSpec(name, self)
    def create_module(self, spec):
        return None
    def exec_module(self, module):
        os.write(2, b"chatter\\n")
sys.meta_path.insert(0, Chatty())
from pipeline.runtimes.keras import LOG_LEVEL, import_keras
for level in (None, "0", "1", "2", "3", ""):
    sys.modules.pop("keras", None)
    os.environ.pop(LOG_LEVEL, None) if level is None else os.environ.update({LOG_LEVEL: level})
    import_keras()
    os.write(2, f"level {os.environ[LOG_LEVEL]}\\n".encode())
"""


def test_the_level_is_what_the_user_wants_to_hear() -> None:
    result = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, check=True)

    unset, *given = "3", "chatter\nlevel 0", "chatter\nlevel 1", "level 2", "level 3", "level "
    assert result.stderr == "\n".join([f"level {unset}", *given, ""])


def test_keras_starts_without_a_word() -> None:
    environment = {name: value for name, value in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"}
    script = (
        "from pipeline.runtimes.keras import import_keras\n"
        "assert import_keras() is import_keras()\n"
        "import os, sys; os.write(2, b'heard\\n')"
    )
    result = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, env=environment, check=True
    )
    assert (result.stdout, result.stderr) == ("", "heard\n")
