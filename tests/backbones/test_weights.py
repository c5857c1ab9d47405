"""Where filters come from, and the one line that a user gets where they cannot be had."""

from __future__ import annotations

import hashlib
import os
import socket
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from pipeline.backbones import weights as weights_module
from pipeline.backbones.loading import load_backbone
from pipeline.backbones.table import BACKBONES, Cut
from pipeline.backbones.weights import file_identity, resolve_weights, weights_of
from pipeline.errors import CacheMismatchError, UsageError
from pipeline.options import MOST_SEED
from pipeline.runtimes.keras import build_application
from pipeline.spec import FeatureSpec


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty folder in the place where Keras keeps its files."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "keras"))
    return tmp_path / "keras"


@pytest.fixture
def no_internet(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Refuses every connection and lists what was asked for."""
    asked: list[Any] = []

    def refuse(address: Any, **_: float) -> None:
        asked.append(address)
        raise OSError("Network is unreachable")

    monkeypatch.setattr(socket, "create_connection", refuse)
    return asked


@pytest.fixture
def failing_download(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        print("Downloading data from https://storage.googleapis.com/...")
        raise Exception("URL fetch failure on https://storage.googleapis.com/...: None -- refused\nmore")

    monkeypatch.setattr("keras.src.utils.file_utils.get_file", fail)


@pytest.mark.parametrize(
    ("choice", "seed"),
    [("random", 0), ("random:0", 0), ("random:042", 42), (f"random:{MOST_SEED}", MOST_SEED)],
)
def test_random_filters_are_known_by_their_seed(choice: str, seed: int) -> None:
    weights = resolve_weights("vgg16", choice, 150)
    assert (weights.identity, weights.label, weights.seed, weights.path) == (
        f"random:{seed}",
        "random",
        seed,
        None,
    )


def test_a_seed_has_a_largest() -> None:
    with pytest.raises(UsageError, match=f"too large: choose from 0 to {MOST_SEED}"):
        resolve_weights("vgg16", f"random:{MOST_SEED + 1}", 150)


def test_a_file_is_known_by_its_bytes(tmp_path: Path) -> None:
    (tmp_path / "a.weights.h5").write_bytes(b"filters")
    (tmp_path / "b.weights.h5").write_bytes(b"filters")
    first = resolve_weights("vgg16", str(tmp_path / "a.weights.h5"), 150)
    assert first.identity == f"sha256:{hashlib.sha256(b'filters').hexdigest()}"
    assert first.label == "a.weights.h5"
    assert resolve_weights("vgg16", str(tmp_path / "b.weights.h5"), 150).identity == first.identity


def test_imagenet_is_known_by_the_file_that_keras_keeps(home: Path) -> None:
    file = home / "models" / BACKBONES["vgg16"].weights_file
    file.parent.mkdir(parents=True)
    file.write_bytes(b"filters")
    for choice in ("imagenet", "auto"):
        weights = resolve_weights("vgg16", choice, 150)
        assert weights.identity == f"sha256:{hashlib.sha256(b'filters').hexdigest()}"
        assert (weights.label, weights.path) == ("imagenet", file)


def test_a_file_that_is_known_is_not_read_again(
    tmp_path: Path, trusted_disk: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, known = tmp_path / "a.weights.h5", tmp_path / "digests.sqlite"
    path.write_bytes(b"filters")
    os.utime(path, (10**9, 10**9))
    time.sleep(0.05)  # a tick of the clock of files
    identity = resolve_weights("vgg16", str(path), 150, stat_cache=known).identity
    read = []
    digest = weights_module._sha256
    monkeypatch.setattr(weights_module, "_sha256", lambda path: read.append(path) or digest(path))
    assert file_identity(str(path), stat_cache=known) == identity
    assert read == []
    assert file_identity(str(path)) == identity
    path.write_bytes(b"others!")
    assert file_identity(str(path), stat_cache=known) == f"sha256:{hashlib.sha256(b'others!').hexdigest()}"
    assert read == [path, path]


def test_the_filters_of_features_are_found_again(home: Path, tmp_path: Path, spec: FeatureSpec) -> None:
    def find(choice: str | None = None, file: Path | None = None, spec: FeatureSpec = spec) -> Path | None:
        return weights_of(spec, choice, option="--weights FILE", file=file).path

    assert weights_of(spec, None, option="").seed == 0
    path, other = tmp_path / "a.weights.h5", tmp_path / "b.weights.h5"
    path.write_bytes(b"filters")
    other.write_bytes(b"others")
    made = replace(spec, weights=resolve_weights("vgg16", str(path), 150).identity)
    assert find(str(path), spec=made) == find(file=path, spec=made) == path
    with pytest.raises(CacheMismatchError, match=r"give those, or run `pipeline extract --weights .*b\."):
        find(str(other), spec=made)
    for file, where in (
        (None, "are in a file of yours"),
        (other, "which now holds others"),
        (tmp_path / "gone", "which cannot be read any more"),
    ):
        with pytest.raises(UsageError, match=rf"{where}.*: name it with `--weights FILE`"):
            find(file=file, spec=made)
    kept = home / "models" / BACKBONES["vgg16"].weights_file
    kept.parent.mkdir(parents=True)
    kept.write_bytes(b"filters")
    assert find(spec=made) == find(file=other, spec=made) == kept


@pytest.mark.parametrize("choice", ["nowhere.weights.h5", "imagnet", "random:x", "", "."])
def test_what_is_no_file_is_refused_with_the_choices(choice: str) -> None:
    with pytest.raises(UsageError, match="is not a file: choose imagenet, random, auto or") as caught:
        resolve_weights("vgg16", choice, 150)
    assert repr(choice) in str(caught.value)


def test_imagenet_that_cannot_be_had_is_told_in_one_line(
    home: Path, failing_download: None, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(UsageError) as caught:
        resolve_weights("vgg16", "imagenet", 32)
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith("weights 'imagenet' of vgg16 cannot be had (URL fetch failure on https://")
    assert f"Put the file at {home}/models/vgg16_weights_tf_dim_ordering_tf_kernels_notop.h5" in message
    assert message.endswith("or choose --weights PATH or --weights random")
    stdout, stderr = capsys.readouterr()
    assert stdout == ""  # Keras's own messages would spoil --json
    assert "downloading the ImageNet weights of vgg16" in stderr


def test_auto_falls_back_to_random_filters_loudly(
    no_internet: list[Any], capsys: pytest.CaptureFixture[str]
) -> None:
    weights = resolve_weights("vgg16", "auto", 32)
    assert weights.identity == "random:0"
    assert no_internet == [(weights_module.WEIGHTS_HOST, 443)]
    assert "WARNING: ImageNet weights of vgg16 cannot be had here; using SEEDED RANDOM FILTERS" in (
        capsys.readouterr().err
    )


def test_auto_falls_back_where_the_download_fails(
    failing_download: None, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(socket, "create_connection", lambda *_, **__: socket.socket())
    assert resolve_weights("vgg16", "auto", 32).identity == "random:0"
    assert "SEEDED RANDOM FILTERS" in capsys.readouterr().err


@pytest.mark.parametrize("choice", ["imagenet", "auto", "random", "nonsense"])
def test_pixels_need_no_filters(choice: str, no_internet: list[Any]) -> None:
    assert resolve_weights("pixels", choice, 8).identity == "none"
    assert no_internet == []


@pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
def test_filters_of_another_base_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "mobilenet.weights.h5"
    build_application("MobileNet", 32, imagenet=False, options={}).save_weights(path)
    weights = resolve_weights("vgg16", str(path), 32)
    with pytest.raises(UsageError, match=r"weights 'mobilenet.weights.h5' do not fit vgg16 \(.*\)") as caught:
        load_backbone("vgg16", [Cut("block5_pool")], weights=weights, image_size=32)
    assert "\n" not in str(caught.value)
    assert "--weights imagenet or --weights random" in str(caught.value)


@pytest.mark.parametrize("name", ["text.weights.h5", "text.h5", "text.keras", "text"])
def test_a_file_that_holds_no_filters_is_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text("not a weights file")
    weights = resolve_weights("vgg16", str(tmp_path / name), 32)
    with pytest.raises(UsageError, match=rf"weights '{name}' do not fit vgg16") as caught:
        load_backbone("vgg16", [Cut("block5_pool")], weights=weights, image_size=32)
    assert "\n" not in str(caught.value)
