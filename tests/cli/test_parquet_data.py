"""A Parquet table from its rows to figures: ``extract``, ``train-head``, ``evaluate`` and ``predict``."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from click.testing import Result
from counting_engine import CountingEngine
from photos import Photos
from pyarrow import parquet

Cli = Callable[..., Result]
Read = Callable[[Result], dict[str, Any]]
FEATURES = {"image": {"_type": "Image"}, "label": {"_type": "ClassLabel", "names": ["dogs", "cats"]}}


@pytest.fixture
def shards(some_photos: Photos, tmp_path: Path) -> Path:
    """The photographs as a data set of the hub."""
    folder = tmp_path / "pets" / "data"
    folder.mkdir(parents=True)
    for split, word in (("train", "train"), ("val", "validation"), ("test", "test")):
        files = some_photos.files(split)
        images = [{"bytes": file.read_bytes(), "path": file.name} for file in files]
        table = pa.table({"image": images, "label": [int(file.parent.name == "cats") for file in files]})
        described = json.dumps({"info": {"features": FEATURES}})
        parquet.write_table(
            table.replace_schema_metadata({"huggingface": described}),
            folder / f"{word}-00000-of-00001.parquet",
        )
    return folder.parent


def test_rows_become_features_a_head_and_figures(
    shards: Path, extract: Cli, cli: Cli, the_object: Read
) -> None:
    described = the_object(extract("--data", shards, "--json"))
    assert described["classes"] == {
        "cats": {"train": 6, "val": 3, "test": 4},
        "dogs": {"train": 6, "val": 3, "test": 4},
    }
    trained = the_object(cli("train-head", "--data", shards, "--json"))
    assert (trained["train_rows"], trained["classes_without_training_rows"]) == (12, [])
    figures = the_object(cli("evaluate", "--data", shards, "--json"))
    assert (figures["split"], figures["n"], figures["unlabelled"]) == ("test", 8, 0)
    answers = the_object(
        cli("predict", "--data", shards, shards / "data/test-00000-of-00001.parquet", "--json")
    )
    assert [image["id"] for image in answers["images"]] == [
        f"test-00000-of-00001.parquet[{row}]" for row in range(8)
    ]


def test_a_second_run_computes_nothing(shards: Path, extract: Cli, engine: CountingEngine) -> None:
    assert extract("--data", shards).exit_code == 0
    before = engine.computed
    assert extract("--data", shards).exit_code == 0
    assert engine.computed == before
