"""Ways to keep the same features on disk: the project's fixed layout, and HDF5 as others would use it."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import h5py
import hdf5plugin
import numpy as np

from pipeline.cache.feature_file import open_feature_file
from pipeline.cache.features import FeatureSet
from pipeline.cache.partial_file import PartialFile, create_feature_file

Read = Callable[[np.ndarray | None], np.ndarray]
"""Reads some rows, int (n,), in their order, or all of them where None is given."""


class FeatureFile:
    """The project's own file: contiguous, uncompressed, every row with a checksum that is checked."""

    name = "fixed layout (this project)"

    def __init__(self, folder: Path, features: FeatureSet) -> None:
        self.path = folder / f"{re.sub('[^a-z0-9]+', '-', self.name.lower())}.h5"
        self._features = features

    def write(self, array: np.ndarray, batch: int) -> None:
        """Makes the file anew, ``batch`` rows at a time."""
        draft = self.path.with_suffix(".partial")
        header = open_feature_file(self._features.path).header
        create_feature_file(draft, header, self._features.rows, array.shape[1:])
        with PartialFile(draft) as file:
            for start in range(0, len(array), batch):
                rows = np.arange(start, min(start + batch, len(array)))
                file.write(rows, array[rows])
            file.commit()
            file.publish(self.path)

    @contextlib.contextmanager
    def reader(self) -> Iterator[Read]:
        """Opens the file for reading."""
        layout = open_feature_file(self.path)
        opened = FeatureSet(
            features=layout.features,
            rows=layout.rows,
            crc32=layout.crc32,
            spec=layout.header.spec,
            classes=layout.header.classes,
            split=layout.header.split,
            dataset=layout.header.dataset,
            path=layout.path,
        )
        yield lambda rows: opened.to_memory() if rows is None else opened.read(rows)


class ChunkedFile(FeatureFile):
    """One chunked HDF5 dataset, read and written through h5py; no checksums."""

    def __init__(
        self, folder: Path, features: FeatureSet, *, name: str, chunk_rows: int, options: dict[str, Any]
    ) -> None:
        self.name = f"{name}, chunks of {chunk_rows} rows"
        super().__init__(folder, features)
        self._chunk_rows = chunk_rows
        self._options = options

    def write(self, array: np.ndarray, batch: int) -> None:
        """Makes the file anew, ``batch`` rows at a time."""
        chunks = (min(self._chunk_rows, len(array)), *array.shape[1:])
        with h5py.File(self.path, "w") as file:
            stored = file.create_dataset("features", array.shape, array.dtype, chunks=chunks, **self._options)
            for start in range(0, len(array), batch):
                stored[start : start + batch] = array[start : start + batch]

    @contextlib.contextmanager
    def reader(self) -> Iterator[Read]:
        """Opens the file for reading."""
        with h5py.File(self.path, "r") as file:
            stored = file["features"]

            def read(rows: np.ndarray | None) -> np.ndarray:
                if rows is None:
                    return stored[()]
                # Row by row: handing h5py the list of rows takes several times as long.
                return np.stack([stored[row] for row in rows])

            yield read


def _chunked(name: str, chunk_rows: int, **options: Any) -> Callable[[Path, FeatureSet], FeatureFile]:
    return lambda folder, features: ChunkedFile(
        folder, features, name=name, chunk_rows=chunk_rows, options=options
    )


GZIP = {"compression": "gzip", "compression_opts": 4, "shuffle": True}
ZSTD = {"shuffle": True, **hdf5plugin.Zstd(clevel=3)}
FORMATS: tuple[Callable[[Path, FeatureSet], FeatureFile], ...] = (
    FeatureFile,
    _chunked("HDF5 uncompressed", 32),
    _chunked("HDF5 gzip 4 + shuffle", 1, **GZIP),
    _chunked("HDF5 gzip 4 + shuffle", 32, **GZIP),
    _chunked("HDF5 zstd 3 + shuffle", 1, **ZSTD),
    _chunked("HDF5 zstd 3 + shuffle", 32, **ZSTD),
)
