"""A dropped last batch: rows that no batch has filled stay zero, and are measured all the same.

    python benchmarks/traps/dropped_batch.py --data cats_and_dogs_small --weights mobilenet_v2_035.h5

The loop of the lecture fills arrays of zeros batch by batch. With ``n // batch_size`` batches, or
``drop_remainder=True``, the images at the end are never looked at; in their place stand rows of zeros, of
class 0. Images come class by class, so what is missing is of one class.
"""

from __future__ import annotations

import keras
import numpy as np
from _notebook import accuracy, head, options, photographs, say, small_mobilenet

SIZE, BATCH = 96, 128


def main() -> None:
    """Trains and measures on all rows, with and without the last batch."""
    given = options(__doc__)
    base = small_mobilenet(SIZE, given.weights)

    def extract(folder: str, each: int, *, dropped: bool) -> tuple[np.ndarray, np.ndarray]:
        images, classes = photographs(given.data / folder, SIZE, each)
        rows, labels = np.zeros((len(images), base.output_shape[1])), np.zeros(len(images), int)
        batches = len(images) // BATCH if dropped else -(-len(images) // BATCH)
        for number in range(batches):
            batch = slice(number * BATCH, (number + 1) * BATCH)
            rows[batch] = base.predict(images[batch], verbose=0)
            labels[batch] = classes[batch]
        return rows, labels

    def measure(*, dropped: bool) -> tuple[float, int]:
        keras.utils.set_random_seed(0)
        model = head(2)
        model.fit(*extract("train", 250, dropped=dropped), epochs=20, batch_size=20, verbose=0)
        rows, labels = extract("test", 250, dropped=dropped)
        return accuracy(model.predict(rows, verbose=0), labels), len(labels)

    wrong, _ = measure(dropped=True)
    right, rows = measure(dropped=False)
    say("a dropped last batch", wrong=wrong, right=right, data=given.data, rows=rows)


if __name__ == "__main__":
    main()
