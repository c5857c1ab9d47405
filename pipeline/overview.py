"""An overview of a folder: which features and heads there are, what they are worth, and what to do next."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipeline.cache.entries import Entry
from pipeline.cache.feature_file import open_feature_file
from pipeline.cache.finding import all_entries
from pipeline.errors import PipelineError
from pipeline.extraction.command import DEFAULT_CACHE, extract_command
from pipeline.images import SPLITS, UNLABELLED
from pipeline.images.formats.kinds import Kind, kind_of
from pipeline.images.sources import claiming
from pipeline.images.targets import CLASS, NUMBER, known_rows
from pipeline.stored_heads import ACCURACY, RECORD, StoredFigures, read_stored_figures, read_stored_head

CACHE, RUNS = DEFAULT_CACHE, Path("runs")
"""What commands take where nothing else is said."""
OURS = (RECORD, "spec.json", "leaderboard.json", "choice.json")
"""Files by which a folder is a cache or holds heads: pictures in it are none to learn from."""
LOOKED_AT = 200
"""Files and folders that are looked at to find out whether a folder holds images."""


@dataclass(frozen=True)
class HeadState:
    """A trained head.

    Attributes:
        name: Its name.
        folder: Where it is saved.
        val_accuracy: As training measured it, or the figure that ``figure`` says; None without val.
        figures: Those of each split that was evaluated.
        figure: What the head is chosen by.
    """

    name: str
    folder: Path
    val_accuracy: float | None
    figures: dict[str, StoredFigures]
    figure: str = ACCURACY

    def to_json(self) -> dict[str, Any]:
        """Returns it as plain types."""
        return {
            "head": self.name,
            "run": str(self.folder),
            f"val_{self.figure}": self.val_accuracy,
            "evaluated": {
                split: {one.name: one.accuracy, f"{one.name}_ci": list(one.interval)}
                for split, one in self.figures.items()
            },
        }


@dataclass(frozen=True)
class EntryState:
    """Features, and the heads that were trained on them alone.

    Attributes:
        entry: The entry.
        rows: Rows of each published split; None where its file cannot be used.
        labelled: Whether a head can be trained on them.
        unfinished: Splits that are being filled, or were when a run ended.
        heads: The heads, the best on val first.
        target: What is known of the images of train.
    """

    entry: Entry
    rows: dict[str, int | None]
    labelled: bool
    unfinished: tuple[str, ...]
    heads: tuple[HeadState, ...]
    target: str = CLASS

    def to_json(self) -> dict[str, Any]:
        """Returns it as plain types."""
        return {
            "entry": str(self.entry.folder),
            "source": self.entry.source,
            "rows": self.rows,
            "labelled": self.labelled,
            "unfinished": list(self.unfinished),
            "heads": [head.to_json() for head in self.heads],
        }


@dataclass(frozen=True)
class Overview:
    """What there is.

    Attributes:
        cache: Folder of the cache.
        runs: Folder of trained heads.
        entries: The entries that can be read.
        sources: Images in this folder that no entry was made of, as ``--data`` takes them.
    """

    cache: Path
    runs: Path
    entries: tuple[EntryState, ...]
    sources: tuple[str, ...]

    @property
    def next_commands(self) -> list[str]:
        """The commands that lead on, the nearest first."""
        return list(dict.fromkeys(self._leading_on()))

    def _leading_on(self) -> Iterator[str]:
        for one in self.entries:
            if one.unfinished:
                yield extract_command([one.entry])
        for one in self.entries:
            place = ["--entry", one.entry.full_name]
            if one.labelled and not one.heads:
                # The head that is taken where none is named does not learn numbers.
                yield self._line("train-head", *place, *(["--head", "ridge"] if one.target == NUMBER else []))
            for head in one.heads[:1]:
                named = [*place, "--head", head.name]
                if "test" not in head.figures and one.rows.get("test"):
                    yield self._line("evaluate", *named, "--split", "test")
                else:
                    yield self._line("predict", "photo.jpg", *named)
        for source in self.sources:
            yield self._line("extract", "--data", source)
        if not self.entries and not self.sources:
            yield self._line("extract", "--data", "folder/of/images")

    def _line(self, name: str, *options: str) -> str:
        elsewhere = [] if self.cache == CACHE else ["--cache", str(self.cache)]
        if self.runs != RUNS and name != "extract":
            elsewhere += ["--runs", str(self.runs)]
        return shlex.join(["pipeline", name, *options, *elsewhere])

    def to_json(self) -> dict[str, Any]:
        """Returns the object that ``pipeline status --json`` prints."""
        return {
            "cache": str(self.cache),
            "runs": str(self.runs),
            "entries": [one.to_json() for one in self.entries],
            "sources": list(self.sources),
            "next": self.next_commands,
        }


def look_around(cache: Path = CACHE, runs: Path = RUNS, *, here: Path | None = None) -> Overview:
    """Looks at a cache, at the heads and at the images of a folder; nothing is changed, or checked in full.

    Args:
        cache: Folder of the cache.
        runs: Folder of trained heads.
        here: Where images are looked for; None = where the process is.
    """
    entries = tuple(_state(entry, runs) for entry in all_entries(cache))
    known = {one.entry.source for one in entries}
    folder = here or Path()
    found = _sources(folder, {cache.resolve(), runs.resolve()})
    sources = tuple(name for name in found if str((folder / name).resolve()) not in known)
    return Overview(cache, runs, entries, sources)


def _state(entry: Entry, runs: Path) -> EntryState:
    rows: dict[str, int | None] = {}
    labelled, target = False, CLASS
    for split, shards in entry.shards.items():
        try:
            files = [open_feature_file(entry.file(shard.name)) for shard in shards]
        except PipelineError:
            rows[split] = None
            continue
        rows[split] = sum(len(file.rows) for file in files)
        if split == "train":
            target = files[0].header.target
            labelled = any(
                (file.rows.labels != UNLABELLED).any() or known_rows(file.rows.targets).any()
                for file in files
            )
    partial = {path.name.partition(".")[0].partition("-")[0] for path in entry.folder.glob("*.partial")}
    unfinished = tuple(split for split in SPLITS if split in partial)
    heads = tuple(_heads(runs / entry.dataset / entry.folder.name))
    return EntryState(entry, rows, labelled, unfinished, heads, target)


def _heads(folder: Path) -> list[HeadState]:
    """Lists the heads of an entry, the best on val first; one that cannot be read is left to `evaluate`."""
    found = []
    for place in (record.parent for record in folder.glob(f"*/{RECORD}")):
        head = read_stored_head(place)
        if head is not None:
            figures = {split: one for split in SPLITS if (one := read_stored_figures(place, split))}
            found.append(HeadState(head.name, place, head.val_accuracy, figures, head.figure))
    return sorted(found, key=lambda head: (-(head.val_accuracy or 0.0), head.name))


def _sources(folder: Path, ours: set[Path]) -> Iterator[str]:
    """Yields what in a folder may be a set of images: folders that hold some, and files of sources."""
    try:
        listed = sorted(os.scandir(folder), key=lambda item: item.name)
    except OSError:
        return
    for item in listed:
        if item.name.startswith(".") or Path(item.path).resolve() in ours:
            continue
        try:
            is_folder = item.is_dir()
            if (is_folder and _holds_images(Path(item.path))) or (item.is_file() and _is_set(item.name)):
                yield f"{item.name}/" if is_folder else item.name
        except OSError:
            continue


def _is_set(name: str) -> bool:
    return name.lower().endswith((".npz", ".tar")) and claiming(name) is not None


def _holds_images(folder: Path) -> bool:
    """Tells whether there is an image among the first files below a folder."""
    looked = 0
    for place, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(names):
            if name in OURS:
                return False
            if kind_of(name) is Kind.IMAGE:
                return True
            looked += 1
        looked += len(folders)
        if looked > LOOKED_AT or place.count(os.sep) - str(folder).count(os.sep) > 4:
            return False
    return False
