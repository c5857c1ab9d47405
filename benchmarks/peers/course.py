"""The method of the course material: a generator, ``predict`` on batches of 20, arrays."""

from __future__ import annotations

import argparse

import numpy as np
from _serving import answers, say, timed


def main() -> None:
    """Extracts the features of a folder once and says what the loop took."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("images")
    parser.add_argument("--backbone", required=True, help="a name in keras.applications")
    parser.add_argument("--size", type=int, required=True)
    parser.add_argument("--count", type=int, required=True)
    parser.add_argument("--batch", type=int, default=20)
    given = parser.parse_args()
    with answers() as stream:
        import tensorflow as tf

        base = getattr(tf.keras.applications, given.backbone)(
            weights=None, include_top=False, input_shape=(given.size, given.size, 3)
        )
        # Traced before the clock starts, as the base of stage one is.
        base.predict(np.zeros((given.batch, given.size, given.size, 3)), verbose=0)

        def extract_features() -> None:
            generator = tf.keras.preprocessing.image.ImageDataGenerator(
                rescale=1.0 / 255
            ).flow_from_directory(
                given.images,
                target_size=(given.size, given.size),
                batch_size=given.batch,
                class_mode="sparse",
            )
            features = np.zeros((given.count, *base.output_shape[1:]))
            labels = np.zeros(given.count)
            for number, (images, classes) in enumerate(generator):
                start = number * given.batch
                if start >= given.count:
                    break
                features[start : start + given.batch] = base.predict(images, verbose=0)
                labels[start : start + given.batch] = classes

        say(stream, **timed(extract_features))


if __name__ == "__main__":
    main()
