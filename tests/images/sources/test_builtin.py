from __future__ import annotations

import numpy as np
import pytest

from pipeline.errors import UsageError
from pipeline.images import open_images
from pipeline.images.manifest import scan


def test_the_digits_are_the_default_data_set():
    source = open_images("builtin:digits")
    assert (source.uri, source.name) == ("builtin:digits", "digits")
    assert source.classes == tuple("0123456789")
    assert len(source.items()) == 1797
    assert source.items()[17].id == "array[17]"
    pixels = np.stack([source.read(item) for item in source.items()])
    assert pixels.dtype == np.uint8
    assert pixels.shape == (1797, 8, 8)
    assert (pixels.min(), pixels.max()) == (0, 255)
    manifest = scan(source)
    shares = {split: len(rows) / 1797 for split, rows in manifest.splits.items()}
    assert shares == pytest.approx({"train": 0.70, "val": 0.15, "test": 0.15}, abs=0.03)


def test_other_built_in_names_list_what_there_is():
    with pytest.raises(UsageError, match=r"unknown built-in data set 'digit' \(did you mean 'digits'\?\)"):
        open_images("builtin:digit")
