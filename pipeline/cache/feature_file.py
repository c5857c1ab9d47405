"""Reading a feature file, which can come from anywhere: what is not sound is refused before it is read."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Protocol, TypeVar

import h5py
import numpy as np

from pipeline.cache.damage import DamagedFileError
from pipeline.cache.format import (
    ATTRIBUTES,
    COLUMNS,
    FILLED,
    HDF5_LOCK,
    LATER_ATTRIBUTES,
    PART_ATTRIBUTES,
    SEAL,
    SEALS,
    STORED_DTYPES,
    TARGET_ATTRIBUTES,
    TARGETS,
    TARGETS_SCHEMA,
    FeatureFile,
    Header,
    altered,
    plain,
    plain_attributes,
    seal,
)
from pipeline.cache.shards import ShardName
from pipeline.errors import CacheMismatchError, UnreadableFileError, UsageError, system_refusal
from pipeline.guards.hdf5 import refuse_foreign_parts, refuse_other_columns
from pipeline.images import UNLABELLED
from pipeline.images.packed_strings import PackedStrings
from pipeline.images.row_table import RowTable
from pipeline.images.targets import CLASS, KINDS, LABELS, are_marks
from pipeline.paths import is_folder_name
from pipeline.spec import SCHEMA, FeatureSpec

TROUBLE = (
    OSError,
    KeyError,
    ValueError,
    TypeError,
    RuntimeError,
    AttributeError,
    OverflowError,
    MemoryError,
)
"""What h5py, NumPy and JSON raise at files that are damaged, made to do harm, or not to be read now."""

_MEND = "`pipeline extract` mends it, and computes anew only what cannot be proved"


class _Mappable(Protocol):
    @property
    def features(self) -> np.ndarray: ...


_T = TypeVar("_T", bound=_Mappable)


def open_mapped(path: Path) -> FeatureFile:
    """Opens a feature file and maps its features, both from the same version of it.

    Raises:
        UsageError: There is no such file.
        CacheMismatchError: The file was read, and is foreign, damaged, or of another schema version.
        UnreadableFileError: The system does not let it be read now.
    """
    return mapped(path, open_feature_file)


def mapped(path: Path, open_it: Callable[[Path], _T]) -> _T:
    """Opens a file in some way and maps its features, both from the same version of it.

    The path is followed twice, by the HDF5 library and for the map, and it may lead to another file the
    second time: rows of one would then stand beside the features of the other.
    """
    while True:
        before = _version(path)
        try:
            layout = open_it(path)
            layout.features  # noqa: B018 - mapped now, kept by the layout
        except Exception:
            if _version(path) == before:
                raise
            continue
        if _version(path) == before:
            return layout


def _version(path: Path) -> tuple[int, int, int] | None:
    try:
        status = os.stat(path)
    except OSError:
        return None
    return status.st_dev, status.st_ino, status.st_size


def open_feature_file(path: Path) -> FeatureFile:
    """Reads a feature file's header and rows and checks that nothing in them was altered.

    The file can come from anywhere: it is refused, before a value is read, where it points to another file
    or declares more than its bytes hold.

    Raises:
        UsageError: There is no such file.
        DamagedFileError: The file was read, and is damaged or foreign.
        CacheMismatchError: It is of another schema version.
        UnreadableFileError: The system does not let it be read now; nothing is known of what it holds.
    """
    try:
        if not stat.S_ISREG(os.stat(path).st_mode):  # opening a named pipe would wait for ever
            raise FileNotFoundError(path)
        with HDF5_LOCK, h5py.File(path, "r") as file:
            return _read_layout(path, file)
    except CacheMismatchError:
        raise
    except (FileNotFoundError, NotADirectoryError) as error:
        raise UsageError(f"{path} does not exist: run `pipeline extract` to make it") from error
    except TROUBLE as error:
        if refusal := system_refusal(error):
            raise UnreadableFileError(path, refusal) from error
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DamagedFileError(
            f"{path} is no readable feature file ({reason}). Remove it and run `pipeline extract` again",
            f"structure: {reason}",
        ) from error


def _read_layout(path: Path, file: h5py.File) -> FeatureFile:
    refuse_foreign_parts(path, file)
    wanted = COLUMNS | TARGETS if TARGETS.keys() & set(file) else COLUMNS
    schema, expected = plain(file.attrs.get("schema")), SCHEMA if wanted is COLUMNS else TARGETS_SCHEMA
    if schema != expected and plain(file.attrs.get(SEAL)) != seal(file, {"schema": expected}):
        raise CacheMismatchError(
            f"{path} has schema {str(schema)[:40]}, this version reads {SCHEMA} and {TARGETS_SCHEMA}: "
            "run `pipeline extract` to make it anew"
        )
    optional = (
        names for names in (PART_ATTRIBUTES, LATER_ATTRIBUTES, TARGET_ATTRIBUTES) if names & set(file.attrs)
    )
    refuse_other_columns(file, wanted, ATTRIBUTES.union(*optional))
    attributes = plain_attributes(file)
    if attributes.get(SEAL) != seal(file):
        what = what_is_altered(file)
        raise DamagedFileError(f"{path} is damaged: its {what} changed since it was written. {_MEND}", what)
    spec = FeatureSpec.from_json(attributes["spec"])
    columns = {name: file[name] for name in wanted}
    features = columns["features"]
    n = features.shape[0]
    ids = read_texts(columns["ids"])
    rows = RowTable(
        ids=ids,
        labels=columns["labels"][()],
        digests=columns["digests"][()],
        views=columns["views"][()],
        groups=read_texts(columns["groups"]),
        targets=columns["targets"][()] if "targets" in columns else None,  # type: ignore[arg-type]
    )
    sizes = {name: (columns[name].id.get_offset(), columns[name].id.get_storage_size()) for name in FILLED}
    lengths = {
        len(ids),
        len(rows.labels),
        len(rows.digests),
        len(rows.views),
        len(rows.targets),
        len(rows.groups),
        *(columns[k].shape[0] for k in FILLED),
    }
    status = os.stat(path)
    whole = all(offset is not None and offset + size <= status.st_size for offset, size in sizes.values())
    if lengths != {n} or features.dtype != np.dtype(STORED_DTYPES[spec.store]) or not (whole or n == 0):
        raise DamagedFileError(f"{path} is truncated or damaged. {_MEND}", "length of its columns")
    done = columns["done"][()]
    header = Header(
        spec=spec,
        dataset=attributes["dataset"],
        source=attributes["source"],
        split=attributes["split"],
        classes=tuple(read_texts(columns["classes"])),
        weights_label=attributes["weights_label"],
        skipped=tuple(json.loads(item) for item in read_texts(columns["skipped"])),
        software=json.loads(attributes["software"]),
        number=int(attributes.get("part", 0)),
        count=int(attributes.get("parts", 1)),
        whole=str(attributes.get("whole", "")),
        target=str(attributes.get("target", CLASS)),
    )
    _refuse_impossible(header, rows, tuple(features.shape[1:]))
    return FeatureFile(
        path=path,
        header=header,
        rows=rows,
        crc32=columns["crc32"][()],
        done=done == 1,
        identity=(status.st_dev, status.st_ino),
        stray=int((done > 1).sum()),
        offsets={name: offset or 0 for name, (offset, _) in sizes.items()},
        feature_shape=tuple(features.shape[1:]),
        dtype=features.dtype,
    )


def _refuse_impossible(header: Header, rows: RowTable, feature_shape: tuple[int, ...]) -> None:
    """Refuses what no run writes, sealed or not: whoever writes a file can seal it, too."""
    if not is_folder_name(header.dataset) or ShardName.of(header.shard.name) != header.shard:
        names = f"{header.dataset[:40]!r}, {header.shard.name[:40]!r}"
        raise ValueError(f"{names} are no names of data set and split")
    if not feature_shape or 0 in feature_shape:
        raise ValueError(f"{feature_shape} is no shape of features")
    targets, width = rows.targets, 0 if header.target == CLASS else len(header.classes)
    if header.target not in KINDS or targets.shape[1] != width or (width == 0) != (header.target == CLASS):
        raise ValueError(f"{targets.shape[1]} targets of kind {header.target[:40]!r} do not fit its classes")
    if header.target == LABELS and not are_marks(targets).all():
        raise ValueError("a label of an image is neither 0 nor 1")
    if np.isinf(targets).any():
        raise ValueError("a number is infinite")
    if width and (rows.labels != UNLABELLED).any():
        raise ValueError("an image has a class beside its targets")
    if len(rows) and not (rows.labels.min() >= UNLABELLED and rows.labels.max() < len(header.classes)):
        raise ValueError("a label stands for no class")
    for item in header.skipped:
        if not isinstance(item, dict) or not all(isinstance(text, str) for text in item.values()):
            raise ValueError("the list of skipped images is none")


def what_is_altered(file: h5py.File) -> str:
    """Names what does not fit its seal, as far as the file tells."""
    names = altered(file)
    if names is None:
        return SEALS if SEALS in file.attrs else "header or row list"
    return ", ".join(sorted(name.removeprefix("@") for name in names)) or "seal"


def read_texts(dataset: h5py.Dataset) -> PackedStrings:
    """Reads a column of texts."""
    return PackedStrings.of_encoded(dataset[()])
