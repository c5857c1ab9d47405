"""int8: which network it means, that it is made once, and that every later run uses the same."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from photos import Photos

from pipeline.backbones import keras_base
from pipeline.backbones.table import Cut
from pipeline.cache import open_features
from pipeline.cache.inspection import remove, remove_retired
from pipeline.cache.networks import RECORD
from pipeline.errors import PipelineError, UsageError
from pipeline.extraction import STAT_CACHE, Extraction, FeatureRequest, extract, settle
from pipeline.extraction.calibration import draw_sample
from pipeline.images.stat_cache import Known, Stamps, StatCache

INT8 = {"precision": "int8", "engine": "openvino"}
TINY = {"weights": "random", "image_size": 32, "batch_size": 4, "store": "float32"}
Run = Callable[..., list[Extraction]]


@pytest.fixture(autouse=True)
def tiny_base(monkeypatch: pytest.MonkeyPatch) -> None:
    """Takes the place of VGG16: five seeded convolutions with the names of its blocks."""
    import keras

    def load(name: str, cuts: Sequence[Cut], **_: object) -> keras.Model:
        images = keras.Input((32, 32, 3), dtype="uint8")
        features, blocks = keras.layers.Rescaling(1 / 127.5, -1.0)(images), {}
        for number in range(1, 6):
            filters = keras.initializers.HeNormal(seed=number)
            features = keras.layers.Conv2D(16, 3, 2, "same", kernel_initializer=filters)(features)
            features = blocks[f"block{number}_pool"] = keras.layers.ReLU()(features)
        return keras.Model(images, [blocks[cut.layer] for cut in cuts])

    monkeypatch.setattr(keras_base, "load_backbone", load)


@pytest.fixture
def run(photos: Photos, cache: Path) -> Run:
    """Runs stage one in int8 on the photographs."""

    def run(*layers: str, **request: object) -> list[Extraction]:
        wanted = FeatureRequest(layers=layers, **(TINY | INT8 | request))
        return extract(str(photos.root), wanted, cache=cache)

    return run


@pytest.fixture
def some_photos(photos: Photos) -> Photos:
    photos.add("train/cats", 6)
    photos.add("train/dogs", 6)
    photos.add("val/cats", 3)
    return photos


def rows_of(extraction: Extraction, split: str = "train") -> np.ndarray:
    return open_features(extraction.entry, split).to_memory()


def networks(cache: Path) -> list[Path]:
    return sorted(cache.glob("photos/int8/*"))


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if not path.name.startswith(".")}


def test_features_are_close_to_float32_and_their_spec_says_how_they_came(
    run: Run, some_photos: Photos, cache: Path
) -> None:
    (exact,) = run(precision="float32")
    (extraction,) = run()
    expected = rows_of(exact)
    error = np.linalg.norm(rows_of(extraction) - expected) / np.linalg.norm(expected)
    assert 0 < error < 0.15
    spec = extraction.entry.spec
    assert (spec.precision, spec.engine) == ("int8", "openvino")
    assert (exact.entry.spec.calibration, exact.entry.spec.precision) == ("", "float32")
    (network,) = networks(cache)
    assert network.name == spec.network.entry_name
    assert sorted(contents(network)) == [RECORD, "model.bin", "model.xml"]
    record = json.loads((network / RECORD).read_text())
    train = open_features(extraction.entry, "train").rows.digests
    assert record["digests"] == sorted(bytes(digest).hex() for digest in train)


def test_the_same_images_lead_to_the_same_features(run: Run, some_photos: Photos, cache: Path) -> None:
    (first,) = run()
    before = {split: rows_of(first, split) for split in ("train", "val")}
    shutil.rmtree(cache)
    (second,) = run()
    assert second.entry.spec == first.entry.spec
    for split, rows in before.items():
        np.testing.assert_array_equal(rows_of(second, split), rows)


def test_added_images_are_computed_by_the_network_of_the_others(
    run: Run, some_photos: Photos, cache: Path
) -> None:
    (first,) = run()
    before = contents(*networks(cache))
    some_photos.add("train/cats", 5)
    some_photos.add("val/dogs", 2)
    (second,) = run()
    assert second.computed == 7
    assert second.entry == first.entry
    assert contents(*networks(cache)) == before


def test_a_cut_does_not_depend_on_the_others(run: Run, some_photos: Photos, cache: Path) -> None:
    deep, early = run("block5_pool", "block2_pool")
    assert (rows_of(deep).shape[1:], rows_of(early).shape[1:]) == ((1, 1, 16), (8, 8, 16))
    assert len(networks(cache)) == 2
    before = {layer: rows_of(cut) for layer, cut in (("block5_pool", deep), ("block2_pool", early))}
    (again,) = run("block2_pool")
    assert (again.computed, again.entry) == (0, early.entry)
    shutil.rmtree(cache)
    for layer, rows in before.items():
        (alone,) = run(layer)
        np.testing.assert_array_equal(rows_of(alone), rows)


def test_a_network_serves_every_way_of_storing(run: Run, some_photos: Photos, cache: Path) -> None:
    run()
    some_photos.add("train/cats", 2)
    (extraction,) = run(store="float16", views=1)
    assert extraction.computed == 14 * 2 + 3
    assert len(networks(cache)) == 1


def test_a_damaged_network_is_made_anew_from_the_same_images(
    run: Run, some_photos: Photos, cache: Path
) -> None:
    (first,) = run()
    (network,) = networks(cache)
    before = contents(network)
    (network / "model.bin").write_bytes(before["model.bin"][:-1])
    some_photos.add("train/cats", 4)
    (second,) = run()
    assert (second.computed, second.entry) == (4, first.entry)
    assert contents(network)["model.bin"] == before["model.bin"]


def test_a_lost_network_needs_the_images_it_was_made_from(run: Run, some_photos: Photos, cache: Path) -> None:
    run()
    (network,) = networks(cache)
    (network / "model.xml").unlink()
    some_photos.files("train")[0].unlink()
    some_photos.add("train/cats")
    with pytest.raises(
        PipelineError, match=rf"the int8 network in {network} must be made anew, and 1 of the 12 images"
    ):
        run()
    shutil.rmtree(network)
    (extraction,) = run()
    assert extraction.computed == 15
    assert len(networks(cache)) == 1


def test_a_network_goes_after_its_last_entry(run: Run, some_photos: Photos, cache: Path) -> None:
    (first,) = run()
    (second,) = run(store="float16")
    spec = second.entry.folder / "spec.json"
    whole = spec.read_text()
    remove(first.entry)
    assert remove_retired(cache).bytes == 0
    spec.write_text("")
    assert remove_retired(cache).bytes == 0
    spec.write_text(whole)
    assert len(networks(cache)) == 1
    remove(second.entry)
    assert remove_retired(cache).bytes > 1000
    assert not networks(cache)


def test_a_damaged_record_is_no_record(run: Run, some_photos: Photos, cache: Path) -> None:
    (first,) = run()
    (network,) = networks(cache)
    for damage in ("", "[]", '{"base": {}}', (network / RECORD).read_text().replace("block5", "block4")):
        (network / RECORD).write_text(damage)
        (again,) = run()
        assert (again.computed, again.entry) == (0, first.entry)


def test_images_that_cannot_be_decoded_set_no_ranges(run: Run, some_photos: Photos) -> None:
    some_photos.spoil(some_photos.files("train")[0])
    (extraction,) = run()
    assert [failure.id for failure in extraction.failures] == ["train/cats/0000.png"]
    assert extraction.computed == 14


def test_without_training_images_there_are_no_ranges(run: Run, some_photos: Photos) -> None:
    some_photos.add("test/cats", 2)
    run()
    train = some_photos.root / "train"
    shutil.rmtree(train)
    (extraction,) = run()  # the network is there
    assert (extraction.computed, extraction.entry.splits) == (0, ["val", "test"])
    with pytest.raises(UsageError, match=r"--precision int8 sets its ranges .* has none"):
        run("block4_pool")


def test_an_unchanged_second_run_imports_nothing_heavy(run: Run, some_photos: Photos, cache: Path) -> None:
    run()
    script = (
        "import sys\nfrom pathlib import Path\nfrom pipeline.extraction import FeatureRequest, extract\n"
        f"request = FeatureRequest(**{TINY | INT8})\n"
        f"(done,) = extract({str(some_photos.root)!r}, request, cache=Path({str(cache)!r}))\n"
        "assert done.computed == 0\n"
        "print(sorted({'openvino', 'nncf', 'tensorflow', 'keras'} & set(sys.modules)))"
    )
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert result.stdout == "[]\n"


def test_stdout_is_left_to_data(run: Run, some_photos: Photos, capfd: pytest.CaptureFixture[str]) -> None:
    run()
    heard = capfd.readouterr()
    assert heard.out == ""
    assert "int8: setting the ranges of vgg16 up to block5_pool with 12 training images" in heard.err


def test_an_added_image_takes_the_place_of_one_at_most() -> None:
    digests = np.random.default_rng(0).integers(0, 256, (1000, 32), np.uint8)
    sample = set(draw_sample(digests[:-1], 300, seed=0))
    assert len(sample) == 300
    assert len(sample - set(draw_sample(digests, 300, seed=0))) <= 1
    assert len(sample & set(draw_sample(digests[:-1], 300, seed=1))) < 150
    assert len(draw_sample(np.repeat(digests[:5], 2, axis=0), 300, seed=0)) == 5


def test_the_sample_is_limited(
    run: Run, some_photos: Photos, monkeypatch: pytest.MonkeyPatch, cache: Path
) -> None:
    monkeypatch.setattr(settle, "IMAGES", 4)
    run()
    record = json.loads((networks(cache)[0] / RECORD).read_text())
    assert len(record["digests"]) == 4


@pytest.mark.parametrize(
    ("engine", "precision", "choices"),
    [
        ("keras", "int8", "auto, float32, bfloat16, float16. Engines that have it: openvino"),
        ("openvino", "float16", "auto, float32, bfloat16, int8. Engines that have it: keras"),
    ],
)
def test_each_engine_says_what_it_has(engine: str, precision: str, choices: str) -> None:
    with pytest.raises(
        UsageError, match=rf"unknown precision of engine {engine} '{precision}'.*: choose from {choices}"
    ):
        FeatureRequest(engine=engine, precision=precision)


def test_a_wrong_digest_of_an_image_that_sets_ranges_is_looked_at_again(
    run: Run,
    some_photos: Photos,
    cache: Path,
    trusted_disk: None,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (path, *_) = some_photos.files("train")
    os.utime(path, ns=(10**18, 10**18))
    time.sleep(0.03)
    with StatCache(cache / STAT_CACHE) as store:
        store.store([Known(str(path), Stamps().of(path), bytes(32))])
    (extraction,) = run()
    assert "had wrong digests of 1 image" in capsys.readouterr().err
    assert extraction.computed == 15
    shutil.rmtree(cache)
    (undisturbed,) = run()
    assert undisturbed.entry.spec == extraction.entry.spec
