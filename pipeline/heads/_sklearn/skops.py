"""Files in the format of skops that hold data only."""

from __future__ import annotations

import io
import math
import warnings
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import numpy as np

from pipeline.plain_json import parse_json

PLAIN_TYPES = frozenset(
    {
        "builtins.bool",
        "builtins.dict",
        "builtins.float",
        "builtins.int",
        "builtins.list",
        "builtins.str",
        "builtins.tuple",
        "numpy.bool",
        "numpy.dtype",
        "numpy.float32",
        "numpy.float64",
        "numpy.int32",
        "numpy.int64",
        "numpy.ndarray",
        "sklearn.preprocessing._data.StandardScaler",
    }
)
"""What any saved head may hold; a head adds the estimators that are its own."""

PLAIN_LOADERS = frozenset(
    {"DictNode", "DTypeNode", "JsonNode", "ListNode", "NdArrayNode", "ObjectNode", "TupleNode", "TypeNode"}
)
"""Ways in which skops may rebuild them: containers, arrays and attributes, never a function or a method."""

MOVED_MODULES = {
    "pipeline.heads._kernel": "pipeline.heads._sklearn.scores",
    "pipeline.heads._linear": "pipeline.heads._sklearn.scores",
    "pipeline.heads._trees": "pipeline.heads._sklearn.trees",
}
"""Where types stand that earlier versions saved under the names of other modules."""


def write_object(path: Path, value: Any, arrays: Mapping[str, np.ndarray] = {}) -> None:
    """Writes estimators, arrays and containers of them.

    Args:
        path: The file.
        value: What to write; skops has two copies of its arrays in memory meanwhile.
        arrays: Large arrays by name, which are written piece by piece for :func:`read_array`.
    """
    import skops.io

    skops.io.dump(value, path)
    if not arrays:
        return
    with zipfile.ZipFile(path, "a") as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as stream:
                np.lib.format.write_array(stream, array, allow_pickle=False)


def read_object(path: Path, types: frozenset[str]) -> Any:
    """Reads what :func:`write_object` wrote, after checking that the file names no type but the known ones.

    Args:
        path: The file; it can come from anywhere.
        types: Full names of the types that it may hold besides the plain ones.

    Raises:
        ValueError: It holds another type, or is no such file.
    """
    import skops.io
    from sklearn.exceptions import InconsistentVersionWarning

    trusted = PLAIN_TYPES | types
    with warnings.catch_warnings(), checked(path, trusted) as (archive, schema):
        # Whoever loads a head compares the recorded versions, of Keras heads as well.
        warnings.simplefilter("ignore", InconsistentVersionWarning)
        return skops.io.load(_copy(archive, schema), trusted=sorted(trusted))


def holds(path: Path, name: str) -> bool:
    """Tells whether :func:`write_object` was given an array of a name.

    Raises:
        ValueError: It is no such file.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            return f"{name}.npy" in archive.namelist()
    except zipfile.BadZipFile as error:
        raise ValueError("it is no skops file") from error


def read_array(path: Path, name: str) -> np.ndarray:
    """Reads an array that :func:`write_object` was given by name, from a file that was checked.

    Raises:
        KeyError: The file has no such array.
    """
    with zipfile.ZipFile(path) as archive, archive.open(f"{name}.npy") as stream:
        return np.lib.format.read_array(stream, allow_pickle=False)


@contextmanager
def checked(path: Path, trusted: frozenset[str]) -> Iterator[tuple[zipfile.ZipFile, str]]:
    """Opens a file, and its schema with the present names of its types, after refusing any foreign type.

    Errors are those of :func:`read_object`, in the block as well.
    """
    # skops by itself trusts every estimator of scikit-learn and every function of NumPy and SciPy; a head
    # needs a handful of types, so a file that names any other was not written here.
    try:
        with zipfile.ZipFile(path) as archive:
            _refuse_bombs(archive, path.stat().st_size)
            schema = _with_present_names(archive.read("schema.json").decode())
            found = set(_named_types(parse_json(schema, nan=True)))
            foreign = sorted(
                name for name, loader in found if name not in trusted or loader not in PLAIN_LOADERS
            )
            if foreign:
                raise ValueError(f"it holds {', '.join(foreign)}, which this head never saves")
            yield archive, schema
    except (zipfile.BadZipFile, KeyError) as error:
        raise ValueError("it is no skops file") from error


def _with_present_names(schema: str) -> str:
    for before, now in MOVED_MODULES.items():
        schema = schema.replace(f'"{before}"', f'"{now}"')
    return schema


def _copy(archive: zipfile.ZipFile, schema: str) -> io.BytesIO:
    copy = io.BytesIO()
    with zipfile.ZipFile(copy, "w") as other:
        for name in archive.namelist():
            other.writestr(name, schema if name == "schema.json" else archive.read(name))
    return copy


def _refuse_bombs(archive: zipfile.ZipFile, size: int) -> None:
    """Refuses archives and arrays that promise more than the file's bytes.

    Raises:
        ValueError: A part is compressed, or larger than the whole.
    """
    parts = archive.infolist()
    if any(part.compress_type != zipfile.ZIP_STORED for part in parts):
        raise ValueError("it is compressed, which a saved head never is")
    if sum(part.file_size for part in parts) > size:
        raise ValueError("its parts are larger than the whole")
    for part in parts:
        if part.filename.endswith(".npy"):
            with archive.open(part) as stream:
                shape, dtype = _array_header(stream)
            if dtype.hasobject or math.prod(shape) * dtype.itemsize > part.file_size:
                raise ValueError(f"{part.filename} promises an array that it does not hold")


def _array_header(stream: IO[bytes]) -> tuple[tuple[int, ...], np.dtype]:
    """Reads shape and dtype of an array in NumPy's format."""
    read = {
        (1, 0): np.lib.format.read_array_header_1_0,
        (2, 0): np.lib.format.read_array_header_2_0,
    }
    version = np.lib.format.read_magic(stream)
    if version not in read:
        raise ValueError(f"version {version} of NumPy's format is unknown")
    shape, _, dtype = read[version](stream)
    return shape, dtype


def _named_types(node: Any) -> Iterator[tuple[str, str]]:
    """Walks a skops schema and yields each (full type name, loader) in it."""
    if isinstance(node, dict):
        if "__class__" in node:
            yield f"{node.get('__module__')}.{node['__class__']}", str(node.get("__loader__"))
        node = list(node.values())
    if isinstance(node, list):
        for child in node:
            yield from _named_types(child)
