"""The architectures of the Keras heads, and what they refuse."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest

from pipeline.cache import FeatureSet
from pipeline.errors import UsageError
from pipeline.heads import Task, fit_head, make_head
from pipeline.spec import FeatureSpec

# Keras 3.15 converts its variables in a way that NumPy 2.4 has deprecated.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation doesn't accept:DeprecationWarning")

BLOCK5 = (4, 4, 512)


def count(spec: FeatureSpec, name: str, shape: tuple[int, ...], n_classes: int = 2) -> int:
    """Numbers that the head learns by gradients."""
    network = make_head(name, {}).build(Task(spec, shape, n_classes))
    return sum(int(np.prod(variable.shape)) for variable in network.trainable_variables)


def test_convnet_is_that_of_the_book(spec: FeatureSpec) -> None:
    # The book's single sigmoid unit has 512 weights and an offset; a softmax of two has twice as many.
    assert count(spec, "cnn", (150, 150, 3)) == 3_453_121 + 513


@pytest.mark.parametrize(
    ("name", "shape", "expected"),
    [
        ("dense", BLOCK5, 8192 * 256 + 256 + 257 * 2),
        ("dense-256-128", BLOCK5, 8192 * 256 + 256 + 257 * 128 + 129 * 2),
        ("dense-128", (512,), 513 * 128 + 129 * 2),
        ("dense-128", BLOCK5, 513 * 128 + 129 * 2),
        ("gap-softmax", BLOCK5, 513 * 2),
        ("gap-bn-dense", BLOCK5, 2 * 512 + 513 * 400 + 401 * 256 + 257 * 256 + 257 * 2),
        ("ann", (32, 32, 3), 3073 * 1024 + 1025 * 512 + 513 * 2),
        ("cnn-cifar", (32, 32, 3), 28 * 32 + 289 * 64 + 577 * 128 + 2049 * 128 + 129 * 2),
    ],
)
def test_sizes_follow_from_the_descriptions(
    name: str, shape: tuple[int, ...], expected: int, spec: FeatureSpec
) -> None:
    assert count(spec, name, shape) == expected


@pytest.mark.parametrize("name", ["gap-softmax", "gap-bn-dense"])
def test_pooled_features_have_no_positions(name: str, make_features: Callable[..., FeatureSet]) -> None:
    pooled = make_features(np.ones((4, 8), np.float16), [0, 1, 0, 1])

    with pytest.raises(
        UsageError, match=rf"head '{name}' needs .* not rows of shape \(8\): .*--pooling none"
    ):
        fit_head(name, pooled)


@pytest.mark.parametrize("name", ["ann", "cnn", "cnn-cifar"])
def test_features_are_no_images(name: str, make_features: Callable[..., FeatureSet]) -> None:
    features = make_features(np.ones((4, 4, 4, 3), np.float16), [0, 1, 0, 1])

    with pytest.raises(
        UsageError, match=rf"head '{name}' learns from the images.*extract --backbone pixels --image-size 150"
    ):
        fit_head(name, features)


def test_images_too_small_for_the_convnet(
    make_features: Callable[..., FeatureSet], spec: FeatureSpec
) -> None:
    images = make_features(
        np.zeros((4, 32, 32, 3), np.uint8), [0, 1, 0, 1], spec=dataclasses.replace(spec, backbone="pixels")
    )

    with pytest.raises(
        UsageError, match=r"32 pixels are too small for 4 .* need 46: .*filters=32,32,32`, or"
    ):
        fit_head("cnn", images)


def test_balanced_is_the_only_class_weight(train: FeatureSet) -> None:
    with pytest.raises(UsageError, match="class_weight=heavy of head 'dense' must be text balanced or none"):
        fit_head("dense", train, options={"class_weight": "heavy"})


def test_rare_class_is_found_with_balanced_weights(make_features: Callable[..., FeatureSet]) -> None:
    random = np.random.default_rng(0)
    labels = np.repeat([0, 1], [190, 10])
    rows = make_features((random.normal(size=(200, 1)) + 2 * labels[:, None]).astype(np.float32), labels)
    options = {"epochs": 60, "learning_rate": 0.01}

    recalls = [
        np.mean(fit_head("dense-128", rows, options=options | more).predict_proba(rows)[190:, 1] > 0.5)
        for more in ({}, {"class_weight": "balanced"})
    ]

    assert recalls[1] > recalls[0] + 0.2
