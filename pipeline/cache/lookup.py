"""Looking rows up by what they are of: features of given images, wherever in a cache they stand."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import numpy as np

from pipeline.cache.format import checksum
from pipeline.cache.reuse import stored_rows
from pipeline.images.row_table import RowTable
from pipeline.spec import FeatureSpec


def look_up(cache: Path, spec: FeatureSpec, rows: RowTable) -> tuple[np.ndarray | None, np.ndarray]:
    """Reads the features of some images, each row checked against its checksum.

    Args:
        cache: Where to look: at every entry, published or being filled.
        spec: What the features shall be.
        rows: The n images, by their digests; one may stand there several times.

    Returns:
        The features in the stored dtype, (n, ...), undefined where nothing is found, or None where no file
        tells their shape; and bool (n,), which rows were found.
    """
    found = np.zeros(len(rows), bool)
    stored = stored_rows(cache, spec, np.unique(rows.keys), images=[rows])
    if stored.feature_shape is None or not len(stored.keys):
        return None, found
    places: dict[bytes, list[int]] = defaultdict(list)
    for place, key in enumerate(rows.keys):
        places[key.tobytes()].append(place)
    features = np.empty((len(rows), *stored.feature_shape), stored.layouts[0].dtype)
    for number, layout in enumerate(stored.layouts):
        here = np.flatnonzero(stored.file == number)
        mapped = layout.features
        for key, row in zip(stored.keys[here], stored.row[here].tolist(), strict=True):
            wanted = places[key.tobytes()]
            if not found[wanted[0]] and checksum(mapped[row]) == layout.crc32[row]:
                features[wanted] = mapped[row]
                found[wanted] = True
    return features, found
