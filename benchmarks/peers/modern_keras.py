"""Keras as its present guides have it: ``image_dataset_from_directory``, prefetched, and one ``predict``."""

from __future__ import annotations

import argparse

import numpy as np
from _serving import answers, say, timed


def main() -> None:
    """Extracts the pooled features of a folder once and says what that took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("images")
    parser.add_argument("--backbone", required=True, help="a name in keras.applications")
    parser.add_argument("--size", type=int, required=True)
    parser.add_argument("--pooling", default="avg", choices=("none", "avg"))
    parser.add_argument("--batch", type=int, default=32)
    given = parser.parse_args()
    with answers() as stream:
        import keras
        import tensorflow as tf

        base = getattr(keras.applications, given.backbone)(
            weights=None,
            include_top=False,
            input_shape=(given.size, given.size, 3),
            pooling=None if given.pooling == "none" else given.pooling,
        )
        base.predict(np.zeros((given.batch, given.size, given.size, 3)), verbose=0)

        def extract_features() -> None:
            images = keras.utils.image_dataset_from_directory(
                given.images, image_size=(given.size, given.size), batch_size=given.batch, shuffle=False
            )
            scaled = images.map(lambda batch, _: batch / 127.5 - 1, num_parallel_calls=tf.data.AUTOTUNE)
            base.predict(scaled.prefetch(tf.data.AUTOTUNE), verbose=0)

        say(stream, **timed(extract_features))


if __name__ == "__main__":
    main()
