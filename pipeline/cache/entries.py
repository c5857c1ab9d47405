"""Entries: one folder per data set and spec, holding a feature file for each split."""

from __future__ import annotations

import itertools
import json
import os
import re
import shutil
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import Any

from pipeline.cache.shards import ShardName, whole_splits
from pipeline.errors import (
    CacheMismatchError,
    UnreadableFileError,
    UsageError,
    disk_errors,
    system_refusal,
)
from pipeline.files import discard, is_blank, make_folder, name_also, open_file, rename, root_of, written
from pipeline.images.source_options import SourceOptions
from pipeline.notebook import facts_html
from pipeline.plain_json import parse_json
from pipeline.spec import FeatureSpec

SIGNATURE = b"\x89HDF\r\n\x1a\n"
"""How an HDF5 file begins."""
DRAFT = re.compile(r"(?P<name>.+)\.[0-9]+\.tmp")
_FEATURES = re.compile(r"(?P<part>[^.]+)(\.[0-9]+)?\.h5(\.partial|\.retired)?")
_WORDS = (b"weights_label", b"created_at", b"software", b"digests", b"crc32")
"""Names of attributes and columns, which stand in the first pages of a feature file; one may be damaged."""
_SPEC_WORDS = (b'"dataset"', b'"spec"', b'"weights_label"', b'"preprocessing"', b'"image_size"')

SPEC_FILE = "spec.json"
FEATURE_FILES = (".h5", ".partial", ".retired")
STAT_CACHE = ".digests.sqlite"
"""File of a cache that knows the digests of unchanged files outside of it."""
NETWORKS = "int8"
"""Folder of a data set's quantised networks; no entry has this name."""


def cache_of(file: Path) -> Path:
    """Returns the cache of a file in an entry, ``<cache>/<dataset>/<entry>/<file>``."""
    return root_of(file, 2)


def is_features(name: PurePath, head: bytes) -> bool:
    """Tells whether a file is one of features: published, partial or retired, and be it damaged."""
    found = _FEATURES.fullmatch(name.name)
    ours = is_blank(head) or sum(word in head for word in _WORDS) > 1
    return ours and found is not None and ShardName.of(found["part"]) is not None


def is_spec(name: PurePath, head: bytes) -> bool:
    """Tells whether a file is the ``spec.json`` of an entry, and be it damaged."""
    ours = is_blank(head) or head == b"{}" or any(word in head for word in _SPEC_WORDS)
    return ours and name.name == "spec.json"


def is_lock(name: PurePath, head: bytes) -> bool:
    """Tells whether a file is a lock, by the name of its holder in it."""
    ours = is_blank(head) or head.startswith(b'{"pid": ')
    return ours and name.name.startswith(".") and name.name.endswith(".lock")


def is_leftover(name: PurePath, head: bytes) -> bool:
    """Tells whether a file is what a killed run has left: a draft, or the lock of a single file."""
    if name.name.startswith("probe-") and name.suffix == ".tmp":
        return re.fullmatch(rb"[0-9a-f]{0,32}", head) is not None
    if draft := DRAFT.fullmatch(name.name):
        begins = b"{" if draft["name"] == "spec.json" else SIGNATURE
        ours = draft["name"] == "spec.json" or _FEATURES.fullmatch(draft["name"]) is not None
        return ours and (is_blank(head) or head.startswith(begins))
    return name.name != ".lock" and is_lock(name, head)


def is_of_an_entry(name: PurePath, head: bytes) -> bool:
    """Tells whether a file is anything that this package puts into an entry."""
    return any(known(name, head) for known in (is_features, is_spec, is_lock, is_leftover))


@dataclass(frozen=True)
class Entry:
    """A folder of the cache that holds, or will hold, the features of one data set under one spec.

    Attributes:
        folder: ``<cache>/<dataset>/<spec.entry_name>``.
        spec: What determines the numbers.
        source: Canonical address of the image source.
        weights_label: What the user asked for: ``imagenet``, ``random`` or a file name.
        rows_per_file: Most rows of a file, where the user has chosen.
        source_options: How the source is to be read.
        weights_file: The file that the filters were read from, where the user named one; ``spec.weights``
            says what it held.
    """

    folder: Path
    spec: FeatureSpec
    source: str
    weights_label: str
    rows_per_file: int | None = None
    source_options: SourceOptions = field(default_factory=SourceOptions)
    weights_file: Path | None = None

    @property
    def cache(self) -> Path:
        """The cache that it stands in."""
        return cache_of(self.folder / SPEC_FILE)

    @property
    def dataset(self) -> str:
        """Name of the data set."""
        return self.folder.parent.name

    @property
    def full_name(self) -> str:
        """What ``--entry`` takes: no other entry of the cache has it."""
        return f"{self.dataset}/{self.folder.name}"

    @property
    def shards(self) -> dict[str, list[ShardName]]:
        """The files of each published split; splits in the order train, val, test."""
        return whole_splits(path.stem for path in self.folder.glob("*.h5") if path.is_file())

    @property
    def splits(self) -> list[str]:
        """The published splits, in the order train, val, test."""
        return list(self.shards)

    def _repr_html_(self) -> str:
        """Shows in a notebook what the features are, and of what."""
        spec = self.spec
        facts = {
            "images": self.source,
            "base": f"{spec.backbone}, weights {self.weights_label}",
            "image size": spec.image_size,
            "cut": f"{spec.layer}:{spec.pooling}",
            "computed by": f"{spec.engine}, {spec.precision}",
            "stored as": spec.store,
            "splits": ", ".join(self.splits) or "none is whole yet",
            "folder": self.folder,
        }
        return facts_html(self.full_name, facts)

    def file(self, name: str) -> Path:
        """Where a shard's published features stand; the only shard of a split has the split's name."""
        return self.folder / f"{name}.h5"

    def partial(self, name: str) -> Path:
        """Where a shard's features are being filled in."""
        return self.folder / f"{name}.h5.partial"

    def retired(self) -> list[Path]:
        """Replaced files kept because they hold rows that no newer file has."""
        return sorted(self.folder.glob("*.h5.retired"))

    def retire(self, path: Path, *, keep: bool = False) -> Path | None:
        """Gives a file of this entry a free name among the retired ones; nothing where it is gone.

        Args:
            path: The file, whatever is in it.
            keep: Leave it under its old name, too, where the system can.

        Returns:
            Its name among the retired ones; None where it is gone.

        Raises:
            ForeignFileError: It is a link, or no regular file.
            OSError: The disk refuses it.
        """
        name = path.name.split(".")[0]
        taken = [one.name.split(".")[-3] for one in self.folder.glob(f"{name}.*.h5.retired")]
        for number in itertools.count(max((int(one) for one in taken if one.isdecimal()), default=0) + 1):
            other = self.folder / f"{name}.{number}.h5.retired"
            try:
                name_also(path, other, root=self.cache)
            except FileExistsError:  # another process has taken this number
                continue
            except FileNotFoundError:
                return None
            except OSError:  # no second names here
                if not (keep and self._copied(path, other)):
                    rename(path, other, root=self.cache)
                return other
            if not keep:
                discard(path, root=self.cache)
            return other
        raise AssertionError

    def _copied(self, path: Path, other: Path) -> bool:
        """Copies a file that others may be about to open; not where it cannot be read or has no room."""
        target = open_file(other, os.O_WRONLY | os.O_CREAT | os.O_EXCL, root=self.cache)
        try:
            with os.fdopen(target, "wb") as copy, open(path, "rb") as source:
                shutil.copyfileobj(source, copy)
                copy.flush()
                os.fsync(copy.fileno())
        except OSError:
            discard(other, root=self.cache)
            return False
        return True

    def save(self) -> None:
        """Creates the folder with its readable ``spec.json``.

        Raises:
            PipelineError: The cache cannot be written.
        """
        described: dict[str, Any] = {
            "dataset": self.dataset,
            "source": self.source,
            "weights_label": self.weights_label,
            "spec": json.loads(self.spec.to_json()),
        }
        if self.rows_per_file:
            described["rows_per_file"] = self.rows_per_file
        if self.source_options.given:
            described["source_options"] = self.source_options.to_json()
        if self.weights_file:
            described["weights_file"] = str(self.weights_file)
        text = json.dumps(described, indent=2)
        path = self.folder / SPEC_FILE
        with disk_errors(f"cannot write the cache at {self.folder}", "Choose another place with --cache"):
            if path.is_file() and path.read_bytes() == text.encode():
                return
            make_folder(self.folder, root=self.cache)
            with written(path, root=self.cache, known=is_spec) as file:
                file.write(text.encode())


def dataset_name(name: str) -> str:
    """Turns any name into one that is safe as a folder: letters, digits, ``.``, ``_`` and ``-``."""
    return _safe(name) or "images"


def chosen_name(name: str) -> str:
    """Turns the name that a user gives a data set into one that is safe as a folder.

    Raises:
        UsageError: Nothing is left of it.
    """
    if safe := _safe(name):
        return safe
    raise UsageError(f"--name {name!r} has no letter from A to Z, no digit and no -: choose one that has")


def _safe(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9_.-]+", "_", name).strip("._")


def read_entry(folder: Path) -> Entry:
    """Reads the entry in a folder.

    Raises:
        CacheMismatchError: ``spec.json`` was read, and is damaged or does not belong to this folder.
        UnreadableFileError: The system does not let it be read now.
    """
    path = folder / SPEC_FILE
    try:
        if path.exists() and not path.is_file():  # opening a named pipe would wait for ever
            raise ValueError("it is no regular file")
        data: dict[str, Any] = parse_json(path.read_text())
        spec = FeatureSpec.from_json(json.dumps(data["spec"]))
        chosen, file = data.get("rows_per_file"), data.get("weights_file")
        entry = Entry(
            folder,
            spec,
            str(data["source"]),
            str(data["weights_label"]),
            None if chosen is None else max(int(chosen), 1),
            SourceOptions.from_json(data.get("source_options", {})),
            None if file is None else Path(file),
        )
    except (
        OSError,
        ValueError,
        KeyError,
        TypeError,
        AttributeError,
        RecursionError,
        MemoryError,
    ) as error:
        if not isinstance(error, FileNotFoundError) and (refusal := system_refusal(error)):
            raise UnreadableFileError(path, refusal) from error
        raise CacheMismatchError(
            f"{path} cannot be read ({error}). Run `pipeline extract` to write it anew"
        ) from error
    if spec.entry_name != folder.name:
        raise CacheMismatchError(
            f"{path} describes {spec.entry_name}, not the folder it stands in: it was edited or moved. "
            "Run `pipeline extract` to write it anew"
        )
    return entry
