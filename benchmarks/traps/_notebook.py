"""What the notebooks in this folder have in common: images as arrays, a base with its filters, and a head."""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import keras
import numpy as np

SUFFIXES = (".jpg", ".jpeg", ".png")


def options(words: str) -> argparse.Namespace:
    """Asks for the images and the filters.

    Args:
        words: What the script shows.
    """
    parser = argparse.ArgumentParser(description=words.splitlines()[0])
    parser.add_argument(
        "--data", type=Path, required=True, help="folder <split>/<class>/file, train and test"
    )
    parser.add_argument("--weights", default="imagenet", help="file of the base's filters")
    return parser.parse_args()


def photographs(folder: Path, size: int, each: int) -> tuple[np.ndarray, np.ndarray]:
    """Reads the first images of each class.

    Args:
        folder: One folder a class.
        size: Height and width in pixels.
        each: Images of a class.

    Returns:
        float32 (n, size, size, 3) from 0 to 255, and int (n,).
    """
    images, labels = [], []
    for label, kind in enumerate(sorted(path for path in folder.iterdir() if path.is_dir())):
        files = sorted(path for path in kind.iterdir() if path.suffix.lower() in SUFFIXES)
        for file in files[:each]:
            picture = keras.utils.load_img(file, target_size=(size, size), interpolation="bilinear")
            images.append(keras.utils.img_to_array(picture))
            labels.append(label)
    return np.stack(images), np.array(labels)


def vgg16(size: int, weights: str, layer: str = "block5_pool") -> keras.Model:
    """Returns VGG16 up to a layer."""
    base = keras.applications.VGG16(weights=weights, include_top=False, input_shape=(size, size, 3))
    return keras.Model(base.input, base.get_layer(layer).output)


def small_mobilenet(size: int, weights: str) -> keras.Model:
    """Returns the small MobileNetV2 with global pooling, from pixels of 0 to 255."""
    base = keras.applications.MobileNetV2(
        alpha=0.35, weights=weights, include_top=False, input_shape=(size, size, 3), pooling="avg"
    )
    pixels = keras.Input((size, size, 3))
    return keras.Model(pixels, base(keras.applications.mobilenet_v2.preprocess_input(pixels)))


def head(classes: int, *, rate: float = 1e-3) -> keras.Model:
    """Returns a dense layer with dropout and a softmax, compiled."""
    model = keras.Sequential(
        [
            keras.layers.Flatten(),
            keras.layers.Dense(256, activation="relu"),
            keras.layers.Dropout(0.5),
            keras.layers.Dense(classes, activation="softmax"),
        ]
    )
    model.compile(
        keras.optimizers.RMSprop(rate), loss="sparse_categorical_crossentropy", metrics=["accuracy"]
    )
    return model


def features(base: keras.Model, images: np.ndarray) -> np.ndarray:
    """Passes images through a base, in their order."""
    return base.predict(images, batch_size=32, verbose=0)


def accuracy(answers: np.ndarray, labels: np.ndarray) -> float:
    """Returns the share of right answers, probabilities (n, k) against labels (n,)."""
    return float((answers.argmax(axis=1) == labels).mean())


def say(trap: str, *, wrong: float, right: float, data: Path, rows: int, note: str = "") -> None:
    """Prints the figures as JSON.

    Args:
        trap: Its name.
        wrong: The figure that the notebook shows.
        right: The figure that it should show.
        data: The images.
        rows: Rows behind the right figure.
        note: What else was seen.
    """
    figures = {"wrong": round(float(wrong), 4), "right": round(float(right), 4)}
    print(json.dumps({"trap": trap, **figures, "data": data.name, "rows": rows, "note": note}))
