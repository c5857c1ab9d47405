"""Copies on both sides of the split: images are augmented first and divided afterwards.

    python benchmarks/traps/copies_before_split.py --data cats_and_dogs_small --weights mobilenet_v2_035.h5

Of every image there are mirrored and turned copies, ``train_test_split`` puts some of them on each side, and
the head is asked about pictures it knows. Divided before, copies stay with their image.
"""

from __future__ import annotations

import keras
import numpy as np
from _notebook import accuracy, features, head, options, photographs, say, small_mobilenet
from sklearn.model_selection import train_test_split

SIZE, COPIES = 96, 3


def main() -> None:
    """Divides after and before the copies are made."""
    given = options(__doc__)
    keras.utils.set_random_seed(0)
    base = small_mobilenet(SIZE, given.weights)
    images, labels = photographs(given.data / "train", SIZE, 400)
    change = keras.Sequential(
        [
            keras.layers.RandomFlip("horizontal"),
            keras.layers.RandomRotation(0.03),
            keras.layers.RandomZoom(0.1),
        ]
    )
    copies = [images, *(np.asarray(change(images, training=True)) for _ in range(COPIES))]
    rows = features(base, np.concatenate(copies)).reshape(len(copies), len(images), -1)

    def measure(train: np.ndarray, known: np.ndarray, test: np.ndarray, truth: np.ndarray) -> float:
        keras.utils.set_random_seed(0)
        model = head(2)
        model.fit(train, known, epochs=30, batch_size=20, verbose=0)
        return accuracy(model.predict(test, verbose=0), truth)

    of_all = np.tile(labels, len(copies))
    train, test, known, truth = train_test_split(
        rows.reshape(len(of_all), -1), of_all, test_size=0.3, random_state=0
    )
    wrong = measure(train, known, test, truth)

    learnt, asked = train_test_split(np.arange(len(images)), test_size=0.3, stratify=labels, random_state=0)
    train = rows[:, learnt].reshape(len(copies) * len(learnt), -1)
    right = measure(train, np.tile(labels[learnt], len(copies)), rows[0, asked], labels[asked])
    say("copies before the split", wrong=wrong, right=right, data=given.data, rows=len(asked))


if __name__ == "__main__":
    main()
