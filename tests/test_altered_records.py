"""Records that are read back: every altered bit of each file of a run is noticed, or means the same."""

from __future__ import annotations

import hashlib
import json
import os
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from sealed_records import flipped, rewrite, unseal

from pipeline.cache import FeatureSet
from pipeline.errors import CacheMismatchError
from pipeline.evaluation import evaluate
from pipeline.evaluation.comparison import compare_heads, head_folders
from pipeline.evaluation.page.rankings import damaged_records, sweep_results, trained_heads
from pipeline.heads import load_head, train_head
from pipeline.images.row_table import RowTable
from pipeline.plain_json import MAX_BYTES, parse_sealed, read_sealed, sealed, unsealed
from pipeline.spec import FeatureSpec
from pipeline.sweeps import candidates, sweep
from pipeline.sweeps.leaderboard import write_leaderboard
from pipeline.sweeps.results import ResultStore

CLASSES = ("ant", "bee", "caf\N{LATIN SMALL LETTER E WITH ACUTE}")
SPEC = FeatureSpec(
    backbone="vgg16",
    weights="random:0",
    layer="block5_pool",
    pooling="avg",
    image_size=150,
    preprocessing="caffe",
    precision="float32",
    store="float32",
)
FILES = {
    "head": "logreg/head.json",
    "result of a sweep": "sweep/results/*.json",
    "leaderboard": "sweep/leaderboard.json",
    "figures": "prototype/test/metrics.json",
    "comparison": "comparison/test/comparison.json",
}
RECORD = {"name": "x", "numbers": [1, 2.5, None], "by key": {3: 0.1, 10: True}}


def make_rows(split: str, count: int) -> FeatureSet:
    random = np.random.default_rng(len(split))
    labels = (np.arange(count) % 3).astype(np.int32)
    features = random.normal(size=(count, 6)).astype(np.float32)
    features[np.arange(count), labels] += 2
    ids = [f"{split}/{i}.png" for i in range(count)]
    digests = np.array([list(hashlib.sha256(name.encode()).digest()) for name in ids], np.uint8)
    return FeatureSet(
        features=features,
        rows=RowTable(ids=ids, labels=labels, digests=digests, views=np.zeros(count, np.uint8)),
        crc32=np.array([zlib.crc32(row.data) for row in features], np.uint32),
        spec=SPEC,
        classes=CLASSES,
        split=split,
        dataset="toy",
        path=Path("toy", SPEC.entry_name, f"{split}.h5"),
    )


@pytest.fixture(scope="module")
def entry(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder with two heads, a sweep, a report and a comparison."""
    runs = tmp_path_factory.mktemp("runs")
    train, val, test = (
        make_rows(split, count) for split, count in (("train", 30), ("val", 30), ("test", 30))
    )
    write_leaderboard(sweep(candidates([("knn", {})]), train, val, runs=runs, jobs=1))
    for name in ("logreg", "prototype"):
        evaluate(train_head(name, train, val, runs=runs), test).write()
    folder = runs / "toy" / SPEC.entry_name
    compare_heads(head_folders(folder), test).write()
    return folder


@pytest.mark.parametrize("pattern", FILES.values(), ids=FILES)
def test_every_bit_is_noticed_or_means_the_same(pattern: str, entry: Path) -> None:
    (path,) = entry.glob(pattern)
    content = path.read_bytes()
    meant = read_sealed(path)
    unnoticed = []
    for bit in range(8 * len(content)):
        changed = bytearray(content)
        changed[bit // 8] ^= 1 << bit % 8
        try:
            if parse_sealed(bytes(changed)) != meant:
                unnoticed.append(bit)
        except (ValueError, RecursionError):
            continue
    assert unnoticed == []


def some_bits(path: Path) -> list[int]:
    return np.linspace(0, 8 * path.stat().st_size - 1, 60).astype(int).tolist()


def test_a_changed_head_ends_with_the_command_that_trains_it_again(entry: Path) -> None:
    path = entry / FILES["head"]
    for bit in some_bits(path):
        with (
            flipped(path, bit),
            pytest.raises(CacheMismatchError, match="train-head --head logreg") as caught,
        ):
            load_head(path.parent)
        assert caught.value.exit_code == 4


def test_a_changed_result_is_told_and_fitted_again(entry: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (path,) = entry.glob(FILES["result of a sweep"])
    content = path.read_bytes()
    store = ResultStore(path.parent, read_sealed(path)["identity"])
    for bit in some_bits(path):
        with flipped(path, bit):
            assert store.start(resume=True) == {}
            assert f"{path} is damaged" in capsys.readouterr().err
        path.write_bytes(content)
    assert list(store.start(resume=True)) == [path.stem]


@pytest.mark.parametrize("name", ["head", "leaderboard", "figures"])
def test_a_changed_record_is_left_out_of_the_page_by_name(name: str, entry: Path) -> None:
    report = evaluate(load_head(entry / "knn"), make_rows("test", 30))
    path = entry / FILES[name]
    assert damaged_records(report) == []
    assert len(trained_heads(report)) == 3
    assert sweep_results(report).count == 1
    for bit in some_bits(path)[::20]:
        with flipped(path, bit):
            (line,) = damaged_records(report)
            assert line.startswith(f"{FILES[name]} is left out: ")
            assert len(trained_heads(report)) == (2 if name == "head" else 3)
            assert (sweep_results(report) is None) == (name == "leaderboard")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda text: text.replace('"x"', '"y"'), "its seal does not fit"),
        (lambda text: text.replace('"seal"', '"zeal"'), "its seal is missing"),
        (lambda text: text.replace('"schema": 2', '"schema": 1'), "its seal does not fit"),
        (lambda text: text.replace('"schema": 2, ', ""), "its seal does not fit"),
        (lambda text: text.replace('"schema": 2', '"schema": 3'), "schema 3, this version reads 1 and 2"),
        (lambda text: text.replace('"schema": 2', '"schema": 2.0'), "schema 2.0, this version"),
        (lambda text: text.replace('"schema": 2', '"schema": true'), "schema True, this version"),
        (lambda text: text.replace('"schema": 2', '"schema": [2]'), r"schema \[2\], this version"),
        (lambda text: text.replace("2.5", "NaN"), "NaN is no number of JSON"),
        (lambda text: text.replace("2.5", "1e999"), "the number 1e999 is out of range"),
        (lambda text: f"[{text}]", "it holds a list, not an object"),
    ],
)
def test_what_was_not_written_is_refused(change: Callable[[str], str], message: str) -> None:
    text = json.dumps(sealed(RECORD))
    assert change(text) != text
    with pytest.raises(ValueError, match=message):
        parse_sealed(change(text).encode())


def test_neither_spaces_nor_the_order_of_keys_are_part_of_what_is_sealed() -> None:
    expected = json.loads(json.dumps(RECORD))
    other = dict(reversed(json.loads(json.dumps(sealed(RECORD))).items()))
    assert parse_sealed(json.dumps(other, indent=3).encode()) == expected


def test_records_from_before_there_were_seals_are_read_and_their_keys_are_not_a_way_round() -> None:
    assert unsealed({"schema": 1, "name": "x"}) == unsealed({"name": "x"}) == {"name": "x"}
    text = b'{"schema": 1, "name": "x", "colour": "red"}'
    assert parse_sealed(text) == {"name": "x", "colour": "red"}
    with pytest.raises(ValueError, match="its seal is missing"):
        parse_sealed(text, newer={"colour"})


def test_numbers_that_are_not_finite_are_not_sealed() -> None:
    with pytest.raises(ValueError, match="JSON"):
        sealed({"a": float("nan")})


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo])
def test_what_is_no_file_is_not_opened(make: Callable[[Path], None], tmp_path: Path) -> None:
    make(tmp_path / "head.json")
    with pytest.raises(ValueError, match="it is no regular file"):
        read_sealed(tmp_path / "head.json")


def test_a_huge_file_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "head.json"
    with path.open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    with pytest.raises(ValueError, match="it is larger than"):
        read_sealed(path)


def test_a_head_of_the_version_before_answers_as_it_did(entry: Path) -> None:
    rows, path = make_rows("test", 30), entry / FILES["head"]
    expected, content = load_head(path.parent).predict_proba(rows), path.read_text()
    try:
        unseal(path, "seen", "temperature", "familiarity")
        np.testing.assert_array_equal(load_head(path.parent).predict_proba(rows), expected)
        rewrite(path, seed=3)
        assert load_head(path.parent).seed == 3
    finally:
        path.write_text(content)
