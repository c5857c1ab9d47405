"""Samples in a tar shard, by the WebDataset convention: neighbours whose names agree up to the first dot.

See https://github.com/webdataset/webdataset and "The WebDataset Format", T. Breuel, 2020.
"""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import groupby
from typing import NamedTuple

from pipeline.images.formats.encoded import looks_like_image
from pipeline.images.formats.kinds import HEAD_BYTES, Kind, kind_of
from pipeline.images.sources import _left_out as left_out
from pipeline.images.sources._left_out import Omissions, Patterns, by_pattern
from pipeline.images.sources._sample_labels import LIMITS, SampleLabel, broken_sample, read_label
from pipeline.images.sources._tar import TarMember, Window, walk_tar
from pipeline.images.sources._walk import SYSTEM_NAMES
from pipeline.images.sources._words import SHOWN, on_one_line, printable

_IMPOSSIBLE = "members with impossible names"
_FURTHER = "further images of samples"
_IN_HIDDEN = "files in hidden folders"
_IN_SYSTEM = "files in folders of the system"
_SPECIAL = "links, devices and sparse files"
_LONGEST_NAME = 4096  # letters, as of a path on Linux; a feature file is as wide as its longest name
_PLAIN = re.compile(r"(?!.*(?:^/|//|(?:^|/)\.))[^\0]+", re.DOTALL)  # names without hidden or odd parts


class ShardImage(NamedTuple):
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
class ShardAccount:
    """What is to be said of the members of one shard.

    Attributes:
        name: Name of the shard, which ids begin with.
        patterns: What the user leaves out.
        samples: Number of samples with several images, which are kept together.
        example: Ids of the images of the first of them.
        numbered: Number of images told apart by a number alone (``cat.0.jpg``), which are not.
    """

    name: str
    patterns: Patterns
    samples: int = 0
    example: list[str] = field(default_factory=list)
    numbered: int = 0
    _counts: Counter[str] = field(default_factory=Counter)
    _names: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))

    def leave_out(self, what: str, name: str) -> None:
        """Counts a member that is not taken."""
        self._counts[what] += 1
        if self._counts[what] <= SHOWN:
            self._names[what].append(name)

    def tell(self, omissions: Omissions) -> None:
        """Adds what is left out to the account of all shards."""
        for what, count in self._counts.items():
            omissions.add(what, f"{self.name}/", self._names[what], count=count)


ReadLabel = Callable[[Window, TarMember, str, str], SampleLabel]
"""Reads a label as :func:`pipeline.images.sources._sample_labels.read_label` does."""


def read_samples(
    window: Window, shard: str, account: ShardAccount, read: ReadLabel = read_label
) -> list[ShardImage]:
    """Lists the images of a shard in the order of its members.

    A sample's image is its member ``key.jpg`` (or another suffix of an image); ``key.mask.png`` beside it is
    a further field, and left out. Without ``key.jpg``, and where what follows the first dot begins with a
    digit (``key.0.jpg``), each image is taken. Several images of one sample are a group, unless numbers alone
    tell them apart and the sample has no label: then they may be a plain folder's (``cat.0.jpg`` to
    ``cat.999.jpg``).

    Args:
        window: The shard.
        shard: Its address, for messages.
        account: Says what is left out; extended by what is to be said.
        read: Reads labels.

    Raises:
        UsageError: The shard is damaged, a name stands in it twice, a label cannot be read, or only some of
            its images have one; the message names shard and member.
        OSError: It cannot be read.
    """
    found: list[ShardImage] = []
    orphan = ""
    for key, fields in groupby(_fields(window, shard, account, read), key=lambda part: part.key):
        members = list(fields)
        said = {part.rest.lower(): part.said for part in members if part.said}
        images = _images(members, account)
        sample = [
            ShardImage(printable(part.member.name), *part.member[1:3], *_of(part.rest.lower(), said))
            for part in images
        ]
        if len(sample) > 1:
            labelled = not said.keys().isdisjoint(("cls", "json"))
            numbered = any(part.rest[:1].isdigit() for part in images)
            sample = _grouped(sample, printable(key), account, alone=numbered and not labelled)
        found += sample
        if not images and not orphan:
            orphan = next((part.member.name for part in members if part.said and part.said.label), "")
    _refuse_twice(found, shard)
    _refuse_partly(found, orphan, shard)
    return found


def _grouped(sample: list[ShardImage], key: str, account: ShardAccount, *, alone: bool) -> list[ShardImage]:
    """Puts the images of one sample into a group, where they have none, and takes a note."""
    if alone:
        account.numbered += len(sample)
        return sample
    account.samples += 1
    account.example = account.example or [f"{account.name}/{image.name}" for image in sample]
    group = f"{account.name}/{key}"
    return [image if image.group else image._replace(group=group) for image in sample]


class _Field(NamedTuple):
    """A member as part of a sample.

    Attributes:
        key: Its name up to the first dot.
        rest: What follows.
        member: The member.
        said: What it says if it is a label.
        unnamed: It is an image by its first bytes, and its name does not tell.
    """

    key: str
    rest: str
    member: TarMember
    said: SampleLabel | None = None
    unnamed: bool = False

    @property
    def is_image(self) -> bool:
        return kind_of(f"key.{self.rest}") is Kind.IMAGE or (self.unnamed and not self.said)


def _fields(window: Window, shard: str, account: ShardAccount, read: ReadLabel) -> Iterator[_Field]:
    """Yields what may belong to a sample; labels are read at once, while the shard is being read there."""
    for member in walk_tar(window, shard):
        if not (clean := _cleaned(member, account)):
            continue
        folder, slash, base = clean.name.rpartition("/")
        first, _, rest = base.partition(".")
        suffix = rest.rpartition(".")[2].lower()
        kind = kind_of(base)
        part = _Field(folder + slash + first, rest, clean)
        if suffix in LIMITS:
            yield part._replace(said=read(window, clean, suffix, shard))
        elif part.is_image:
            yield part
        elif kind is Kind.UNKNOWN and looks_like_image(_head(window, clean)):
            yield part._replace(unnamed=True)
        elif suffix != "txt":
            other = left_out.UNFINISHED if kind is Kind.UNFINISHED else left_out.NO_IMAGES
            account.leave_out(other, clean.name)


def _head(window: Window, member: TarMember) -> bytes:
    return window.read(member.offset, min(member.size, HEAD_BYTES))


def _cleaned(member: TarMember, account: ShardAccount) -> TarMember | None:
    """Returns a member with its name as ``tar`` would unpack it, None if it is to be passed over."""
    name = member.name
    if not _PLAIN.fullmatch(name):
        parts = [part for part in name.split("/") if part not in ("", ".")]
        if ".." in parts or "\0" in name or not parts:
            account.leave_out(_IMPOSSIBLE, name)
            return None
        name = "/".join(parts)
        if any(part.startswith(".") for part in parts[:-1]):
            account.leave_out(_IN_HIDDEN, name)
            return None
        if parts[-1].startswith("."):
            account.leave_out(left_out.NO_IMAGES, name)
            return None
    if len(name) > _LONGEST_NAME:
        account.leave_out(_IMPOSSIBLE, f"{name[:20]}...")
        return None
    if not SYSTEM_NAMES.isdisjoint(name.split("/")[:-1]):
        account.leave_out(_IN_SYSTEM, name)
        return None
    if pattern := account.patterns.find_id(f"{account.name}/{printable(name)}"):
        account.leave_out(by_pattern(pattern), name)
        return None
    if not member.regular:
        account.leave_out(_SPECIAL, name)
        return None
    return member._replace(name=name)


def _images(members: list[_Field], account: ShardAccount) -> list[_Field]:
    images = [part for part in members if part.is_image]
    if all("." in part.rest for part in images):
        return images
    chosen: list[_Field] = []
    for part in images:
        if "." not in part.rest or part.rest[0].isdigit():
            chosen.append(part)
        else:
            account.leave_out(_FURTHER, part.member.name)
    return chosen


def _of(rest: str, said: dict[str, SampleLabel]) -> SampleLabel:
    """Returns what is said of an image, by ``key.0.cls`` for ``key.0.jpg`` or by ``key.cls``."""
    prefix = rest[: rest.rfind(".") + 1]
    whole = SampleLabel()
    for name in dict.fromkeys((f"{prefix}cls", f"{prefix}json", "cls", "json")):
        if more := said.get(name):
            whole = SampleLabel(
                whole.label or more.label, whole.split or more.split, whole.group or more.group
            )
    return whole


def _refuse_twice(found: list[ShardImage], shard: str) -> None:
    if len({image.name for image in found}) < len(found):
        name, count = Counter(image.name for image in found).most_common(1)[0]
        raise broken_sample(shard, name, f"stands in it {count} times: keep one of them")


def _refuse_partly(found: list[ShardImage], orphan: str, shard: str) -> None:
    bare = next((image.name for image in found if image.label is None), None)
    if bare is None:
        return
    if orphan:
        trouble = f"stands apart from its image, and {on_one_line(bare)!r} has no label"
        raise broken_sample(shard, orphan, f"{trouble}: samples must stand together (tar --sort=name)")
    if labelled := next((image.name for image in found if image.label is not None), None):
        trouble = f"has no label, but {on_one_line(labelled)!r} has one"
        raise broken_sample(shard, bare, f"{trouble}: label all images of a shard, or none")
