"""Features as files that other programs read. One format a file: the folder is the registry.

A format module has what :class:`Format` says; the first line of its docstring says what the files are.
"""

from __future__ import annotations

import importlib.util
import json
import os
import sys
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol, cast

import numpy as np

from pipeline import registry
from pipeline.cache.features import FeatureSet, single_specs
from pipeline.cache.whole_set import refuse_other_classes
from pipeline.errors import UsageError, disk_errors
from pipeline.files import make_folder, replace
from pipeline.paths import expanded
from pipeline.progress import progress

BLOCK_BYTES = 16 << 20
COLUMNS = ("id", "sha256", "split", "label", "group", "view")
"""What is known of each row beside its features; an unknown label and no group are empty."""
METADATA = "two_stage_pipeline"
"""Where a format has room for metadata, the key under which they stand."""


class Format(Protocol):
    """What a module of this package offers.

    Attributes:
        SUFFIXES: Endings of the files that it writes.
        PACKAGES: Distributions that it needs.
        EXTRA: The extra that installs them; empty where it needs none.
    """

    SUFFIXES: tuple[str, ...]
    PACKAGES: tuple[str, ...]
    EXTRA: str

    def write(self, table: FeatureTable, folder: Path, stem: str) -> None:
        """Writes a file for each suffix into a folder, a block of the table after the other."""
        ...


@dataclass(frozen=True, eq=False)
class Block:
    """Some rows that follow one another.

    Attributes:
        features: (b, d) in the stored dtype, a row an image.
        columns: By the names of ``COLUMNS``, b texts each; ``view`` holds numbers.
    """

    features: np.ndarray
    columns: dict[str, list[Any]]

    @property
    def lines(self) -> Iterator[tuple[Any, ...]]:
        """What is known of each row, in the order of ``COLUMNS``."""
        return zip(*(self.columns[name] for name in COLUMNS), strict=True)


@dataclass(frozen=True, eq=False)
class FeatureTable:
    """The rows of some splits, one below the other.

    Attributes:
        splits: At least one, of one entry or of the same several cuts.
    """

    splits: Sequence[FeatureSet]

    def __len__(self) -> int:
        return sum(map(len, self.splits))

    @property
    def width(self) -> int:
        """Number of features of a row."""
        return int(np.prod(self.splits[0].feature_shape))

    @property
    def dtype(self) -> np.dtype:
        """Stored dtype of the features."""
        return np.dtype(self.splits[0].features.dtype)

    @property
    def metadata(self) -> str:
        """What determines the features, and what labels mean, as JSON."""
        first = self.splits[0]
        specs = single_specs(first.spec)
        told = {
            "dataset": first.dataset,
            "classes": list(first.classes),
            "feature_shape": list(first.feature_shape),
            "dtype": self.dtype.name,
            "spec": [asdict(spec) for spec in specs],
            "rows": {split.split: len(split) for split in self.splits},
        }
        return json.dumps(told)

    def blocks(self) -> Iterator[Block]:
        """Yields all rows, each checked against its checksum, and shows how far it is.

        Raises:
            CacheMismatchError: A row is damaged.
        """
        size = max(1, BLOCK_BYTES // max(1, self.width * self.dtype.itemsize))
        with progress("export", len(self), "rows") as advance:
            for split in self.splits:
                for start in range(0, len(split), size):
                    index = np.arange(start, min(start + size, len(split)))
                    columns = split.rows.take(index).columns(split.split, split.classes)
                    yield Block(split.read(index).reshape(len(index), -1), columns)
                    advance(len(index))


@dataclass(frozen=True)
class ExportedFeatures:
    """What was written.

    Attributes:
        files: The files.
        format: Name of their format.
        rows: Number of rows.
        width: Number of features of a row.
    """

    files: tuple[Path, ...]
    format: str
    rows: int
    width: int

    def to_json(self) -> dict[str, Any]:
        """Returns the object that ``pipeline cache export --json`` prints."""
        return asdict(self) | {"files": [str(path) for path in self.files]}


def export_features(
    splits: Sequence[FeatureSet], path: Path, *, format: str | None = None, force: bool = False
) -> ExportedFeatures:
    """Writes features with ids, digests, splits, labels and groups; memory holds a block at a time.

    All files are written before one of them takes its place.

    Args:
        splits: What is written, of one entry.
        path: The file; a format of several files puts the others beside it.
        format: A module of this package; None = what the name of the file ends in.
        force: Whether files that stand there give way.

    Raises:
        UsageError: The format is unknown or lacks its package, or something stands there.
        CacheMismatchError: A row is damaged, or splits have other classes.
        PipelineError: The files cannot be written.
    """
    name = format or path.suffix.lower().removeprefix(".")
    module = _load(name)
    table = FeatureTable(splits)
    refuse_other_classes(splits)
    target = expanded(path).resolve()
    stem = target.name.removesuffix(f".{name}")
    files = [target.with_name(stem + suffix) for suffix in module.SUFFIXES]
    if there := [file for file in files if not force and os.path.lexists(file)]:
        raise UsageError(f"{there[0]} exists: choose another --out, or replace it with --force")
    with disk_errors(f"cannot write {path}", "Choose another place with --out"):
        make_folder(target.parent, root=target.parent)
        with TemporaryDirectory(prefix=".export-", dir=target.parent) as scratch:
            module.write(table, Path(scratch), stem)
            for file in files:
                replace(Path(scratch, file.name), file, root=target.parent, known=lambda *_: True)
    return ExportedFeatures(tuple(files), name, len(table), table.width)


def _load(name: str) -> Format:
    module = registry.load(
        sys.modules[__name__], "format", name, next_step="give --format, or an --out that ends in one of them"
    )
    missing = [package for package in module.PACKAGES if importlib.util.find_spec(package) is None]
    if missing:
        raise UsageError(
            f"format {name!r} needs {', '.join(missing)}: pip install 'two-stage-pipeline[{module.EXTRA}]'"
        )
    return cast(Format, module)
