"""JSON and TOML from anywhere: each file that is read is refused, or passed over, in one line."""

from __future__ import annotations

import ast
import json
from collections.abc import Callable
from itertools import product
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import pipeline
from pipeline.cli import main
from pipeline.evaluation.ledger import LEDGER, record_look
from pipeline.plain_json import parse_json

Ask = Callable[..., tuple[int, str]]
DEEP = "[" * 100_000
HOSTILE = {
    "digits": ("9" * 5000, "whole number of 5,000 digits"),
    "below": ("-" + "9" * 5000, "whole number of 5,000 digits"),
    "deep": (DEEP + "]" * 100_000, "nested too deeply"),
    "constant": ("NaN", "NaN is no number"),
    "infinite": ("-Infinity", "-Infinity is no number"),
    "huge": ("1e999", "1e999 is out of range"),
    "half": (r'"\ud800"', "half of a surrogate pair"),
    "key": (r'{"\uDFFF": 1}', "half of a surrogate pair"),
}


@pytest.mark.parametrize("case", HOSTILE)
@pytest.mark.parametrize("inside", ["{}", '{{"a": [{}]}}'])
def test_every_misfit_is_a_value_error_of_one_line(inside: str, case: str) -> None:
    value, trouble = HOSTILE[case]
    for text in (inside.format(value), inside.format(value).encode()):
        with pytest.raises(ValueError, match=trouble) as caught:
            parse_json(text)
        assert len(str(caught.value)) < 100
        assert "\n" not in str(caught.value)


@pytest.mark.parametrize("value", [1, -(10**299), 1.5, "é", "😀", "\udcff", None, [{"a": [True]}], 1e308])
def test_what_python_writes_is_read(value: object) -> None:
    assert parse_json(json.dumps(value)) == value


def test_python_s_own_constants_are_read_where_they_may_stand() -> None:
    assert str(parse_json("[NaN, Infinity]", nan=True)) == "[nan, inf]"


def test_no_other_module_parses_what_a_stranger_may_have_written() -> None:
    allowed = {
        "plain_json.py",
        "cache/feature_file.py",  # under a guard of its own; its texts may hold halves of surrogate pairs
        "cache/entries.py",  # what it has just written
        "cache/inspection.py",  # likewise
        "images/stat_cache.py",  # its records carry a checksum
    }
    root = Path(pipeline.__file__).parent
    found = {
        path.relative_to(root).as_posix()
        for path in root.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Attribute) and node.attr in ("load", "loads")
        if isinstance(node.value, ast.Name) and node.value.id == "json"
    }
    assert found <= allowed


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A cache with one entry, a trained head, a report and a sweep."""
    folder = tmp_path_factory.mktemp("made")
    places = ["--backbone", "pixels", "--image-size", "8", "--cache", str(folder / "cache")]
    runs = ["--runs", str(folder / "runs")]
    pixels = np.random.default_rng(0).integers(0, 256, (60, 8, 8), np.uint8)
    np.savez(folder / "toy.npz", x=pixels, y=np.arange(60) % 2)
    places += ["--data", str(folder / "toy.npz")]
    for words in (
        ["extract", *places],
        ["train-head", *places, *runs, "--head", "ridge"],
        ["evaluate", *places, *runs, "--head", "ridge", "--no-page"],
    ):
        result = CliRunner().invoke(main, words, prog_name="pipeline")
        assert result.exit_code == 0, result.output
    return folder


@pytest.fixture
def ask(made: Path, tmp_path: Path) -> Ask:
    """Runs a command over what was made; returns its exit code and what it says."""

    def run(*words: str) -> tuple[int, str]:
        places = ["--backbone", "pixels", "--cache", str(made / "cache"), "--data", str(made / "toy.npz")]
        runs = [] if words[0] in ("cache", "extract", "check") else ["--runs", str(made / "runs")]
        size = ["--image-size", "8"]
        result = CliRunner().invoke(main, [*words, *places, *size, *runs], prog_name="pipeline")
        return result.exit_code, result.output

    return run


def replaced(path: Path, name: str, value: str) -> str:
    """Puts a value in the place of a field's, as text."""
    record = json.loads(path.read_text())
    record[name] = "HERE"
    return json.dumps(record).replace('"HERE"', value)


@pytest.mark.parametrize("case", HOSTILE)
@pytest.mark.parametrize("name", ["source", "rows_per_file", "new", "spec"])
def test_the_record_of_an_entry(
    name: str, case: str, made: Path, ask: Callable[..., tuple[int, str]]
) -> None:
    (path,) = made.glob("cache/*/*/spec.json")
    before = path.read_text()
    try:
        path.write_text(replaced(path, name, HOSTILE[case][0]))
        code, said = ask("train-head", "--head", "ridge")
    finally:
        path.write_text(before)
    assert "unexpected" not in said
    assert "Traceback" not in said
    assert (code, "spec.json" in said) in ((4, True), (2, False)), said


@pytest.mark.parametrize("case", HOSTILE)
@pytest.mark.parametrize("name", ["classes", "seed", "val_accuracy", "options", "new"])
def test_the_record_of_a_head(name: str, case: str, made: Path, ask: Ask) -> None:
    (path,) = made.glob("runs/*/*/ridge/head.json")
    before = path.read_text()
    try:
        path.write_text(replaced(path, name, HOSTILE[case][0]))
        code, said = ask("evaluate", "--head", "ridge", "--no-page")
    finally:
        path.write_text(before)
    assert code == 4
    assert "head.json is damaged or foreign" in said
    assert "unexpected" not in said


@pytest.mark.parametrize("case", HOSTILE)
def test_lines_of_the_ledger_are_passed_over(case: str, tmp_path: Path) -> None:
    line = '{"head": "a", "split": "test", "answers": VALUE}\n'.replace("VALUE", HOSTILE[case][0])
    folder = tmp_path / "runs" / "toy" / "entry"
    folder.mkdir(parents=True)
    (folder / LEDGER).write_text(line)
    answers, images = np.ones((2, 2)), np.zeros((2, 32), np.uint8)
    looks = record_look(folder, head="b", split="test", probabilities=answers, digests=images)
    assert (looks.evaluations, looks.heads, looks.damaged) == (1, 1, 1)


READ = {("width", "constant"), ("width", "infinite")}
"""A column that is not read may hold what pandas writes."""


@pytest.mark.parametrize(("field", "case"), sorted({*product(("label", "width"), HOSTILE)} - READ))
def test_a_line_of_a_table(field: str, case: str, tmp_path: Path) -> None:
    file = tmp_path / "toy.jsonl"
    line = json.dumps({"path": "a.png", "label": "x"} | {field: "HERE"}).replace('"HERE"', HOSTILE[case][0])
    file.write_text(f'{{"path": "b.png", "label": "x"}}\n{line}\n')
    words = ["extract", "--data", str(file), "--backbone", "pixels", "--cache", str(tmp_path / "cache")]
    result = CliRunner().invoke(main, [*words, "--json"], prog_name="pipeline")
    if case == "constant":
        assert result.exit_code == 3, "there is no picture; the label is missing"
        return
    assert result.exit_code == 2
    assert f"{file}, line 2: " in json.loads(result.stdout)["error"]
    assert len(result.stderr) < 1500


TOML = {
    "digits": ("9" * 5000, "not TOML: it holds a whole number of thousands of digits"),
    "hexadecimal": ("0x" + "f" * 5000, "must be"),
    "sixty-four bits": (str(2**63), "must be"),
    "below": ("-1", "must be"),
    "infinite": ("inf", "must be"),
    "nan": ("nan", "must be"),
    "deep": (DEEP, "not TOML"),
}


FIELDS = ("seed", "[extract]\nimage_size", "[published]\naccuracy", "[options]\nC")


@pytest.mark.parametrize(
    ("field", "case"), sorted({*product(FIELDS, TOML)} - {(FIELDS[3], "sixty-four bits")})
)
def test_numbers_in_a_recipe(field: str, case: str, tmp_path: Path) -> None:
    value, trouble = TOML[case]
    if case == "below" and "image_size" in field:
        trouble = "too small"
    file = tmp_path / "recipe.toml"
    file.write_text(f'title = "t"\ndata = "builtin:digits"\nhead = "logreg"\n{field} = {value}\n')
    result = CliRunner().invoke(main, ["run", str(file), "--json"], prog_name="pipeline")
    assert result.exit_code == 2, result.output
    assert trouble in json.loads(result.stdout)["error"]
    assert len(result.stderr) < 1500


LARGE = {
    "extract --image-size 9999999999": "--image-size 9999999999 is too large",
    "extract --image-size 99999999999999999999999999": "is too large",
    "extract --weights random:9999999999": "the seed in 'random:9999999999' is too large",
    f"extract --weights random:{'9' * 5000}": "is too large",
    "train-head --seed -1": "not in the range 0<=x<=4294967295",
    "sweep --head ridge --seed 4294967296": "not in the range",
    f"train-head --seed {'9' * 5000}": "not a valid",
    f"train-head --head logreg --set C={'9' * 5000}": "must be float",
    "train-head --head knn --set k=9223372036854775808": "must be int",
}


@pytest.mark.parametrize("command", LARGE, ids=range(len(LARGE)))
def test_numbers_on_the_command_line(command: str, made: Path) -> None:
    words = command.split()
    runs = [] if words[0] == "extract" else ["--cache", str(made / "cache"), "--data", str(made / "toy.npz")]
    result = CliRunner().invoke(main, [*words, *runs, "--json"], prog_name="pipeline")
    assert result.exit_code == 2, result.output
    assert LARGE[command] in json.loads(result.stdout)["error"]
