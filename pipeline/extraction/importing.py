"""Import: features that another program has made become an entry of the cache."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from pipeline.backbones.finding import is_file_address
from pipeline.cache.entries import Entry, chosen_name, dataset_name
from pipeline.cache.exchange.formats import load_format
from pipeline.cache.exchange.given_table import GivenTable
from pipeline.cache.finding import all_entries
from pipeline.cache.format import STORED_DTYPES
from pipeline.cache.locks import shared_lock
from pipeline.cache.writer import EntryWriter
from pipeline.errors import PipelineError, UsageError, disk_errors
from pipeline.extraction import refuse_another_source
from pipeline.extraction.filling import CountOthers, announce
from pipeline.extraction.plan import DEFAULT_ROWS_PER_FILE, group_files, plan_copies
from pipeline.extraction.report import Extraction
from pipeline.extraction.request import STORES
from pipeline.extraction.stage import Stage
from pipeline.extraction.targets import TargetRows
from pipeline.extraction.timing import Timings
from pipeline.extraction.understood import Understood
from pipeline.files import LeftAlone
from pipeline.images import BadImage
from pipeline.images.image_list import list_images
from pipeline.images.listed_rows import list_rows
from pipeline.images.manifest import manifest_of
from pipeline.images.row_table import DIGEST_BYTES, RowTable
from pipeline.images.source import remarks_on
from pipeline.images.source_options import SourceOptions
from pipeline.paths import expanded
from pipeline.progress import progress, say
from pipeline.spec import IMPORTED, FeatureSpec
from pipeline.wording import counted, verb

_VIEW = "view"


def import_features(
    file: str | Path,
    *,
    cache: str | Path = "features_cache",
    name: str | None = None,
    backbone: str = IMPORTED,
    features_column: str = "",
    format: str | None = None,
    store: str | None = None,
    columns: SourceOptions | None = None,
) -> Extraction:
    """Takes features into the cache as an entry with a spec of its own.

    A row is known by its features; so one that is taken in twice is stored once more and computed by nobody,
    and the same rows in a later version of the file stay in their splits.

    Example:
        >>> import_features("clip.parquet", name="photos", backbone="clip-vit-b32").entry

    Args:
        file: What ``pipeline cache export`` writes, or a file like it.
        cache: Folder of the cache.
        name: Name of the data set; None = that of the file.
        backbone: What made the features, in a word: it tells the entry from others.
        features_column: What the features are called in the file; empty = the only ones that can be.
        format: A module of ``pipeline.cache.exchange.formats``; None = what the name of the file ends in.
        store: ``float16`` or ``float32``; None = float16 where the file has it, else float32.
        columns: Which columns are the name, the label, the split and the group of a row.

    Returns:
        What was taken in, as stage one reports it.

    Raises:
        UsageError: The file, a column or a name cannot be used, or features are no finite numbers.
        PipelineError: The cache cannot be written; all finished rows are kept.
    """
    path = expanded(file).resolve()
    _refuse_names(backbone, store)
    table = _open(path, format, features_column)
    own = _own_rows(table)
    source = list_rows(
        path,
        len(own),
        {name: [values[row] for row in own] for name, values in table.columns.items() if name != _VIEW},
        columns or SourceOptions(),
        told_target=table.target,
    )
    kept = store or ("float16" if table.dtype == np.float16 else "float32")
    _tell(table, own, kept, remarks_on(source))
    spec = _spec(table, backbone, kept)
    cache = expanded(cache)
    folder = cache / (dataset_name(source.name) if name is None else chosen_name(name))
    refuse_another_source([one for one in all_entries(cache) if one.dataset == folder.name], source.uri)
    rows = _Rows(table, own, np.dtype(STORED_DTYPES[kept]))
    items = list_images(source.items())
    manifest = manifest_of(source, items, rows.digests(items.ids))
    understood = Understood.of(manifest, folder.name)
    for line in [*understood.lines, *(f"note: {note}" for note in understood.remarks)]:
        say(line)
    entry = Entry(
        folder / spec.entry_name, spec, source.uri, IMPORTED, source_options=columns or SourceOptions()
    )
    sizes = {split: len(listed) for split, listed in manifest.splits.items()}
    stage = Stage(
        [entry],
        manifest,
        group_files(sizes, DEFAULT_ROWS_PER_FILE),
        filler=Copier(rows, table.shape, cache),
        views=0,
        measured={},
        skip_bad=False,
    )
    with shared_lock([entry.folder]) as lock:
        (report,) = stage.run(lock)
    report.understood = understood
    for left in report.left:
        say(str(left))
    return report


def _refuse_names(backbone: str, store: str | None) -> None:
    if not re.search("[A-Za-z0-9]", backbone) or is_file_address(backbone):
        raise UsageError(
            f"--backbone {backbone!r} shall say in a word what made the features, such as clip-vit-b32"
        )
    if store not in (None, *STORES):
        raise UsageError(f"--store {store}: choose from {', '.join(STORES)}")


def _open(path: Path, format: str | None, features_column: str) -> GivenTable:
    if not path.is_file():
        raise UsageError(f"no file of features at {path}: give a .parquet, .npz, .npy or .csv")
    chosen = load_format(
        format or path.suffix.lower().removeprefix("."),
        next_step="give --format, or a file whose name ends in one of them",
    )
    with disk_errors(f"cannot read {path}", "Check its permissions"):
        return chosen.read(path, features_column)


def _own_rows(table: GivenTable) -> np.ndarray:
    """Returns the rows that are of images themselves and not of augmented views, int (n,)."""
    views = table.columns.get(_VIEW)
    return np.flatnonzero([view in ("", "0") for view in views]) if views else np.arange(table.rows)


def _tell(table: GivenTable, own: np.ndarray, store: str, remarks: Sequence[str]) -> None:
    width = " x ".join(f"{size:,}" for size in table.shape)
    say(f"{table.file}: {counted(table.rows, 'row')} of {table.features!r}, {width} numbers in {table.dtype}")
    if left := table.rows - len(own):
        say(f"note: {counted(left, 'row')} of augmented views {verb(left)} left out")
    if table.dtype.name not in (store, "float16"):
        say(f"note: {table.dtype} is stored as {store}")
    for note in [*remarks, *([f"not looked at: {', '.join(table.unread)}"] if table.unread else [])]:
        say(f"note: {note}")


def _spec(table: GivenTable, backbone: str, store: str) -> FeatureSpec:
    return FeatureSpec(
        backbone=backbone,
        weights="none",
        layer=table.features,
        pooling="none",
        image_size=0,
        preprocessing="none",
        precision=store,
        store=store,
        resize="none",
        engine=IMPORTED,
    )


@dataclass(frozen=True, eq=False)
class _Rows:
    """The rows of a table that are taken, as they are stored.

    Attributes:
        table: The table.
        own: Which of its rows, int (n,), ascending.
        dtype: The stored dtype.
    """

    table: GivenTable
    own: np.ndarray
    dtype: np.dtype

    def blocks(self, title: str) -> Iterator[tuple[int, np.ndarray]]:
        """Yields the number of the first row, counted among those taken, and the features of some."""
        start = first = 0
        trouble = f"cannot read {self.table.file}"
        with (
            progress(title, self.table.rows, "rows") as advance,
            disk_errors(trouble, "Run the same command again"),
        ):
            for block in self.table.blocks():
                among = slice(*np.searchsorted(self.own, [first, first + len(block)]))
                with np.errstate(over="ignore"):  # what overflows is refused by its name
                    stored = np.ascontiguousarray(block[self.own[among] - first], self.dtype)
                yield start, stored
                start, first = start + len(stored), first + len(block)
                advance(len(block))

    def digests(self, names: Sequence[str]) -> np.ndarray:
        """Returns the SHA-256 of the features of each row, uint8 (n, 32).

        Raises:
            UsageError: Features are not finite as they are stored; the message names the row.
        """
        digests = np.zeros((len(self.own), DIGEST_BYTES), np.uint8)
        for start, block in self.blocks("reading features"):
            if (bad := np.flatnonzero(~np.isfinite(block.reshape(len(block), -1)).all(axis=1))).size:
                row = start + bad[0]
                raise UsageError(
                    f"{self.table.file}: features of {names[row]!r} (row {self.own[row]:,}) are no finite "
                    f"{self.dtype.name}: mend them, or take --store float32 if they are too large"
                )
            digests[start : start + len(block)] = _digests(block)
        return digests


@dataclass(eq=False)
class Copier:
    """Brings about rows by copying them from a table; see :class:`pipeline.extraction.filling.RowMaker`."""

    rows: _Rows
    shape: tuple[int, ...]
    cache: Path
    timings: Timings = field(default_factory=Timings)
    left: list[LeftAlone] = field(default_factory=list)
    forward_rate: float | None = None
    passed: int = 0

    def fill(
        self, writers: Sequence[EntryWriter], wanted: TargetRows, *, others: CountOthers, title: str
    ) -> tuple[list[BadImage], list[np.ndarray]]:
        """Copies the rows that the files of the only writer lack.

        Raises:
            PipelineError: The disk does not suffice, or the table has changed.
        """
        (writer,) = writers
        if not writer.complete:
            if not self.passed:
                announce(writers, [self.shape], others(), self.cache)
            writer.open(self.shape)
        lacking = ~writer.done
        with self.timings.step("fill"):
            self._copy(writer, wanted, title)
        self.passed += int(lacking.sum())
        return [], [lacking]

    def _copy(self, writer: EntryWriter, wanted: TargetRows, title: str) -> None:
        if writer.done.all():
            return
        keys = wanted.keys
        for _, block in self.rows.blocks(title):
            rows, sources = plan_copies(keys, writer.done, _keys(block))
            for file, inside, local in writer.files_of(rows):
                file.write(local, block[sources[inside]])
            writer.commit()
        if not writer.done.all():
            raise PipelineError(
                f"{self.rows.table.file} has changed while it was read: run the same command again"
            )


def _digests(block: np.ndarray) -> np.ndarray:
    """Returns the SHA-256 of each row's bytes, uint8 (b, 32)."""
    whole = b"".join(hashlib.sha256(row.data).digest() for row in block)
    return np.frombuffer(whole, np.uint8).reshape(len(block), DIGEST_BYTES)


def _keys(block: np.ndarray) -> np.ndarray:
    """Returns what identifies each row, as :attr:`RowTable.keys` does."""
    none = np.zeros(len(block), np.uint8)
    return RowTable(ids=(), labels=none, digests=_digests(block), views=none).keys
