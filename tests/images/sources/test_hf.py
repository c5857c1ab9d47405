"""Data sets that the library ``datasets`` loads; here from folders, for there is no network."""

from __future__ import annotations

import sys

import hub_sets
import pytest

from pipeline.errors import PipelineError, UsageError
from pipeline.images.manifest import scan
from pipeline.images.sources import hf, open_source


@pytest.fixture(autouse=True)
def _here(monkeypatch, tmp_path):
    hub_sets.stay_here(monkeypatch, tmp_path)


def test_a_repository_is_loaded_with_its_splits(tmp_path):
    folder = hub_sets.as_parquet(tmp_path / "pets", hub_sets.pets(train=5, validation=2, test=3))
    source = open_source(f"hf:{folder}")
    assert (source.uri, source.name) == (f"hf:{folder}", "pets")
    assert [item.split for item in source.items()] == ["train"] * 5 + ["val"] * 2 + ["test"] * 3
    assert [source.classes[item.label] for item in source.items()[:2]] == ["dog", "cat"]
    assert source.read(source.items()[4]) == hub_sets.encoded(4)


def test_a_configuration_is_named_behind_it(tmp_path):
    configs = {"small": 2, "large": 6}
    lines = []
    for name, count in configs.items():
        hub_sets.as_parquet(tmp_path / "pets" / f"of_{name}", hub_sets.pets(train=count, test=2))
        lines += [f"- config_name: {name}", "  data_files:"]
        for split in ("train", "test"):
            lines += [f"  - split: {split}", f"    path: of_{name}/data/{split}-*"]
    (tmp_path / "pets/README.md").write_text("\n".join(["---", "configs:", *lines, "---", ""]))
    source = open_source(f"hf:{tmp_path}/pets/large")
    assert (len(source.items()), source.name) == (8, "pets-large")
    assert open_source(source.uri).uri == source.uri
    with pytest.raises(PipelineError, match=r"cannot be loaded: .*small.*large"):
        open_source(f"hf:{tmp_path}/pets")


def test_pictures_that_stay_files_are_read_there(tmp_path, make_images):
    root = make_images(tmp_path / "photos", *(f"{kind}/{i}.png" for kind in ("cat", "dog") for i in range(4)))
    source = open_source(f"hf:{root}")
    assert source.classes == ("cat", "dog")
    manifest = scan(source)
    assert not manifest.unreadable
    assert sum(map(len, manifest.splits.values())) == 8


def test_what_cannot_be_reached_is_said_with_the_way_out():
    with pytest.raises(PipelineError, match=r"hf:nobody/nothing cannot be loaded: .*save_to_disk") as caught:
        open_source("hf:nobody/nothing")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("uri", ["hf:", "hf:a//b", "hf:a/b/c/d", "hf:./nowhere/here"])
def test_other_addresses_are_refused(uri):
    with pytest.raises(UsageError, match=r"write hf:NAME|does not exist"):
        open_source(uri)


def test_a_store_of_files_is_another_kind():
    assert not hf.claims("hf://datasets/someone/pets")
    with pytest.raises(UsageError, match="write hf://x"):
        open_source("hf//x")


def test_without_the_library_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(UsageError, match=r"pip install 'two-stage-pipeline\[hf-datasets\]'"):
        open_source("hf:mnist")
