"""A shuffled generator with labels in another order: every pass over it comes in a new order.

    python benchmarks/traps/shuffled_labels.py --data cats_and_dogs_small --weights mobilenet_v2_035.h5

``image_dataset_from_directory`` shuffles unless told otherwise, and ``flow_from_directory`` does, too.
Answers of one pass are then held against the labels of another one, or against ``generator.classes``.
"""

from __future__ import annotations

import keras
import numpy as np
from _notebook import accuracy, features, head, options, photographs, say, small_mobilenet

SIZE = 96


def main() -> None:
    """Measures a sound model in both ways."""
    given = options(__doc__)
    keras.utils.set_random_seed(0)
    base = small_mobilenet(SIZE, given.weights)
    images, labels = photographs(given.data / "train", SIZE, 200)
    top = head(2)
    top.fit(features(base, images), labels, epochs=20, batch_size=20, verbose=0)
    model = keras.Sequential([base, top])

    def answers_and_labels(*, shuffle: bool) -> tuple[np.ndarray, np.ndarray]:
        test = keras.utils.image_dataset_from_directory(
            given.data / "test", image_size=(SIZE, SIZE), shuffle=shuffle, verbose=False
        )
        answers = model.predict(test, verbose=0)
        return answers, np.concatenate([some for _, some in test])  # a second pass

    wrong = accuracy(*answers_and_labels(shuffle=True))
    answers, truth = answers_and_labels(shuffle=False)
    right = accuracy(answers, truth)
    say("shuffled images, unshuffled labels", wrong=wrong, right=right, data=given.data, rows=len(truth))


if __name__ == "__main__":
    main()
