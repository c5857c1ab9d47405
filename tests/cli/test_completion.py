"""Completion: what a shell offers is what the command takes."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from pipeline import registry
from pipeline.backbones.table import BACKBONES
from pipeline.cli.commands.completion import SHELLS

Cli = Callable[..., Result]


def completed(cli: Cli, words: str) -> set[str]:
    """What is offered for the last word."""
    asked = {"COMP_WORDS": words, "COMP_CWORD": str(words.count(" "))}
    result = cli(env={"_PIPELINE_COMPLETE": "bash_complete", **asked})
    return {line.partition(",")[2] for line in result.stdout.splitlines()}


@pytest.mark.parametrize(
    ("words", "offered"),
    [
        ("pipeline ex", {"extract", "export"}),
        ("pipeline extract --backb", {"--backbone"}),
        ("pipeline train-head --head ", {*registry.names("pipeline.heads")}),
        ("pipeline extract --backbone ", {*BACKBONES}),
        ("pipeline extract --engine o", {"openvino"}),
        ("pipeline sweep --preset ", {"quick", "full"}),
        ("pipeline evaluate --log ", {*registry.names("pipeline.evaluation.loggers")}),
        ("pipeline evaluate --split t", {"train", "test"}),
        ("pipeline run cifar10-a", {"cifar10-ann"}),
        ("pipeline completion ", {*SHELLS}),
    ],
)
def test_names_are_offered(words: str, offered: set[str], cli: Cli) -> None:
    assert completed(cli, words) == offered


def test_entries_of_the_cache_are_offered(cli: Cli, tmp_path: Path) -> None:
    assert completed(cli, "pipeline cache show --entry ") == {""}
    assert cli("extract", "--backbone", "pixels", "--image-size", "4", "--cache", "c").exit_code == 0
    (folder,) = (tmp_path / "work/c/digits").iterdir()
    assert completed(cli, "pipeline cache show --cache c --entry d") == {f"digits/{folder.name}"}
    assert completed(cli, "pipeline train-head --cache c --name ") == {"digits"}


def test_files_are_offered_where_no_word_begins_so(cli: Cli) -> None:
    assert completed(cli, "pipeline extract --data pho") == {"pho"}


@pytest.mark.parametrize("shell", SHELLS)
def test_a_shell_takes_the_script(shell: str, cli: Cli) -> None:
    script = cli("completion", shell).stdout
    assert "_PIPELINE_COMPLETE" in script
    if shutil.which(shell):
        subprocess.run([shell, "-n"], input=script.encode(), check=True, timeout=60)


def test_a_completion_imports_nothing_heavy(tmp_path: Path) -> None:
    words = "pipeline extract --backbone m"
    program = (
        "import sys; from pipeline.cli import main\n"
        "try: main(prog_name='pipeline')\n"
        "finally: print(sorted({'tensorflow', 'sklearn', 'openvino'} & set(sys.modules)), file=sys.stderr)"
    )
    asked = {"COMP_WORDS": words, "COMP_CWORD": "3", "_PIPELINE_COMPLETE": "bash_complete"}
    done = subprocess.run(
        [sys.executable, "-c", program], env=asked, capture_output=True, text=True, timeout=100, check=False
    )
    assert "mobilenet" in done.stdout
    assert done.stderr.strip() == "[]"
