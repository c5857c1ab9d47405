"""Samples in a tar shard, by the WebDataset convention: neighbours whose names agree up to the first dot.

See https://github.com/webdataset/webdataset and "The WebDataset Format", T. Breuel, 2020.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import groupby
from typing import NamedTuple

from pipeline.images.file_kinds import Kind, kind_of
from pipeline.images.sources._sample_labels import LIMITS, Said, broken_sample, read_label
from pipeline.images.sources._tar import Member, walk_tar
from pipeline.images.sources._walk import SYSTEM_NAMES
from pipeline.images.sources._window import Window
from pipeline.images.sources._words import on_one_line, printable, some

_SHOWN = 3
_LONGEST_NAME = 4096  # letters, as of a path on Linux; a feature file is as wide as its longest name
_PLAIN = re.compile(r"(?!.*(?:^/|//|(?:^|/)\.))[^\0]*", re.DOTALL)  # names without hidden or odd parts


class Found(NamedTuple):
    """An image in a shard, and what its neighbours say of it.

    Attributes:
        name: Name of its member, valid text, unique in the shard.
        offset: Where its bytes begin.
        size: Their number.
        label: What ``.cls`` or ``.json`` give as its class, a number or a name; None where they do not.
        split: The split in its ``.json``.
        group: The group in its ``.json``.
    """

    name: str
    offset: int
    size: int
    label: str | None = None
    split: str | None = None
    group: str | None = None


@dataclass
class Passed:
    """Keeps account of the members that are passed over: how many of each kind, and the first names."""

    counts: Counter[str] = field(default_factory=Counter)
    names: dict[str, list[str]] = field(default_factory=dict)

    def add(self, kind: str, name: str) -> None:
        """Counts a member."""
        self.counts[kind] += 1
        if self.counts[kind] <= _SHOWN:
            self.names.setdefault(kind, []).append(printable(name))

    def extend(self, other: Passed) -> None:
        """Adds what another has counted."""
        self.counts += other.counts
        for kind, names in other.names.items():
            self.names[kind] = (self.names.get(kind, []) + names)[:_SHOWN]

    def notes(self) -> list[str]:
        """Returns a remark on each kind."""
        return [
            f"ignored {kind} ({count:,}): {some(self.names[kind])}"
            + (f" and {count - _SHOWN:,} more" if count > _SHOWN else "")
            for kind, count in sorted(self.counts.items())
        ]


def read_samples(window: Window, shard: str, passed: Passed) -> list[Found]:
    """Lists the images of a shard in the order of its members.

    A sample's image is its member ``key.jpg`` (or another suffix of an image); ``key.mask.png`` beside it is
    a further field, and passed over. Without ``key.jpg``, and where what follows the first dot begins with a
    digit (``cat.0.jpg``), each image stands for itself.

    Args:
        window: The shard.
        shard: Its address, for messages.
        passed: Extended by what is passed over.

    Raises:
        UsageError: The shard is damaged, a name stands in it twice, a label cannot be read, or only some of
            its images have one; the message names shard and member.
        OSError: It cannot be read.
    """
    found: list[Found] = []
    orphan = ""
    for _, fields in groupby(_fields(window, shard, passed), key=lambda part: part.key):
        members = list(fields)
        said = {part.rest.lower(): part.said for part in members if part.said}
        images = _images(members, passed)
        found += [
            Found(printable(part.member.name), *part.member[1:3], *_of(part.rest.lower(), said))
            for part in images
        ]
        if not images and not orphan:
            orphan = next((part.member.name for part in members if part.said and part.said.label), "")
    _refuse_twice(found, shard)
    _refuse_partly(found, orphan, shard)
    return found


class _Field(NamedTuple):
    """A member as part of a sample: its key, what follows the first dot, what it says if it is a label."""

    key: str
    rest: str
    member: Member
    said: Said | None = None

    @property
    def is_image(self) -> bool:
        return kind_of(f"key.{self.rest}") is Kind.IMAGE


def _fields(window: Window, shard: str, passed: Passed) -> Iterator[_Field]:
    """Yields what may belong to a sample; labels are read at once, while the shard is being read there."""
    for member in walk_tar(window, shard):
        if not (clean := _cleaned(member, passed)):
            continue
        folder, slash, base = clean.name.rpartition("/")
        first, _, rest = base.partition(".")
        kind = rest.rpartition(".")[2].lower()
        part = _Field(folder + slash + first, rest, clean)
        if kind in LIMITS:
            yield part._replace(said=read_label(window, clean, kind, shard))
        elif part.is_image:
            yield part
        elif kind != "txt":
            passed.add("members that are no images", clean.name)


def _cleaned(member: Member, passed: Passed) -> Member | None:
    """Returns a member with its name as ``tar`` would unpack it, None if it is to be passed over."""
    name = member.name
    if not _PLAIN.fullmatch(name):
        parts = [part for part in name.split("/") if part not in ("", ".")]
        if ".." in parts or "\0" in name or not parts:
            passed.add("members with impossible names", name)
            return None
        if any(part.startswith(".") for part in parts):
            passed.add("members that are no images", name)
            return None
        name = "/".join(parts)
    if len(name) > _LONGEST_NAME:
        passed.add("members with impossible names", f"{name[:20]}...")
        return None
    if not SYSTEM_NAMES.isdisjoint(name.split("/")[:-1]):
        return None
    if not member.regular:
        passed.add("links, devices and sparse files", name)
        return None
    return member._replace(name=name)


def _images(members: list[_Field], passed: Passed) -> list[_Field]:
    images = [part for part in members if part.is_image]
    if all("." in part.rest for part in images):
        return images
    chosen: list[_Field] = []
    for part in images:
        if "." not in part.rest or part.rest[0].isdigit():
            chosen.append(part)
        else:
            passed.add("further images of samples", part.member.name)
    return chosen


def _of(rest: str, said: dict[str, Said]) -> Said:
    """Returns what is said of an image, by ``key.0.cls`` for ``key.0.jpg`` or by ``key.cls``."""
    prefix = rest[: rest.rfind(".") + 1]
    label, split, group = None, None, None
    for name in dict.fromkeys((f"{prefix}cls", f"{prefix}json", "cls", "json")):
        if name in said:
            label, split, group = (a or b for a, b in zip((label, split, group), said[name], strict=True))
    return Said(label, split, group)


def _refuse_twice(found: list[Found], shard: str) -> None:
    if len({image.name for image in found}) < len(found):
        name, count = Counter(image.name for image in found).most_common(1)[0]
        raise broken_sample(shard, name, f"stands in it {count} times: keep one of them")


def _refuse_partly(found: list[Found], orphan: str, shard: str) -> None:
    bare = next((image.name for image in found if image.label is None), None)
    if bare is None:
        return
    if orphan:
        trouble = f"stands apart from its image, and {on_one_line(bare)!r} has no label"
        raise broken_sample(shard, orphan, f"{trouble}: samples must stand together (tar --sort=name)")
    if labelled := next((image.name for image in found if image.label is not None), None):
        trouble = f"has no label, but {on_one_line(labelled)!r} has one"
        raise broken_sample(shard, bare, f"{trouble}: label all images of a shard, or none")
