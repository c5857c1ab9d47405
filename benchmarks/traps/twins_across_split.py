"""Duplicates across the split of a published set: test pictures that stand among the training pictures.

    python benchmarks/traps/twins_across_split.py --data scenes15_small --weights mobilenet_v2_035.h5

Nobody has made them on purpose, and no notebook looks for them. The right figure leaves out test pictures
that have a twin in train; ``pipeline check`` finds twins that are turned or re-encoded, too.
"""

from __future__ import annotations

import keras
import numpy as np
from _notebook import features, head, options, photographs, say, small_mobilenet

SIZE, CELLS, NEAR = 96, 16, 3.0


def thumbnails(images: np.ndarray) -> np.ndarray:
    """Returns grey pictures of 16 x 16 pixels as rows, float32 (n, 256)."""
    side = SIZE // CELLS
    grey = images.mean(axis=3).reshape(-1, CELLS, side, CELLS, side)
    return grey.mean(axis=(2, 4)).reshape(len(images), -1)


def main() -> None:
    """Measures on all test pictures, and on those that training has not seen."""
    given = options(__doc__)
    keras.utils.set_random_seed(0)
    base = small_mobilenet(SIZE, given.weights)
    images, labels = photographs(given.data / "train", SIZE, 1000)
    others, truth = photographs(given.data / "test", SIZE, 1000)
    small, known = thumbnails(others), thumbnails(images)
    squares = (small**2).mean(axis=1)[:, None] + (known**2).mean(axis=1) - 2 * small @ known.T / CELLS**2
    twin = squares.min(axis=1) < NEAR**2

    model = head(int(labels.max()) + 1)
    model.fit(features(base, images), labels, epochs=30, batch_size=32, verbose=0)
    right = model.predict(features(base, others), verbose=0).argmax(axis=1) == truth
    note = (
        f"{twin.sum()} of {len(twin)} test pictures have a twin; of these {right[twin].mean():.1%} are right"
    )
    rows = int((~twin).sum())
    say(
        "duplicates across the split",
        wrong=right.mean(),
        right=right[~twin].mean(),
        data=given.data,
        rows=rows,
        note=note,
    )


if __name__ == "__main__":
    main()
