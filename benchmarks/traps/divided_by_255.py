"""Pixels divided by 255 in front of VGG16: it was trained on BGR minus the mean of ImageNet.

    python benchmarks/traps/divided_by_255.py --data cats_and_dogs_small --weights vgg16.h5

``ImageDataGenerator(rescale=1./255)`` is right for a network that is trained from scratch, and stands in
front of the frozen base ever since.
"""

from __future__ import annotations

import keras
import numpy as np
from _notebook import accuracy, features, head, options, photographs, say, vgg16

SIZE = 64


def main() -> None:
    """Trains the same head twice, behind wrong pixels and behind right ones."""
    given = options(__doc__)
    base = vgg16(SIZE, given.weights)
    images, labels = photographs(given.data / "train", SIZE, 250)
    others, truth = photographs(given.data / "test", SIZE, 250)

    def measure(train: np.ndarray, test: np.ndarray) -> float:
        keras.utils.set_random_seed(0)
        model = head(2, rate=1e-4)
        model.fit(features(base, train), labels, epochs=30, batch_size=20, verbose=0)
        return accuracy(model.predict(features(base, test), verbose=0), truth)

    wrong = measure(images / 255, others / 255)
    prepared = keras.applications.vgg16.preprocess_input
    right = measure(prepared(images), prepared(others))  # changes the arrays, so it comes last
    say("pixels divided by 255", wrong=wrong, right=right, data=given.data, rows=len(truth))


if __name__ == "__main__":
    main()
