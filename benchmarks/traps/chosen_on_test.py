"""Test chosen as val: the best of many epochs and settings on some rows, and its figure on the same rows.

    python benchmarks/traps/chosen_on_test.py --data cats_and_dogs_small --weights mobilenet_v2_035.h5

``validation_data=(x_test, y_test)`` with ``ModelCheckpoint(save_best_only=True)`` keeps the epoch that likes
these rows best; doing so for several settings chooses once more. The right figure is that of the same chosen
model on rows that took no part. Both are means over draws of the rows that choose.
"""

from __future__ import annotations

import keras
import numpy as np
from _notebook import features, head, options, photographs, say, small_mobilenet

SIZE, EPOCHS, DRAWS, CHOOSING = 96, 15, 50, 100
RATES, SEEDS = (3e-4, 1e-3, 3e-3), range(4)


class Answers(keras.callbacks.Callback):
    """Keeps which rows the model has right after each epoch."""

    def __init__(self, rows: np.ndarray, labels: np.ndarray) -> None:
        """Takes the rows to answer for."""
        super().__init__()
        self.rows, self.labels = rows, labels
        self.right: list[np.ndarray] = []

    def on_epoch_end(self, epoch: int, logs: dict | None = None) -> None:
        """Answers."""
        self.right.append(self.model.predict_on_batch(self.rows).argmax(axis=1) == self.labels)


def main() -> None:
    """Trains all candidates, then chooses among them on few rows at a time."""
    given = options(__doc__)
    base = small_mobilenet(SIZE, given.weights)
    images, labels = photographs(given.data / "train", SIZE, 100)
    train = features(base, images)
    images, truth = photographs(given.data / "test", SIZE, 500)
    kept = Answers(features(base, images), truth)
    for rate in RATES:
        for seed in SEEDS:
            keras.utils.set_random_seed(seed)
            head(2, rate=rate).fit(train, labels, epochs=EPOCHS, batch_size=20, verbose=0, callbacks=[kept])
    right = np.array(kept.right)  # bool (candidates, rows)

    draw = np.random.default_rng(0)
    shown, true = [], []
    for _ in range(DRAWS):
        order = draw.permutation(len(truth))
        choosing, fresh = order[:CHOOSING], order[CHOOSING:]
        best = right[:, choosing].mean(axis=1).argmax()
        shown.append(right[best, choosing].mean())
        true.append(right[best, fresh].mean())
    rows = len(truth) - CHOOSING
    say("test chosen as val", wrong=np.mean(shown), right=np.mean(true), data=given.data, rows=rows)


if __name__ == "__main__":
    main()
