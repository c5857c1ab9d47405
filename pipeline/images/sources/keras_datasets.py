"""Data sets that Keras downloads: ``keras:cifar10``, ``cifar100``, ``mnist``, ``fashion_mnist``."""

from __future__ import annotations

import contextlib
import sys

from pipeline.errors import PipelineError, unknown
from pipeline.images.source_options import SourceOptions
from pipeline.images.sources._array_source import ArraySource, ImageArray, array_source
from pipeline.runtimes.keras import import_keras

_PREFIX = "keras:"

_CIFAR100 = """
apple aquarium_fish baby bear beaver bed bee beetle bicycle bottle bowl boy bridge bus butterfly
camel can castle caterpillar cattle chair chimpanzee clock cloud cockroach couch crab crocodile cup
dinosaur dolphin elephant flatfish forest fox girl hamster house kangaroo keyboard lamp lawn_mower
leopard lion lizard lobster man maple_tree motorcycle mountain mouse mushroom oak_tree orange orchid
otter palm_tree pear pickup_truck pine_tree plain plate poppy porcupine possum rabbit raccoon ray
road rocket rose sea seal shark shrew skunk skyscraper snail snake spider squirrel streetcar
sunflower sweet_pepper table tank telephone television tiger tractor train trout tulip turtle
wardrobe whale willow_tree wolf woman worm
"""

CLASSES = {
    "cifar10": ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"],
    "cifar100": _CIFAR100.split(),
    "mnist": [str(digit) for digit in range(10)],
    "fashion_mnist": [
        "T-shirt/top",
        "Trouser",
        "Pullover",
        "Dress",
        "Coat",
        "Sandal",
        "Shirt",
        "Sneaker",
        "Bag",
        "Ankle boot",
    ],
}
"""Class names of each data set in the order of its labels; from the data sets' own publications."""

ADDRESS = f"{_PREFIX}{'|'.join(CLASSES)}"

OPTIONS: tuple[str, ...] = ()


def claims(uri: str) -> bool:
    """Tells whether the address begins with ``keras:``."""
    return uri.startswith(_PREFIX)


def open_uri(uri: str, options: SourceOptions) -> ArraySource:
    """Loads a data set from Keras's folder, where it is downloaded to when first used.

    Raises:
        UsageError: Keras offers no image data set of this name.
        PipelineError: The data set cannot be downloaded or read.
    """
    name = uri.removeprefix(_PREFIX)
    if name not in CLASSES:
        raise unknown("Keras data set", name, CLASSES, next_step=f"Use e.g. --data {_PREFIX}cifar10")
    datasets = import_keras().datasets
    try:
        with contextlib.redirect_stdout(sys.stderr):  # Keras prints the download's progress on stdout
            (x_train, y_train), (x_test, y_test) = getattr(datasets, name).load_data()
    except Exception as error:  # Keras raises bare exceptions, and archives fail in ways of their own
        reason = " ".join(str(error).split())
        raise PipelineError(
            f"{uri} cannot be loaded: {reason}; run this once with internet access and copy "
            "~/.keras/datasets here, or use --data builtin:digits"
        ) from error
    parts = [ImageArray("x_train", x_train, y_train, "train"), ImageArray("x_test", x_test, y_test, "test")]
    return array_source(uri, name, parts, classes=CLASSES[name])
