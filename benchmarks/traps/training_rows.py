"""Measured on training rows: the report is of the very images that the head has learnt.

    python benchmarks/traps/training_rows.py --data cifar10_small --weights vgg16.h5

The notebook cuts VGG16 at block3_pool, trains dense layers on it, and calls ``predict`` on the training
features: its table shows 5,000 rows a class, which only the training split of CIFAR-10 has.
"""

from __future__ import annotations

import keras
from _notebook import accuracy, features, options, photographs, say, vgg16

SIZE, CLASSES = 48, 10


def main() -> None:
    """Trains on the training images and measures on both splits."""
    given = options(__doc__)
    keras.utils.set_random_seed(0)
    base = vgg16(SIZE, given.weights, "block3_pool")
    images, labels = photographs(given.data / "train", SIZE, 200)
    train = features(base, keras.applications.vgg16.preprocess_input(images))
    images, truth = photographs(given.data / "test", SIZE, 200)
    test = features(base, keras.applications.vgg16.preprocess_input(images))

    hidden = [
        layer
        for units in (400, 256, 256)
        for layer in (keras.layers.Dense(units, activation="relu"), keras.layers.Dropout(0.2))
    ]
    model = keras.Sequential(
        [
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.BatchNormalization(),
            *hidden,
            keras.layers.Dense(CLASSES, activation="softmax"),
        ]
    )
    model.compile("adam", loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(train, labels, epochs=40, batch_size=32, verbose=0)

    wrong = accuracy(model.predict(train, verbose=0), labels)
    right = accuracy(model.predict(test, verbose=0), truth)
    say("measured on training rows", wrong=wrong, right=right, data=given.data, rows=len(truth))


if __name__ == "__main__":
    main()
