"""What every kind of image source promises; a new kind is picked up here and needs one sample below."""

from __future__ import annotations

import tarfile
from types import SimpleNamespace

import hub_sets
import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from pipeline import registry
from pipeline.errors import UsageError
from pipeline.images import SPLITS, UNLABELLED, open_images, sources
from pipeline.images.decode import decode
from pipeline.images.manifest import scan
from pipeline.images.sources import keras_datasets, kinds, open_source


def sample_arrays(tmp_path, make_images, monkeypatch):
    pixels = np.random.default_rng(0).integers(0, 256, (40, 6, 5, 3), np.uint8)
    np.savez(tmp_path / "toy.npz", x_train=pixels[:30], y_train=np.arange(30) % 3, x=pixels[30:])
    return str(tmp_path / "toy.npz")


def sample_builtin(tmp_path, make_images, monkeypatch):
    return "builtin:digits"


def sample_folder(tmp_path, make_images, monkeypatch):
    paths = [f"{split}/{kind}/{i}.png" for split in ("train", "test") for kind in "ab" for i in range(12)]
    return str(make_images(tmp_path / "toy", *paths))


def sample_hf(tmp_path, make_images, monkeypatch):
    hub_sets.stay_here(monkeypatch, tmp_path)
    return f"hf:{hub_sets.as_parquet(tmp_path / 'toy', hub_sets.pets(train=12, test=8))}"


def sample_keras_datasets(tmp_path, make_images, monkeypatch):
    pixels = np.random.default_rng(0).integers(0, 256, (40, 8, 8, 3), np.uint8)
    labels = (np.arange(40) % 10).reshape(-1, 1).astype(np.uint8)
    loader = SimpleNamespace(load_data=lambda: ((pixels[:30], labels[:30]), (pixels[30:], labels[30:])))
    keras = SimpleNamespace(datasets=SimpleNamespace(cifar10=loader))
    monkeypatch.setattr(keras_datasets, "import_keras", lambda: keras)
    return "keras:cifar10"


def sample_parquet(tmp_path, make_images, monkeypatch):
    root = make_images(tmp_path, *(f"{i}.png" for i in range(20)))
    images = [(root / f"{i}.png").read_bytes() for i in range(20)]
    table = pa.table({"image": images, "label": [i % 2 for i in range(20)]})
    parquet.write_table(table, tmp_path / "toy.parquet", row_group_size=7)
    return str(tmp_path / "toy.parquet")


def sample_remote(tmp_path, make_images, monkeypatch):
    fsspec = pytest.importorskip("fsspec")
    paths = [f"{split}/{kind}/{i}.png" for split in ("train", "test") for kind in "ab" for i in range(12)]
    files = fsspec.filesystem("memory")
    files.put(str(make_images(tmp_path / "toy", *paths)), f"/{tmp_path.name}/toy", recursive=True)
    return f"memory://{tmp_path.name}/toy"


def sample_sample(tmp_path, make_images, monkeypatch):
    return f"sample:10:{sample_folder(tmp_path, make_images, monkeypatch)}"


def sample_saved_dataset(tmp_path, make_images, monkeypatch):
    return str(hub_sets.saved(tmp_path / "toy", hub_sets.pets(train=12, test=8)))


def sample_table(tmp_path, make_images, monkeypatch):
    make_images(tmp_path, *(f"{i}.png" for i in range(20)))
    rows = [f"{i}.png,{'ab'[i % 2]},{'train' if i < 9 else ''},{i // 2}" for i in range(20)]
    (tmp_path / "toy.csv").write_text("\n".join(["path,label,split,group", *rows]))
    return str(tmp_path / "toy.csv")


def sample_webdataset(tmp_path, make_images, monkeypatch):
    root = make_images(tmp_path / "toy", *(f"{kind}/{i}.png" for kind in "ab" for i in range(12)))
    for number in range(2):
        with tarfile.open(tmp_path / f"toy-{number}.tar", "w") as tar:
            for path in sorted(root.glob("*/*"))[number::2]:
                tar.add(path, path.relative_to(root))
    return str(tmp_path / "toy-{0..1}.tar")


SAMPLES = {
    name.removeprefix("sample_").replace("_", "-"): make
    for name, make in list(globals().items())
    if name.startswith("sample_")
}


def test_every_kind_has_a_sample():
    assert sorted(SAMPLES) == registry.names(sources)


@pytest.fixture(params=sorted(SAMPLES))
def uri(request, tmp_path, make_images, monkeypatch):
    return SAMPLES[request.param](tmp_path, make_images, monkeypatch)


def test_exactly_one_kind_claims_an_address(uri):
    assert sum(kind.claims(uri) for kind in kinds()) == 1


def test_items_are_unique_stable_and_well_labelled(uri):
    source = open_images(uri)
    items = source.items()
    assert len(items) > 0
    assert list(items) == list(source.items()) == list(open_images(uri).items())
    assert len({item.id for item in items}) == len(items)
    assert all(item.label == UNLABELLED or 0 <= item.label < len(source.classes) for item in items)
    assert all(item.split in (None, *SPLITS) for item in items)
    assert all(item.id.encode() for item in items)


def test_the_source_describes_itself(uri):
    source = open_images(uri)
    assert source.uri == open_images(source.uri).uri
    assert source.name
    assert "/" not in source.name
    assert isinstance(source.classes, tuple)
    assert len(set(source.classes)) == len(source.classes)
    assert isinstance(source.notes, tuple)


def test_images_can_be_read_and_decoded(uri):
    source = open_images(uri)
    for item in source.items()[:5]:
        data = source.read(item)
        assert isinstance(data, bytes) or data.dtype == np.uint8
        assert decode(data, 16).shape == (16, 16, 3)


def test_it_can_be_scanned(uri, tmp_path):
    source = open_images(uri)
    manifest = scan(source, tmp_path / "digests.sqlite")
    assert not manifest.unreadable
    assert sum(len(rows) for rows in manifest.splits.values()) == len(source.items())
    again = scan(open_images(uri), tmp_path / "digests.sqlite")
    assert all(rows.equals(again.splits[split]) for split, rows in manifest.splits.items())


def test_every_kind_says_what_its_addresses_look_like():
    assert all(kind.ADDRESS and "\n" not in kind.ADDRESS and kind.__doc__ for kind in kinds())


@pytest.mark.parametrize("uri", ["nowhere", "no/such/folder", "gopher://example.org/images", "digits", ""])
def test_an_address_that_nothing_claims_lists_what_there_is(uri):
    with pytest.raises(UsageError) as caught:
        open_source(uri)
    message = str(caught.value)
    assert message.startswith(f"{uri!r} does not exist: give ")
    assert all(kind.ADDRESS in message for kind in kinds())
    assert "\n" not in message


def test_a_file_of_another_kind_is_called_so(tmp_path):
    (tmp_path / "notes.txt").write_text("x")
    with pytest.raises(UsageError, match=r"notes\.txt' is a file of another kind: give .*builtin:digits"):
        open_source(str(tmp_path / "notes.txt"))


@pytest.mark.parametrize("name", ["missing.csv", "missing.jsonl", "missing.npz"])
def test_a_missing_file_is_said_to_be_missing(name, tmp_path):
    with pytest.raises(UsageError, match=rf"{name}' does not exist: check the path"):
        open_source(str(tmp_path / name))
