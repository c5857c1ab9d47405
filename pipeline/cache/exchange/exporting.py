"""Export: features as files that other programs read, all written before one of them takes its place."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pipeline.cache.exchange.formats import load_format
from pipeline.cache.exchange.stored_table import FeatureTable
from pipeline.cache.features import FeatureSet
from pipeline.cache.whole_set import refuse_other_classes
from pipeline.errors import UsageError, disk_errors
from pipeline.files import make_folder, replace
from pipeline.paths import expanded


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

    Example:
        >>> export_features([open_features(entry, "train")], Path("features.parquet"))

    Args:
        splits: What is written, of one entry.
        path: The file; a format of several files puts the others beside it.
        format: A module of ``pipeline.cache.exchange.formats``; None = what the name of the file ends in.
        force: Whether files that stand there give way.

    Returns:
        What was written.

    Raises:
        UsageError: The format is unknown or lacks its package, or something stands there.
        CacheMismatchError: A row is damaged, or splits have other classes.
        PipelineError: The files cannot be written.
    """
    name = format or path.suffix.lower().removeprefix(".")
    module = load_format(name)
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
