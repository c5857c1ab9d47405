"""Which entries of a cache options mean, and which options tell entries apart: two inverses."""

from __future__ import annotations

import contextlib
import os
import shlex
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path
from typing import Any

from pipeline.backbones.table import ALL_POOLINGS, Cut
from pipeline.cache.entries import SPEC_FILE, Entry, read_entry
from pipeline.cache.feature_file import open_feature_file
from pipeline.errors import CacheMismatchError, PipelineError, UnreadableFileError, UsageError
from pipeline.images.pixel_range import PixelRange
from pipeline.paths import expanded
from pipeline.plain_json import parse_json
from pipeline.spec import RAW, FeatureSpec

WEIGHTS_WORDS = ("imagenet", "random", "none")
"""Words for filters; every other label of an entry is the name of a file."""
SHORTEST_IDENTITY = len("sha256:") + 8
SHOWN_IDENTITY = len("sha256:") + 12
NO_RANGE = "none"
MOST_OPTIONS = 3
"""Beyond so many options, the name of an entry is shorter."""

LEFT_OPEN = ("precision", "engine", "resize")
"""What stage one chooses where ``auto`` is asked for."""
UNUSED_BY_RAW = ("weights", "precision", "store", "engine")
"""What stage one takes for raw pixels, where they are named, and makes no use of."""


@dataclass(frozen=True, kw_only=True)
class EntryFilter:
    """What an entry has to be.

    Attributes:
        source: Canonical address of the images; None = any.
        dataset: Name of the data set; None = any.
        entries: Names of entries, see :func:`is_called`; it has to be one of them, if there are any.
        asked: What its features have to be, by the fields of ``FeatureRequest``; None and an empty collection
            say nothing, nor does ``auto`` of what may be left open. Of ``views``, 0 is for an entry without
            augmented views and any other number for one with them; ``augment`` holds values of
            ``Augmentation``, which only such entries have.
    """

    source: str | None = None
    dataset: str | None = None
    entries: tuple[str, ...] = ()
    asked: Mapping[str, Any] = field(default_factory=dict)

    def matches(self, entry: Entry) -> bool:
        """Tells whether an entry is as wanted."""
        return (
            self.source in (None, entry.source)
            and self.dataset in (None, entry.dataset)
            and (not self.entries or any(is_called(entry.folder, name) for name in self.entries))
            and all(self._fits(entry, name, value) for name, value in self.asked.items())
        )

    def _fits(self, entry: Entry, name: str, value: Any) -> bool:
        spec = entry.spec
        if value in (None, (), {}) or (value == "auto" and name in LEFT_OPEN):
            return True
        if name in UNUSED_BY_RAW and spec.engine == RAW == self.asked.get("backbone"):
            return True
        match name:
            case "layers":
                return any(_is_cut(spec, Cut.parse(one, pooling=self._pooling(spec))) for one in value)
            case "pooling":
                return bool(self.asked.get("layers")) or value == spec.pooling
            case "weights":
                return has_filters(entry, value)
            case "pixel_range":
                return spec.pixel_range == ("" if value == NO_RANGE else str(PixelRange.parse(value)))
            case "views":
                return bool(value) == bool(spec.augmentation)
            case "augment":
                return augmentation_of(spec).items() >= value.items()
        return bool(getattr(spec, name) == value)

    def _pooling(self, spec: FeatureSpec) -> str:
        """Pooling of cuts that do not say: as was asked for, else any."""
        asked = self.asked.get("pooling")
        return asked or (spec.pooling if spec.pooling in ALL_POOLINGS else "none")


def _is_cut(spec: FeatureSpec, cut: Cut) -> bool:
    return (spec.layer, spec.pooling) == (cut.layer, cut.pooling)


def asked_of(spec: FeatureSpec) -> dict[str, Any]:
    """Returns what was asked for to get a spec, without its cut and its views, by the names of the fields."""
    unused = {"layer", "pooling", *(UNUSED_BY_RAW if spec.engine == RAW else ())}
    return {name: getattr(spec, name) for name in FeatureSpec.asked() if name not in unused}


def is_called(entry: Path, name: str) -> bool:
    """Tells whether a name means the entry in a folder.

    It is the folder's name or its beginning, perhaps after ``dataset/``; what comes before that, as in the
    path that ``pipeline cache ls`` prints, is not looked at.
    """
    *dataset, folder = name.rstrip("/").split("/")[-2:]
    return dataset in ([], [entry.parent.name]) and bool(folder) and entry.name.startswith(folder)


def has_filters(entry: Entry, weights: str) -> bool:
    """Tells whether a word or an identity, whole or its beginning, means the filters of an entry."""
    if weights in WEIGHTS_WORDS:
        return weights == entry.weights_label
    shortened = weights.startswith("sha256:") and len(weights) >= SHORTEST_IDENTITY
    return weights == entry.spec.weights or (shortened and entry.spec.weights.startswith(weights))


def augmentation_of(spec: FeatureSpec) -> dict[str, Any]:
    """Returns the values that a spec's augmented views are drawn with; empty without views."""
    try:
        drawn = parse_json(spec.augmentation or "{}")
    except ValueError:  # a spec may come from anywhere
        return {}
    return drawn if isinstance(drawn, dict) else {}


def stored_views(entry: Entry) -> int:
    """Counts the augmented views of each training image; 1 where there are some and no file says how many."""
    if not entry.spec.augmentation:
        return 0
    try:
        views = open_feature_file(entry.file(entry.shards["train"][0].name)).rows.views
    except (PipelineError, KeyError):
        return 1
    return int(max(views.max(initial=0), 1))


def options_apart(entries: Sequence[Entry]) -> list[list[str]]:
    """Returns, for each entry, the fewest options that it matches and no other of them does.

    Where options of stage one do not tell it apart, ``--entry`` does.
    """
    described = [_options(entry, entries) for entry in entries]
    keys = [
        key
        for key in dict.fromkeys(key for options in described for key in options)
        if len({options.get(key) for options in described}) > 1
    ]
    return [_fewest(number, entries, described, keys) for number in range(len(entries))]


def _options(entry: Entry, among: Sequence[Entry]) -> dict[str, str]:
    """Describes an entry by options: values by flag, those of ``--augment`` by flag and name."""
    spec = entry.spec
    values = {name: str(getattr(spec, name)) for name in FeatureSpec.asked()}
    values |= {
        "weights": _weights_option(entry, among),
        "pixel_range": spec.pixel_range or NO_RANGE,
        "views": "1" if spec.augmentation else "0",
    }
    return {
        "--name": entry.dataset,
        **{f"--{name.replace('_', '-')}": value for name, value in values.items()},
        **{f"--augment {name}": setting(name, value) for name, value in augmentation_of(spec).items()},
    }


def _weights_option(entry: Entry, among: Sequence[Entry]) -> str:
    label, identity = entry.weights_label, entry.spec.weights
    alike = {one.spec.weights for one in among if one.weights_label == label}
    if label in WEIGHTS_WORDS and len(alike) == 1:  # not so for two seeds
        return label
    return identity[:SHOWN_IDENTITY] if identity.startswith("sha256:") else identity


def setting(name: str, value: object) -> str:
    """Writes a value of ``Augmentation`` as ``--augment`` takes it."""
    if isinstance(value, bool):
        return f"{name}={str(value).lower()}"
    if isinstance(value, int | float):
        return f"{name}={repr(float(value)).removesuffix('.0')}"  # 20 and 20.0 draw the same
    return f"{name}={value}"


def _fewest(
    number: int, entries: Sequence[Entry], described: Sequence[Mapping[str, str]], keys: Sequence[str]
) -> list[str]:
    own, others = described[number], [*described[:number], *described[number + 1 :]]
    usable = [key for key in keys if key in own]
    for count in range(MOST_OPTIONS + 1):
        for some in combinations(usable, count):
            if all(any(own[key] != other.get(key) for key in some) for other in others):
                return [word for key in some for word in _words(key, own[key], entries[number])]
    entry = entries[number]
    namesakes = [one for one in entries if is_called(one.folder, entry.folder.name)]
    return ["--entry", entry.folder.name if len(namesakes) == 1 else entry.full_name]


def _words(key: str, value: str, entry: Entry) -> tuple[str, str]:
    flag = key.partition(" ")[0]
    return flag, str(stored_views(entry)) if flag == "--views" else value


def as_lines(options: Sequence[Sequence[str]]) -> str:
    """Writes options as they are typed, a line for each entry."""
    return "\n".join(f"  {shlex.join(words)}" for words in options)


def all_entries(cache: Path) -> list[Entry]:
    """Lists every readable entry of a cache, sorted by data set and name."""
    found = []
    for path in _spec_files(expanded(cache)):
        try:
            found.append(read_entry(path.parent))
        except (CacheMismatchError, UnreadableFileError):
            continue  # named by `pipeline cache verify`; the other entries stay usable
    return found


def _spec_files(cache: Path) -> list[Path]:
    while True:
        with contextlib.suppress(FileNotFoundError):  # a folder was removed between two looks at it
            return sorted(cache.glob(f"*/*/{SPEC_FILE}"))


def find_entries(
    cache: str | os.PathLike[str] = "features_cache",
    matches: Callable[[Entry], bool] = lambda entry: True,
    *,
    published: bool = True,
) -> list[Entry]:
    """Lists the entries that satisfy a condition.

    Example:
        >>> find_entries("features_cache", lambda entry: entry.spec.backbone == "vgg16")

    Args:
        cache: The folder.
        matches: The condition.
        published: Whether to list only those that hold at least one published split.

    Returns:
        The entries, by the names of their folders.
    """
    return [entry for entry in all_entries(Path(cache)) if (entry.splits or not published) and matches(entry)]


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
            "several entries match these options; tell them apart with:\n" + as_lines(options_apart(found))
        )
    return found[0]
