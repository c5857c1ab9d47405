from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from pipeline.errors import PipelineError, UsageError
from pipeline.images import open_images
from pipeline.images.manifest import scan
from pipeline.images.sources import keras_datasets

PIXELS = np.random.default_rng(0).integers(0, 256, (6, 4, 5, 3), np.uint8)


def labels(source):
    return [item.label for item in source.items()]


def fake_keras(monkeypatch, name, load_data):
    datasets = SimpleNamespace(**{name: SimpleNamespace(load_data=load_data)})
    monkeypatch.setattr(keras_datasets, "import_keras", lambda: SimpleNamespace(datasets=datasets))


@pytest.mark.parametrize("name", keras_datasets.CLASSES)
def test_keras_data_sets_have_their_class_names(name, monkeypatch, capsys):
    def load_data():
        print("Downloading data from the internet")
        return (PIXELS[:4], np.array([[1], [0], [1], [2]], np.uint8)), (
            PIXELS[4:],
            np.array([[3], [9]], np.uint8),
        )

    fake_keras(monkeypatch, name, load_data)
    source = open_images(f"keras:{name}")
    assert (source.uri, source.name) == (f"keras:{name}", name)
    assert labels(source) == [1, 0, 1, 2, 3, 9]
    assert len(source.classes) == (100 if name == "cifar100" else 10)
    assert [item.split for item in source.items()] == ["train"] * 4 + ["test"] * 2
    assert next(iter(scan(source).splits)) == "train"
    assert capsys.readouterr().out == ""


def test_the_names_of_cifar_classes_are_in_the_order_of_their_labels():
    assert keras_datasets.CLASSES["cifar10"][3:6] == ["cat", "deer", "dog"]
    assert keras_datasets.CLASSES["cifar100"] == sorted(set(keras_datasets.CLASSES["cifar100"]))


def test_a_failed_download_says_what_to_do(monkeypatch):
    def load_data():
        raise Exception("URL fetch failure on https://example.org: None --\n [Errno -2] Name not known")

    fake_keras(monkeypatch, "mnist", load_data)
    with pytest.raises(
        PipelineError, match=r"keras:mnist cannot be loaded: URL fetch failure .*builtin:digits"
    ) as e:
        open_images("keras:mnist")
    assert "\n" not in str(e.value)


def test_other_keras_names_list_what_there_is():
    with pytest.raises(UsageError, match=r"'imdb': choose from cifar10, cifar100, mnist, fashion_mnist"):
        open_images("keras:imdb")
