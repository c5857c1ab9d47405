"""Entries: one folder per data set and spec, holding a feature file for each split."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shlex
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.cache.features import FeatureSet
from pipeline.cache.mapping import open_mapped
from pipeline.errors import CacheMismatchError, PipelineError, UsageError
from pipeline.images import SPLITS
from pipeline.spec import FeatureSpec

SPEC_FILE = "spec.json"
FEATURE_FILES = (".h5", ".partial", ".retired")
NETWORKS = "int8"
"""Folder of a data set's quantised networks; no entry has this name."""


@dataclass(frozen=True)
class Entry:
    """A folder of the cache that holds, or will hold, the features of one data set under one spec.

    Attributes:
        folder: ``<cache>/<dataset>/<spec.entry_name>``.
        spec: What determines the numbers.
        source: Canonical address of the image source.
        weights_label: What the user asked for: ``imagenet``, ``random`` or a file name.
    """

    folder: Path
    spec: FeatureSpec
    source: str
    weights_label: str

    @property
    def dataset(self) -> str:
        """Name of the data set."""
        return self.folder.parent.name

    @property
    def splits(self) -> list[str]:
        """The published splits, in the order train, val, test."""
        return [split for split in SPLITS if self.file(split).is_file()]

    def file(self, split: str) -> Path:
        """Where the split's published features stand."""
        return self.folder / f"{split}.h5"

    def partial(self, split: str) -> Path:
        """Where the split's features are being filled in."""
        return self.folder / f"{split}.h5.partial"

    def retired(self) -> list[Path]:
        """Replaced files kept because they hold rows that no newer file has."""
        return sorted(self.folder.glob("*.h5.retired"))

    def next_retired(self, split: str) -> Path:
        """A free name for a replaced file of this split."""
        numbers = [int(path.name.split(".")[-3]) for path in self.folder.glob(f"{split}.*.h5.retired")]
        return self.folder / f"{split}.{max(numbers, default=0) + 1}.h5.retired"

    def save(self) -> None:
        """Creates the folder with its readable ``spec.json``.

        Raises:
            PipelineError: The cache cannot be written.
        """
        text = json.dumps(
            {
                "dataset": self.dataset,
                "source": self.source,
                "weights_label": self.weights_label,
                "spec": json.loads(self.spec.to_json()),
            },
            indent=2,
        )
        path = self.folder / SPEC_FILE
        try:
            if path.is_file() and path.read_text() == text:
                return
            self.folder.mkdir(parents=True, exist_ok=True)
            draft = path.with_name(f"{SPEC_FILE}.{os.getpid()}.tmp")
            try:
                draft.write_text(text)
                os.replace(draft, path)
            finally:
                draft.unlink(missing_ok=True)
        except OSError as error:
            raise PipelineError(
                f"cannot write the cache at {self.folder}: {error.strerror}. "
                "Choose another place with --cache"
            ) from error


def dataset_name(name: str) -> str:
    """Turns any name into one that is safe as a folder: letters, digits, ``.``, ``_`` and ``-``."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "_", name).strip("._") or "images"


def read_entry(folder: Path) -> Entry:
    """Reads the entry in a folder.

    Raises:
        CacheMismatchError: ``spec.json`` is damaged, or does not belong to this folder.
    """
    path = folder / SPEC_FILE
    try:
        if path.exists() and not path.is_file():  # opening a named pipe would wait for ever
            raise ValueError("it is no regular file")
        data: dict[str, Any] = json.loads(path.read_text())
        spec = FeatureSpec.from_json(json.dumps(data["spec"]))
        entry = Entry(folder, spec, str(data["source"]), str(data["weights_label"]))
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise CacheMismatchError(
            f"{path} cannot be read ({error}). Run `pipeline extract` to write it anew"
        ) from error
    if spec.entry_name != folder.name:
        raise CacheMismatchError(
            f"{path} describes {spec.entry_name}, not the folder it stands in: it was edited or moved. "
            "Run `pipeline extract` to write it anew"
        )
    return entry


def all_entries(cache: Path) -> list[Entry]:
    """Lists every readable entry of a cache, sorted by data set and name."""
    found = []
    for path in _spec_files(cache):
        try:
            found.append(read_entry(path.parent))
        except CacheMismatchError:
            continue  # named by `pipeline cache verify`; the other entries stay usable
    return found


def _spec_files(cache: Path) -> list[Path]:
    while True:
        with contextlib.suppress(FileNotFoundError):  # a folder was removed between two looks at it
            return sorted(cache.glob(f"*/*/{SPEC_FILE}"))


def find_entries(cache: Path, matches: Callable[[Entry], bool] = lambda entry: True) -> list[Entry]:
    """Lists the entries that hold at least one published split and satisfy a condition."""
    return [entry for entry in all_entries(cache) if entry.splits and matches(entry)]


def only_entry(entries: Iterable[Entry], *, cache: Path, extract_command: str) -> Entry:
    """Returns the one entry among those that match.

    Args:
        entries: The candidates.
        cache: Where they were looked for.
        extract_command: The command that would make the wanted entry.

    Raises:
        UsageError: None matches (the message names the command to run) or several do (the message names
            the options that tell them apart).
    """
    found = list(entries)
    if not found:
        raise UsageError(f"no features in {cache} match these options. Run `{extract_command}` first")
    if len(found) > 1:
        raise UsageError(
            "several entries match these options; tell them apart with:\n" + _options_apart(found)
        )
    return found[0]


def _options_apart(entries: list[Entry]) -> str:
    labels, identities = {e.weights_label for e in entries}, {e.spec.weights for e in entries}
    tell_apart = len(labels) == len(identities)  # not so for two seeds, or two files of the same name
    described = [
        {
            "--name": entry.dataset,
            "--backbone": entry.spec.backbone,
            "--layer": entry.spec.layer,
            "--pooling": entry.spec.pooling,
            "--image-size": str(entry.spec.image_size),
            "--weights": entry.weights_label if tell_apart else entry.spec.weights,
            "--precision": entry.spec.precision,
            "--store": entry.spec.store,
            "--engine": entry.spec.engine,
        }
        for entry in entries
    ]
    apart = [key for key in described[0] if len({options[key] for options in described}) > 1]
    lines = (
        " ".join(f"{key} {shlex.quote(options[key])}" for key in apart) or f"(entry {entry.folder.name})"
        for entry, options in zip(entries, described, strict=True)
    )
    return "\n".join(f"  {line}" for line in lines)


def open_features(entry: Entry, split: str) -> FeatureSet:
    """Opens the published features of a split; rows are mapped, not read.

    Raises:
        UsageError: The entry has no such split.
        CacheMismatchError: The file is damaged, incomplete, or belongs to another spec.
    """
    if not entry.file(split).is_file():
        have = ", ".join(entry.splits) or "none"
        raise UsageError(
            f"split {split!r} is not in {entry.folder}: it holds {have}. "
            f"Run `pipeline extract --data {shlex.quote(entry.source)}` if the source has it"
        )
    layout = open_mapped(entry.file(split))
    header = layout.header
    if header.spec != entry.spec or header.split != split:
        different = header.spec.differences(entry.spec) or {"split": (header.split, split)}
        fields = ", ".join(
            f"{name}: {mine!r} in the file, {theirs!r} expected" for name, (mine, theirs) in different.items()
        )
        raise CacheMismatchError(
            f"{layout.path} does not belong here ({fields}). Run `pipeline extract` to make it anew"
        )
    if not layout.done.all():
        raise CacheMismatchError(f"{layout.path} is incomplete: run `pipeline extract` to finish it")
    return FeatureSet(
        features=layout.features,
        rows=layout.rows,
        crc32=layout.crc32,
        spec=header.spec,
        classes=header.classes,
        split=split,
        dataset=header.dataset,
        path=layout.path,
    )
