"""Nothing in the package runs what it reads: no pickle, no eval, no shell, no loader of arbitrary objects."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FILES = sorted((ROOT / "pipeline").rglob("*.py"))

MODULES = {
    "pickle",
    "cPickle",
    "dill",
    "cloudpickle",
    "marshal",
    "shelve",
    "joblib",
    "yaml",
    "subprocess",
    "xml",
}
BUILTINS = {"eval", "exec", "compile", "__import__"}
METHODS = {
    "system",
    "popen",
    "load_model",
    "from_config",
    "deserialize_keras_object",
    "enable_unsafe_deserialization",
}
NUMPY_LOAD = re.compile(r"\bnp\.load\((?!.*allow_pickle=False)")

EXCEPTIONS = {
    ("pipeline/sweeps/__init__.py", "joblib"): "Parallel: processes, not files",
    ("pipeline/serving/export/keras.py", "load_model"): "checks the file that the same command has just made",
    ("pipeline/serving/export/onnx.py", "load_model"): "parses a graph, runs nothing",
    ("pipeline/serving/export/_joining.py", "load_model"): "the same, once guards/onnx.py has read it",
}
"""What is used all the same: (file, name), and why."""


def calls(path: Path) -> Iterator[tuple[int, str]]:
    """Yields line and name of every dangerous import and call."""
    for node in ast.walk(ast.parse(path.read_text())):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name.partition(".")[0] for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [(node.module or "").partition(".")[0]]
        found = MODULES.intersection(names)
        if isinstance(node, ast.Call):
            if isinstance(node.func, ast.Name):
                found |= BUILTINS & {node.func.id}
            elif isinstance(node.func, ast.Attribute):
                found |= METHODS & {node.func.attr}
            shell = [word for word in node.keywords if word.arg == "shell"]
            found |= {"shell"} if shell else set()
        for name in found:
            yield getattr(node, "lineno", 0), name


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_no_dangerous_call(path: Path) -> None:
    name = str(path.relative_to(ROOT))
    found = [(line, what) for line, what in calls(path) if (name, what) not in EXCEPTIONS]
    assert found == []
    assert not NUMPY_LOAD.search(path.read_text())


def test_the_search_finds_what_it_looks_for(tmp_path: Path) -> None:
    path = tmp_path / "bad.py"
    path.write_text(
        "import pickle\nfrom yaml import load\neval('1')\nimport os\nos.system('x')\n"
        "import keras\nkeras.saving.load_model('x')\nrun('x', shell=True)\n"
    )
    assert [what for _, what in sorted(calls(path))] == [
        "pickle",
        "yaml",
        "eval",
        "system",
        "load_model",
        "shell",
    ]
    assert NUMPY_LOAD.search("np.load(path)")
    assert not NUMPY_LOAD.search("np.load(stream, allow_pickle=False)")


def test_every_exception_is_needed() -> None:
    found = {(str(path.relative_to(ROOT)), what) for path in FILES for _, what in calls(path)}
    assert set(EXCEPTIONS) <= found


def test_the_rules_of_ruff_hold_and_exceptions_are_explained() -> None:
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["ruff"]["lint"]
    assert "S" in settings["select"]
    ignored = settings["per-file-ignores"].items()
    assert not [rule for place, rules in ignored if "pipeline" in place for rule in rules if rule[0] == "S"]
    silenced = [
        (path.name, line)
        for path in FILES
        for line in path.read_text().splitlines()
        if re.search(r"# noqa: .*\bS\d", line)
    ]
    for name, line in silenced:
        assert re.search(r"# noqa: (S\d+,? ?)+- \w+", line), f"{name} does not say why: {line.strip()}"
    result = subprocess.run(
        [sys.executable, "-m", "ruff", "check", "--select", "S", "--no-cache", "pipeline"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stdout
    print(f"ruff S: clean, {len(silenced)} exceptions, each explained")
